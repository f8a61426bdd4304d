import type { Origin, RunConfig } from '../experiments/run-config.ts';
import type { Data } from './csv.ts';
import {
  type Facts,
  type FigurePart,
  headed,
  type Inline,
  type Link,
  note,
  type Page,
  type Part,
  type Row,
  type Section,
  section,
} from './parts.ts';
import { type Shown, verdictTable } from './verdicts.ts';

/** What pages of runs, of sweeps and the index differ in; {@link pageOf} adds what they share. */
export interface Report extends Page {
  readonly method: {
    readonly intro?: string;
    readonly groups: readonly Facts[];
    /** A sentence each. */
    readonly deviations: readonly string[];
  };
  /** What else lies beside the page. */
  readonly files: readonly Inline[];
  /** Its tables, beside those that its figures draw. */
  readonly data: readonly Data[];
}

/** A page of that name with how it was made and the files beside it as its last sections. */
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

/** The figures of a page that are not another's. */
export const ownFigures = (sections: readonly Section[]): FigurePart[] =>
  sections
    .flatMap(({ parts }) => parts)
    .filter((p): p is FigurePart => p.kind === 'figure' && p.folder === undefined);

/** The claims of a page, and what their numbers mean. */
export const verdicts = (claims: readonly Shown[], words: string, controlLabel?: string): Part[] =>
  claims.length > 0
    ? [verdictTable(claims, controlLabel), note(words)]
    : [{ kind: 'text', text: 'No claim was judged.' }];

export const link = (to: string): Link => ({ text: to, to });

/** What a run was made with. */
export const provenance = ({
  adapter,
  resumedOn = [],
  versions,
  system,
  commit,
  command,
  started,
}: Origin & Pick<RunConfig, 'resumedOn'>): Row[] => [
  ['Command', command],
  ['Adapter', adapter.name],
  ['Driver', adapter.driver || 'not reported'],
  ...resumedOn.map(({ name, driver }): Row => ['Resumed on', `${name}, ${driver}`]),
  ['System', system],
  [
    'Versions',
    Object.entries(versions)
      .map((pair) => pair.join(' '))
      .join(', '),
  ],
  ['Commit', commit ?? 'unknown'],
  ['Started', started],
];
