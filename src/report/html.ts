import { createHash } from 'node:crypto';
import { filesOf, verdictMarks } from './page.ts';
import { stylesheet } from './page-style.ts';
import { type Format, target } from './render.ts';
import { escapeText } from './svg.ts';

/** A page loads and runs nothing: its policy allows its one style sheet, by hash. */
const hash = createHash('sha256').update(stylesheet).digest('base64');
const policy = `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'`;

/** A page as one file that needs no other. It is well-formed XML as well, less its first line. */
export const html: Format = {
  text: (plain, formula = false) =>
    formula
      ? escapeText(plain).replace(
          /(?<![\p{L}\p{N}_])(\p{L})_([a-z]{1,2}|[A-Z\d])(?![\w{])/gu,
          '$1<sub>$2</sub>',
        )
      : escapeText(plain),
  code: (plain) => `<code>${escapeText(plain)}</code>`,
  link: (text, target) => `<a href="${escapeText(target)}">${text}</a>`,
  strong: (text) => `<strong>${text}</strong>`,
  after: (text) => `<span class="after">${text}</span>`,
  small: (text) => `<small>${text}</small>`,
  badge: (verdict) =>
    `<span class="verdict ${verdict.replaceAll(' ', '-')}"><span aria-hidden="true">${verdictMarks[verdict]}</span> ${verdict}</span>`,
  paragraph: (text, note) => `<p${note ? ' class="note"' : ''}>${text}</p>`,
  heading: (text) => `<h3>${text}</h3>`,
  list: (items) => `<ul>${items.map((item) => `<li>${item}</li>`).join('')}</ul>`,
  facts: (groups) => {
    const row = ([name, value]: readonly [string, string]) =>
      `<div><dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd></div>`;
    const group = groups.map(
      ({ title, rows }) =>
        `<div class="facts"><h3>${escapeText(title)}</h3><dl>${rows.map(row).join('')}</dl></div>`,
    );
    return `<div class="columns">${group.join('')}</div>`;
  },
  figure: (figure, { title, caption, links }) => {
    const open = `<a href="${target(filesOf(figure).svg)}" title="Open as SVG, to enlarge">`;
    return `<figure>${scroll(`Figure ${figure.number}`, `${open}${figure.figure.svg}</a>`)}
<figcaption><b>Figure ${figure.number}. ${title}.</b> ${caption} <span class="files">${links}</span></figcaption></figure>`;
  },
  // Roles survive the layout as cards on phones.
  table: ({ caption, columns, groups, cards }, content) => {
    const head = columns.map(
      ({ label, numeric }) =>
        `<th scope="col" role="columnheader"${numeric ? ' class="number"' : ''}>${escapeText(label)}</th>`,
    );
    const bodies = groups.map(({ title, rows }) => {
      const heading =
        title &&
        `<tr role="row" class="group"><th role="rowheader" scope="rowgroup" colspan="${columns.length}">${title.mark && `<b>${escapeText(title.mark)}</b> `}${escapeText(title.text)}</th></tr>`;
      const lines = rows.map(([first, ...cells]) => {
        const rest = cells.map((cell, i) => {
          const { label, numeric } = columns[i + 1]!;
          const kind = numeric ? ' class="number"' : cell.verdict ? ' class="judged"' : '';
          return `<td role="cell"${kind} data-label="${escapeText(label)}"><span>${content(cell)}</span></td>`;
        });
        return `<tr role="row" class="row"><th role="rowheader" scope="row">${content(first!)}</th>${rest.join('')}</tr>`;
      });
      return `<tbody role="rowgroup">${heading ?? ''}${lines.join('')}</tbody>`;
    });
    const drawn = `<table role="table"${cards ? ' class="cards"' : ''}><caption>${escapeText(caption)}</caption><thead role="rowgroup"><tr role="row">${head.join('')}</tr></thead>${bodies.join('')}</table>`;
    return cards ? drawn : scroll(escapeText(caption), drawn);
  },
  section: ({ id, title, badge, body }) =>
    `<section aria-labelledby="${id}"><h2 id="${id}">${title}${badge && ` ${badge}`}</h2>\n${body}</section>`,
  page: ({ kicker, title, subtitle, result, body }) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta http-equiv="Content-Security-Policy" content="${policy}"/>
<link rel="icon" href="data:,"/>
<title>${title}</title>
<style>${stylesheet}</style>
</head>
<body>
<header>
<p class="kicker">${kicker}</p>
<h1>${title}</h1>
${subtitle === undefined ? '' : `<p class="kicker">${subtitle}</p>\n`}<p class="result">${result}</p>
</header>
<main>
${body}
</main>
<footer>Residual Alignment: J. Li and V. Papyan, <cite>Residual Alignment: Uncovering the Mechanisms of Residual Networks</cite>, NeurIPS 2023, arXiv 2401.09018.</footer>
</body>
</html>
`,
};

/** Wide content keeps its size on phones and scrolls in its own box. */
const scroll = (label: string, content: string): string =>
  `<div class="scroll" tabindex="0" role="group" aria-label="${label}">${content}</div>`;
