import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Figure } from './page.ts';

/** Markup, and the height in pixels that it takes. */
export interface Drawn {
  readonly height: number;
  readonly body: string;
}

/** A drawing with a heading. */
export interface Panel extends Drawn {
  readonly title: string;
  /** A second line: the number that the panel is about. */
  readonly note: string;
  readonly width: number;
}

const { document } = parseHTML('<html></html>');

/** A plot's markup without its style element, whose rules would affect the page's other figures. */
export function plot(options: Plot.PlotOptions & { width: number; height: number }): string {
  const svg = Plot.plot({ document: document as unknown as Document, ...options });
  svg.querySelector('style')?.remove();
  // Hundredths of a pixel are enough, in attributes only: the numbers in labels are data.
  return svg.innerHTML
    .replace(/<[^>]*>/g, (tag) => tag.replace(/-?\d+\.\d{3,}(e-?\d+)?/g, (n) => String(+(+n).toFixed(2))))
    .replaceAll('&nbsp;', '&#160;');
}

export const panelWidth = 344;
const gap = 24;
const heading = 40;

/** Puts panels side by side, rows below each other, and a legend under them: one SVG document. */
export function figure(
  { file, title, data, ...text }: Omit<Figure, 'svg'>,
  rows: Panel[][],
  legendIn: (width: number) => Drawn | undefined,
): Figure {
  // A formula does not break at its relation sign.
  const caption = text.caption.replace(/ ([=≤≥≠+]) /g, '\u00a0$1\u00a0');
  const width = Math.max(...rows.map((row) => row.reduce((sum, p) => sum + p.width + gap, -gap)));
  const legend = legendIn(width);
  let [body, y, letter] = ['', 0, 'a'.charCodeAt(0)];
  for (const row of rows) {
    let x = 0;
    for (const panel of row) {
      const heads = head(panel, String.fromCharCode(letter++));
      body += `<g transform="translate(${x},${y})">${heads}<g transform="translate(0,${heading})">${panel.body}</g></g>`;
      x += panel.width + gap;
    }
    y += heading + Math.max(...row.map((p) => p.height)) + 10;
  }
  if (legend) {
    body += `<g transform="translate(0,${y})">${legend.body}</g>`;
    y += legend.height;
  }
  const id = file.replace(/\.svg$/, '');
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" role="img"` +
    ` aria-labelledby="${id}-title ${id}-desc" fill="currentColor" font-size="11.5" text-anchor="middle"` +
    ` font-family="Inter, system-ui, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif">` +
    `<title id="${id}-title">${escapeText(title)}</title><desc id="${id}-desc">${escapeText(caption)}</desc>${body}</svg>`;
  return { file, title, caption, svg, ...(data && { data }) };
}

const head = ({ title, note }: Panel, letter: string): string =>
  `<text text-anchor="start" font-size="13" y="13"><tspan font-weight="700">${letter}</tspan>` +
  `<tspan font-weight="600" dx="8">${escapeText(title)}</tspan></text>` +
  `<text text-anchor="start" x="17" y="30" font-variant="tabular-nums" fill-opacity="0.75">${escapeText(note)}</text>`;

/** A figure as its own file: dark ink on white paper with a margin, wherever it is shown, dark pages too. */
export const standalone = (svg: string): string => withMargin(svg, margin).replace('<svg ', `<svg ${paper} `);

/** The same for inlining, with unique ids. */
export const inlined = (svg: string, id: string): string =>
  withMargin(svg.replace(`<svg ${paper} `, '<svg '), 0)
    .replaceAll(/ id="([^"]*)"/g, ` id="${id}-$1"`)
    .replace(/ aria-labelledby="(\S*) (\S*)"/, ` aria-labelledby="${id}-$1 ${id}-$2"`);

const paper = 'style="color:#111;background:#fff"';
const margin = 12;

/** Replaces the margin around a drawing. */
const withMargin = (svg: string, wide: number): string =>
  svg.replace(/ width="\S*" height="\S*" viewBox="(\S*) \S* (\S*) (\S*)"/, (_, left, width, height) => {
    const [w, h] = [width, height].map((size) => Number(size) + 2 * (Number(left) + wide));
    return ` width="${w}" height="${h}" viewBox="${-wide} ${-wide} ${w} ${h}"`;
  });

/** Escapes text and attribute values for XML and HTML; drops what XML 1.0 cannot hold. */
export function escapeText(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '')
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
