import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Figure } from './page.ts';

/** A drawing with a heading, in pixels. */
export interface Panel {
  title: string;
  /** A second line: the number that the panel is about. */
  note: string;
  width: number;
  height: number;
  body: string;
}

export type LegendItem = [label: string, color: string, shape: 'dot' | 'line' | 'dashed' | 'band'];
export type Legend =
  | { items: LegendItem[] }
  | { label: string; from: string; to: string; steps: { color: string; opacity?: number }[] };

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
const legendLine = 22;

/** Puts panels side by side, rows below each other, and a legend under them: one SVG document. */
export function figure(
  { file, title, data, ...text }: Omit<Figure, 'svg'>,
  rows: Panel[][],
  legend?: Legend,
): Figure {
  // A formula does not break at its relation sign.
  const caption = text.caption.replace(/ ([=≤≥≠+]) /g, '\u00a0$1\u00a0');
  const width = Math.max(...rows.map((row) => row.reduce((sum, p) => sum + p.width + gap, -gap)));
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
    const drawn = drawLegend(legend, width);
    body += `<g transform="translate(0,${y})">${drawn.body}</g>`;
    y += drawn.height;
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

function drawLegend(legend: Legend, width: number): { body: string; height: number } {
  const text = (x: number, y: number, words: string, anchor = 'start') =>
    `<text text-anchor="${anchor}" x="${+x.toFixed(2)}" y="${y + 14}">${escapeText(words)}</text>`;
  const box = (x: number, y: number, wide: number, pen: string) =>
    `<rect x="${+x.toFixed(2)}" y="${y + 4}" width="${+wide.toFixed(2)}" height="12" ${pen}/>`;
  if ('steps' in legend) {
    const { label, from, to, steps } = legend;
    const start = 17 + 6.4 * (label.length + 2) + 6.8 * from.length;
    const step = Math.min(28, Math.max(6, 160 / steps.length));
    const end = start + steps.length * step;
    const cells = steps.map(({ color, opacity = 1 }, i) =>
      box(start + i * step, 0, step, `fill="${color}" fill-opacity="${opacity}"`),
    );
    const frame = box(start, 0, end - start, 'fill="none" stroke="currentColor" stroke-opacity="0.3"');
    const words = text(17, 0, label) + text(start - 6, 0, from, 'end') + text(end + 6, 0, to);
    return {
      body: `${words}<g shape-rendering="crispEdges">${cells.join('')}</g>${frame}`,
      height: legendLine,
    };
  }
  let [x, y] = [17, 0];
  const body = legend.items.map(([label, color, shape]) => {
    const advance = 38 + 6.4 * label.length;
    if (x + advance > width && x > 17) [x, y] = [17, y + legendLine];
    const mark = {
      dot: `<circle cx="${x + 8}" cy="${y + 10}" r="3.5" fill="${color}"/>`,
      line: `<path d="M${x} ${y + 10}h16" stroke="${color}" stroke-width="2"/>`,
      dashed: `<path d="M${x} ${y + 10}h16" stroke="${color}" stroke-width="1.5" stroke-dasharray="4 3"/>`,
      band: box(x, y, 16, `fill="${color}" fill-opacity="0.22"`),
    }[shape];
    x += advance;
    return mark + text(x - advance + 22, y, label);
  });
  return { body: body.join(''), height: y + legendLine };
}

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
