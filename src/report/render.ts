import {
  type FactGroup,
  type FigurePart,
  filesOf,
  type Inline,
  type Page,
  type Part,
  pieces,
  type ShownVerdict,
  type Table,
  type TableCell,
} from './page.ts';

/** How one format writes a page: each function combines what others return. */
export interface Format {
  /** Plain text, escaped; `formula` sets indices, as in `U_j`, below the line. */
  text(plain: string, formula?: boolean): string;
  code(plain: string): string;
  link(text: string, target: string): string;
  strong(text: string): string;
  /** Quietly behind a value: a spread. */
  after(text: string): string;
  /** Below a value. */
  small(text: string): string;
  badge(verdict: ShownVerdict): string;
  paragraph(text: string, note: boolean): string;
  heading(text: string): string;
  list(items: readonly string[]): string;
  /** Groups of names and values, side by side. */
  facts(groups: readonly FactGroup[]): string;
  figure(figure: FigurePart, text: { title: string; caption: string; links: string }): string;
  table(table: Table, content: (cell: TableCell) => string): string;
  section(section: { id: string; title: string; badge: string; body: string }): string;
  page(page: {
    kicker: string;
    title: string;
    subtitle: string | undefined;
    result: string;
    body: string;
  }): string;
}

export function render({ kicker, title, subtitle, result, sections }: Page, f: Format): string {
  const inline = (text: Inline): string =>
    pieces(text)
      .map((p) =>
        typeof p === 'string'
          ? f.text(p, true)
          : 'code' in p
            ? f.code(p.code)
            : f.link(f.text(p.text), target(p.to)),
      )
      .join('');
  const content = ({ text, strong, after, small, verdict }: TableCell): string =>
    (verdict ? f.badge(verdict) : strong ? f.strong(inline(text)) : inline(text)) +
    (after === undefined ? '' : f.after(f.text(after))) +
    (small === undefined ? '' : f.small(inline(small)));
  const part = (p: Part): string => {
    switch (p.kind) {
      case 'text':
        return f.paragraph(inline(p.text), p.note ?? false);
      case 'heading':
        return f.heading(f.text(p.text));
      case 'list':
        return f.list(p.items.map(inline));
      case 'facts':
        return f.facts(p.groups.filter(({ rows }) => rows.length > 0));
      case 'figure': {
        const { svg, png, data } = filesOf(p);
        const links = [svg, png, ...data]
          .map((path) => f.link(f.text(nameOf(path)), target(path)))
          .join(' · ');
        return f.figure(p, { title: f.text(p.figure.title), caption: f.text(p.figure.caption), links });
      }
      case 'table':
        return f.table(p, content);
    }
  };
  const body = sections.map(({ id, title, verdict, parts }) =>
    f.section({
      ...{ id, title: f.text(title), badge: verdict ? f.badge(verdict) : '' },
      body: parts.map(part).join('\n\n'),
    }),
  );
  return f.page({
    ...{ kicker: f.text(kicker), title: f.text(title), result: f.text(result), body: body.join('\n\n') },
    subtitle: subtitle && f.text(subtitle),
  });
}

/** SVG, PNG, or the name of a table. */
const nameOf = (path: string): string =>
  path.endsWith('.csv') ? path.split('/').at(-1)! : path.slice(-3).toUpperCase();

/** A link's target: a path or a place on the page. */
export const target = (to: string): string =>
  to.startsWith('#') ? to : to.split('/').map(encodeURIComponent).join('/');
