import {
  type Cell,
  filesOf,
  type Inline,
  type Page,
  type Part,
  pieces,
  type Table,
  target,
  type Verdict,
  verdictMarks,
} from './parts.ts';

/** A page in Markdown, as GitHub and others show it; figures are links to their files. */
export function markdown({ kicker, title, subtitle, result, sections }: Page): string {
  const body = sections.flatMap(({ id, title, verdict, parts }) => [
    `## <a id="${id}"></a>${escaped(title)}${verdict ? ` — ${badge(verdict)}` : ''}`,
    ...parts.map(part),
  ]);
  return `${[
    `# ${escaped(title)}`,
    [kicker, subtitle].flatMap((line) => (line === undefined ? [] : `${escaped(line)}`)).join('\\\n'),
    `**${escaped(result)}**`,
    ...body,
  ].join('\n\n')}\n`;
}

function part(p: Part): string {
  switch (p.kind) {
    case 'text':
      return inline(p.text);
    case 'heading':
      return `### ${escaped(p.text)}`;
    case 'list':
      return p.items.map((item) => `- ${inline(item)}`).join('\n');
    case 'facts':
      return p.groups
        .filter(({ rows }) => rows.length > 0)
        .map(({ title, rows }) =>
          grid(
            [escaped(title), ''],
            rows.map((row) => row.map(escaped)),
          ),
        )
        .join('\n\n');
    case 'figure': {
      const files = filesOf(p);
      const links = [
        ['SVG', files.svg],
        ...files.data.map((path) => [path.split('/').at(-1), path] as const),
      ];
      const { title, caption } = p.figure;
      return (
        `![${escaped(title)}](${target(files.png)})\n\n` +
        `**Figure ${p.number}. ${escaped(title)}.** ${escaped(caption)} ` +
        links.map(([text, path]) => `[${escaped(text!)}](${target(path!)})`).join(' · ')
      );
    }
    case 'table':
      return table(p);
  }
}

function table({ columns, groups }: Table): string {
  const rows = groups.flatMap(({ title, rows }) => [
    ...(title
      ? [[`**${escaped(`${title.mark} ${title.text}`.trim())}**`, ...columns.slice(1).map(() => '')]]
      : []),
    ...rows.map((cells) => cells.map(cell)),
  ]);
  return grid(
    columns.map((c) => escaped(c.label)),
    rows,
    columns.map((c) => (c.numeric ? '--:' : '---')),
  );
}

function cell({ text, strong, after, small, verdict }: Cell): string {
  const value = verdict ? badge(verdict) : inline(text);
  return (
    (strong ? `**${value}**` : value) +
    (after === undefined ? '' : escaped(after)) +
    (small === undefined ? '' : `<br>${inline(small)}`)
  );
}

function grid(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  rule = head.map(() => '---'),
): string {
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

const badge = (verdict: Verdict): string => `${verdictMarks[verdict]} ${verdict}`;

const inline = (text: Inline): string =>
  pieces(text)
    .map((p) =>
      typeof p === 'string'
        ? escaped(p)
        : 'code' in p
          ? `\`${p.code}\``
          : `[${escaped(p.text)}](${target(p.to)})`,
    )
    .join('');

/** What Markdown or HTML would take for markup, and line ends. */
const escaped = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]<>|#~$]/g, '\\$&')
    .replaceAll('&', '&amp;');
