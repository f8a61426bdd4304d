import { filesOf, verdictMarks } from './page.ts';
import { type Format, target } from './render.ts';

/** Characters that Markdown or HTML would take for markup, and line ends. */
const escaped = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]<>|#~$]/g, '\\$&')
    .replaceAll('&', '&amp;');

const grid = (rows: readonly (readonly string[])[], rule: readonly string[]): string =>
  [rows[0]!, rule, ...rows.slice(1)].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** Markdown, as GitHub and others show it; figures are links to their files. */
export const markdown: Format = {
  text: escaped,
  code: (plain) => `\`${plain}\``,
  link: (text, target) => `[${text}](${target})`,
  strong: (text) => `**${text}**`,
  after: (text) => text,
  small: (text) => `<br>${text}`,
  badge: (verdict) => `${verdictMarks[verdict]} ${verdict}`,
  paragraph: (text) => text,
  heading: (text) => `### ${text}`,
  list: (items) => items.map((item) => `- ${item}`).join('\n'),
  facts: (groups) =>
    groups
      .map(({ title, rows }) =>
        grid([[escaped(title), ''], ...rows.map((row) => row.map(escaped))], ['---', '---']),
      )
      .join('\n\n'),
  figure: (figure, { title, caption, links }) =>
    `![${title}](${target(filesOf(figure).png)})\n\n**Figure ${figure.number}. ${title}.** ${caption} ${links}`,
  table: ({ columns, groups }, content) => {
    const rows = groups.flatMap(({ title, rows }) => [
      ...(title
        ? [[`**${escaped(`${title.mark} ${title.text}`.trim())}**`, ...columns.slice(1).map(() => '')]]
        : []),
      ...rows.map((cells) => cells.map(content)),
    ]);
    return grid(
      [columns.map((c) => escaped(c.label)), ...rows],
      columns.map((c) => (c.numeric ? '--:' : '---')),
    );
  },
  section: ({ id, title, badge, body }) =>
    `## <a id="${id}"></a>${title}${badge && ` — ${badge}`}\n\n${body}`,
  page: ({ kicker, title, subtitle, result, body }) =>
    `# ${title}\n\n${kicker}${subtitle === undefined ? '' : `\\\n${subtitle}`}\n\n**${result}**\n\n${body}\n`,
};
