import type { Legend, Swatch } from '../../analysis/measures/figure.ts';
import { range } from '../../lists.ts';
import { type Drawn, escapeText } from '../svg.ts';
import { pen, shade } from './inks.ts';
import { shades } from './matrix.ts';

const LINE = 22;

/** A legend in so many pixels of width; nothing if it is empty. */
export function drawLegend(legend: Legend, width: number): Drawn | undefined {
  if ('ramp' in legend) return ramp(legend);
  return legend.length > 0 ? swatches(legend, width) : undefined;
}

const text = (x: number, y: number, words: string, anchor = 'start') =>
  `<text text-anchor="${anchor}" x="${+x.toFixed(2)}" y="${y + 14}">${escapeText(words)}</text>`;
const box = (x: number, y: number, wide: number, pen: string) =>
  `<rect x="${+x.toFixed(2)}" y="${y + 4}" width="${+wide.toFixed(2)}" height="12" ${pen}/>`;

/** The ends of a ramp, and its colors between them. */
function endsOf(legend: Extract<Legend, { ramp: unknown }>) {
  if (legend.ramp === 'share') return { from: '0', to: '1', steps: shades };
  if (!('of' in legend)) return { from: '−1', to: '1', steps: range(11).map((i) => shade(i / 5 - 1)) };
  const { of } = legend;
  const steps = range(of, 1).map((scale) => ({ color: pen({ scale, of }), opacity: 1 }));
  return { from: '1', to: `${of}`, steps };
}

function ramp(legend: Extract<Legend, { ramp: unknown }>): Drawn {
  const { label } = legend;
  const { from, to, steps } = endsOf(legend);
  const start = 17 + 6.4 * (label.length + 2) + 6.8 * from.length;
  const step = Math.min(28, Math.max(6, 160 / steps.length));
  const end = start + steps.length * step;
  const cells = steps.map(({ color, opacity }, i) =>
    box(start + i * step, 0, step, `fill="${color}" fill-opacity="${opacity}"`),
  );
  const frame = box(start, 0, end - start, 'fill="none" stroke="currentColor" stroke-opacity="0.3"');
  const words = text(17, 0, label) + text(start - 6, 0, from, 'end') + text(end + 6, 0, to);
  return { body: `${words}<g shape-rendering="crispEdges">${cells.join('')}</g>${frame}`, height: LINE };
}

function swatches(items: readonly Swatch[], width: number): Drawn {
  let [x, y] = [17, 0];
  const body = items.map(([label, ink, shape]) => {
    const color = pen(ink);
    const advance = 38 + 6.4 * label.length;
    if (x + advance > width && x > 17) [x, y] = [17, y + LINE];
    const mark = {
      dot: `<circle cx="${x + 8}" cy="${y + 10}" r="3.5" fill="${color}"/>`,
      line: `<path d="M${x} ${y + 10}h16" stroke="${color}" stroke-width="2"/>`,
      dashed: `<path d="M${x} ${y + 10}h16" stroke="${color}" stroke-width="1.5" stroke-dasharray="4 3"/>`,
      band: box(x, y, 16, `fill="${color}" fill-opacity="0.22"`),
    }[shape];
    x += advance;
    return mark + text(x - advance + 22, y, label);
  });
  return { body: body.join(''), height: y + LINE };
}
