import type { Evidence } from '../analysis/evidence.ts';
import type { Data } from './csv.ts';

/*
 * The content of a page, apart from its markup: html.ts and markdown.ts write the same page. All text here
 * is plain, and they escape it.
 */

/** One page: of a run, of a sweep, or the index over all of them. */
export interface Page {
  /** Small print above the title: its origin. */
  readonly kicker: string;
  readonly title: string;
  /** Small print below the title: what it is about. */
  readonly subtitle?: string | undefined;
  /** The result, in a sentence or a few. */
  readonly result: string;
  readonly sections: readonly Section[];
}

export interface Section {
  /** Its name in links. */
  readonly id: string;
  readonly title: string;
  readonly verdict?: ShownVerdict;
  readonly parts: readonly Part[];
}

export const section = (id: string, title: string, parts: readonly Part[]): Section => ({ id, title, parts });

export type Part =
  | { readonly kind: 'text'; readonly text: Inline; readonly note?: boolean }
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly Inline[] }
  /** Groups of names and values, side by side. */
  | { readonly kind: 'facts'; readonly groups: readonly FactGroup[] }
  | FigurePart
  | Table;

export const note = (text: Inline): Part => ({ kind: 'text', text, note: true });

/** A list under a heading; nothing if it is empty. */
export const headed = (text: string, items: readonly Inline[]): Part[] =>
  items.length > 0
    ? [
        { kind: 'heading', text },
        { kind: 'list', items },
      ]
    : [];

export type Fact = [name: string, value: string];
export interface FactGroup {
  readonly title: string;
  readonly rows: readonly Fact[];
}

/** Text, or pieces of text, links and typed words. */
export type Inline = string | readonly Piece[];
export type Piece = string | Link | { readonly code: string };
export interface Link {
  readonly text: string;
  /** Relative to the page, not encoded; a place on the page itself if it begins with `#`. */
  readonly to: string;
}

export interface Figure {
  /** File name, such as `ra1-trajectories.svg`. */
  readonly file: string;
  readonly title: string;
  /** Says what is drawn, then what to look for. */
  readonly caption: string;
  /** The rows that it draws, or the page's tables, `data/<name>.csv`, that hold them. */
  readonly data?: readonly (string | Data)[];
  /** A complete document that can also be inlined. */
  readonly svg: string;
}

export interface FigurePart {
  readonly kind: 'figure';
  readonly figure: Figure;
  readonly number: number;
  /** Where its files lie, relative to the page, as in `sweeps/seed.quick/`; default: the page's folder. */
  readonly folder?: string;
}

/** The files of a figure, relative to the page. */
export const filesOf = ({ figure: { file, data = [] }, folder = '' }: FigurePart) => ({
  svg: `${folder}figures/${file}`,
  png: `${folder}figures/${file.replace(/\.svg$/, '.png')}`,
  data: data.map((table) => `${folder}data/${typeof table === 'string' ? table : table.name}.csv`),
});

/** Figures one below another, numbered. */
export const figureParts = (figures: readonly Figure[]): FigurePart[] =>
  figures.map((figure, i) => ({ kind: 'figure', figure, number: i + 1 }));

export interface Table {
  readonly kind: 'table';
  /** Read out, not shown. */
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly groups: readonly RowGroup[];
  /** Whether rows become cards on narrow pages; otherwise the table scrolls. */
  readonly cards?: boolean;
}

export interface Column {
  readonly label: string;
  readonly numeric?: boolean;
}

export interface RowGroup {
  /** A row of its own: a mark, and what it stands for. */
  readonly title?: { readonly mark: string; readonly text: string };
  readonly rows: readonly (readonly TableCell[])[];
}

/** The first of a row names it. */
export interface TableCell {
  readonly text: Inline;
  readonly strong?: boolean;
  /** Behind it, quietly: a spread. */
  readonly after?: string;
  /** Below it, small. */
  readonly small?: Inline;
  readonly verdict?: ShownVerdict;
}

/** A column's head, its cell for an item, and whether that is a number. */
export type ColumnOf<T> = readonly [
  label: string,
  of: (item: T) => TableCell | string,
  numeric?: 'numeric' | undefined,
];

export const tableOf = <T>(caption: string, columns: readonly ColumnOf<T>[], items: readonly T[]): Table => ({
  ...{ kind: 'table', caption },
  columns: columns.map(([label, , numeric]) => ({ label, numeric: numeric !== undefined })),
  groups: [{ rows: tableRows(columns, items) }],
});

export const tableRows = <T>(columns: readonly ColumnOf<T>[], items: readonly T[]): TableCell[][] =>
  items.map((item) =>
    columns.map(([, of]) => {
      const cell = of(item);
      return typeof cell === 'string' ? { text: cell } : cell;
    }),
  );

/** The verdict of one claim, or of several as one; without evidence it is not measured. */
export type ShownVerdict = Evidence['verdict'] | 'holds in part' | 'not measured';

export const verdictMarks: Record<ShownVerdict, string> = {
  holds: '✓',
  'does not hold': '✗',
  'holds in part': '◐',
  'not measurable': '–',
  'not measured': '–',
};

export const pieces = (text: Inline): readonly Piece[] => (typeof text === 'string' ? [text] : text);

/** How pages of runs, sweeps and the index differ; {@link pageOf} adds what they share. */
export interface Report extends Page {
  readonly method: {
    readonly intro?: string;
    readonly groups: readonly FactGroup[];
    /** A sentence each. */
    readonly deviations: readonly string[];
  };
  /** What else lies beside the page. */
  readonly files: readonly Inline[];
  /** Its tables besides those that its figures draw. */
  readonly data: readonly Data[];
}

/** A page of that name; its last sections are how it was made and the files beside it. */
export function pageOf({ method, files, sections, ...page }: Report, name = 'report'): Page {
  const { intro, groups, deviations } = method;
  const tables = tablesOf({ ...page, sections }).map((table) => link(`data/${table.name}.csv`));
  return {
    ...page,
    sections: [
      ...sections.filter(({ parts }) => parts.length > 0),
      section('method', 'How it was made', [
        ...(intro === undefined ? [] : [{ kind: 'text', text: intro } satisfies Part]),
        { kind: 'facts', groups },
        ...headed('Deviations from the paper, and choices made by rule', deviations),
      ]),
      section('files', 'Files', [
        {
          kind: 'list',
          items: [
            ...files,
            ['Every number as CSV: ', ...tables.flatMap((to, i) => (i > 0 ? [', ', to] : [to]))],
            ['This page as ', link(`${name}.md`)],
          ],
        },
      ]),
    ],
  };
}

/** All tables of a page: its own, and those that its own figures draw. */
export const tablesOf = ({ data, sections }: Pick<Report, 'data' | 'sections'>): Data[] => [
  ...data,
  ...ownFigures(sections).flatMap(({ figure }) =>
    (figure.data ?? []).filter((d): d is Data => typeof d !== 'string'),
  ),
];

/** A page's own figures, without those of other pages. */
export const ownFigures = (sections: readonly Section[]): FigurePart[] =>
  sections
    .flatMap(({ parts }) => parts)
    .filter((p): p is FigurePart => p.kind === 'figure' && p.folder === undefined);

export const link = (to: string): Link => ({ text: to, to });
