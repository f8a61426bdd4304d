import { createHash } from 'node:crypto';
import { stylesheet } from './page-style.ts';
import {
  type Cell,
  type Column,
  type Facts,
  filesOf,
  type Group,
  type Inline,
  type Page,
  type Part,
  pieces,
  type Section,
  type Table,
  target,
  type Verdict,
  verdictMarks,
} from './parts.ts';
import { escapeText } from './svg.ts';

/** A page loads and runs nothing: its policy allows its one style sheet, by hash. */
const hash = createHash('sha256').update(stylesheet).digest('base64');
const policy = `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'`;

/** A page as one file that needs no other. It is well-formed XML as well, less its first line. */
export function html({ kicker, title, subtitle, result, sections }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta http-equiv="Content-Security-Policy" content="${policy}"/>
<link rel="icon" href="data:,"/>
<title>${escapeText(title)}</title>
<style>${stylesheet}</style>
</head>
<body>
<header>
<p class="kicker">${escapeText(kicker)}</p>
<h1>${escapeText(title)}</h1>
${subtitle === undefined ? '' : `<p class="kicker">${escapeText(subtitle)}</p>\n`}<p class="result">${escapeText(result)}</p>
</header>
<main>
${sections.map(section).join('\n')}
</main>
<footer>Residual Alignment: J. Li and V. Papyan, <cite>Residual Alignment: Uncovering the Mechanisms of Residual Networks</cite>, NeurIPS 2023, arXiv 2401.09018.</footer>
</body>
</html>
`;
}

const section = ({ id, title, verdict, parts }: Section): string =>
  `<section aria-labelledby="${id}"><h2 id="${id}">${escapeText(title)}${verdict ? ` ${badge(verdict)}` : ''}</h2>\n` +
  `${parts.map(part).join('\n')}</section>`;

function part(p: Part): string {
  switch (p.kind) {
    case 'text':
      return `<p${p.note ? ' class="note"' : ''}>${inline(p.text)}</p>`;
    case 'heading':
      return `<h3>${escapeText(p.text)}</h3>`;
    case 'list':
      return `<ul>${p.items.map((item) => `<li>${inline(item)}</li>`).join('')}</ul>`;
    case 'facts':
      return `<div class="columns">${p.groups.map(facts).join('')}</div>`;
    case 'figure': {
      const files = filesOf(p);
      const { title, caption, svg } = p.figure;
      const links = [
        ['SVG', files.svg],
        ['PNG', files.png],
        ...files.data.map((path) => [path.split('/').at(-1), path] as const),
      ].map(([text, path]) => `<a href="${target(path!)}">${escapeText(text!)}</a>`);
      return (
        `<figure><div class="scroll" tabindex="0" role="group" aria-label="Figure ${p.number}"><a href="${target(files.svg)}" title="Open as SVG, to enlarge">${svg}</a></div>` +
        `<figcaption><b>Figure ${p.number}. ${escapeText(title)}.</b> ${escapeText(caption)} ` +
        `<span class="files">${links.join(' · ')}</span></figcaption></figure>`
      );
    }
    case 'table':
      return table(p);
  }
}

const facts = ({ title, rows }: Facts): string =>
  rows.length === 0
    ? ''
    : `<div class="facts"><h3>${escapeText(title)}</h3><dl>${rows.map(([k, v]) => `<div><dt>${escapeText(k)}</dt><dd>${escapeText(v)}</dd></div>`).join('')}</dl></div>`;

const inline = (text: Inline): string =>
  pieces(text)
    .map((p) =>
      typeof p === 'string'
        ? typeset(p)
        : 'code' in p
          ? `<code>${escapeText(p.code)}</code>`
          : `<a href="${escapeText(target(p.to))}">${escapeText(p.text)}</a>`,
    )
    .join('');

/** Text with the indices of formulas, as in `U_j`, set below the line. */
const typeset = (text: string): string =>
  escapeText(text).replace(/(?<![\p{L}\p{N}_])(\p{L})_([a-z]{1,2}|[A-Z\d])(?![\w{])/gu, '$1<sub>$2</sub>');

/** Its roles outlive the phone's layout of cards. */
function table({ caption, columns, groups, cards }: Table): string {
  const head = columns.map(
    ({ label, numeric }) =>
      `<th scope="col" role="columnheader"${numeric ? ' class="number"' : ''}>${escapeText(label)}</th>`,
  );
  const bodies = groups.map((group) => body(group, columns));
  const drawn =
    `<table role="table"${cards ? ' class="cards"' : ''}><caption>${escapeText(caption)}</caption>` +
    `<thead role="rowgroup"><tr role="row">${head.join('')}</tr></thead>${bodies.join('')}</table>`;
  return cards
    ? drawn
    : `<div class="scroll" tabindex="0" role="group" aria-label="${escapeText(caption)}">${drawn}</div>`;
}

function body({ title, rows }: Group, columns: readonly Column[]): string {
  const heading = title
    ? `<tr role="row" class="group"><th role="rowheader" scope="rowgroup" colspan="${columns.length}">` +
      `${title.mark && `<b>${escapeText(title.mark)}</b> `}${escapeText(title.text)}</th></tr>`
    : '';
  const row = (cells: readonly Cell[]) =>
    `<tr role="row" class="row">${cells.map((c, i) => cell(c, columns[i]!, i === 0)).join('')}</tr>`;
  return `<tbody role="rowgroup">${heading}${rows.map(row).join('')}</tbody>`;
}

function cell(
  { text, strong, after, small, verdict }: Cell,
  { label, numeric }: Column,
  first: boolean,
): string {
  const value = verdict ? badge(verdict) : strong ? `<strong>${inline(text)}</strong>` : inline(text);
  const content =
    (after === undefined ? value : `${value}<span class="after">${escapeText(after)}</span>`) +
    (small === undefined ? '' : `<small>${inline(small)}</small>`);
  if (first) return `<th role="rowheader" scope="row">${content}</th>`;
  const kind = numeric ? ' class="number"' : verdict ? ' class="judged"' : '';
  return `<td role="cell"${kind} data-label="${escapeText(label)}"><span>${content}</span></td>`;
}

const badge = (verdict: Verdict): string =>
  `<span class="verdict ${verdict.replaceAll(' ', '-')}"><span aria-hidden="true">${verdictMarks[verdict]}</span> ${verdict}</span>`;
