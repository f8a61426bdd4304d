import type { Matrix } from '../../analysis/measures/figure.ts';
import { range } from '../../lists.ts';
import { blockTicks } from '../axes.ts';
import { type Panel, panelWidth } from '../svg.ts';

const levels = 20;
export const shades = range(levels + 1).map((q) => ({ color: 'currentColor', opacity: q / levels }));

/** Matrices of shades, one for each pair of blocks of a stage: framed, crossed out where a block is dead. */
export function matrixPanel({
  title,
  note,
  pairs,
  blocks,
  size,
  stages,
}: Matrix & { readonly title: string }): Panel {
  const left = 44;
  const side = panelWidth - left - 6;
  // In units of an entry: blocks lie `pitch` apart, with a gap that grows with them.
  const pitch = size + Math.max(0.6, size / 8);
  const scale = side / (pitch * (blocks.length - 1) + size);
  const stageOf = (block: number) => stages.findIndex(({ end }) => block < end);
  const runs: { level: number; x: number; y: number; length: number }[] = [];
  let [frames, own, crosses] = ['', '', ''];
  blocks.forEach((i, row) => {
    blocks.forEach((j, column) => {
      if (stageOf(i) !== stageOf(j)) return;
      const [x, y] = [column * pitch, row * pitch];
      const box = `M${round(x)} ${round(y)}h${size}v${size}h${-size}z`;
      if (i === j) own += box;
      else frames += box;
      const entries = pairs[i]?.[j];
      if (entries) runs.push(...runsOf(entries, size, x, y));
      else crosses += `M${round(x)} ${round(y)}l${size} ${size}m0 ${-size}l${-size} ${size}`;
    });
  });
  const path = (d: string, opacity: number) =>
    d &&
    `<path d="${d}" fill="none" stroke="currentColor" stroke-opacity="${opacity}" stroke-width="${+(1 / scale).toFixed(4)}"/>`;
  const entries = range(levels, 1)
    .map((level) => ({ level, d: strokes(runs.filter((r) => r.level === level)) }))
    .filter(({ d }) => d)
    .map(({ level, d }) => `<path d="${d}" stroke-opacity="${level / levels}"/>`);
  const ticks = blockTicks(pairs.length);
  const label = (n: number, b: number) => {
    if (blocks.length === pairs.length ? !ticks.includes(b + 1) : n % 3 !== 0) return '';
    const center = round((n * pitch + size / 2) * scale);
    return `<text x="${center}" y="-6">${b + 1}</text><text text-anchor="end" x="-7" y="${round(center + 4)}">${b + 1}</text>`;
  };
  return {
    title,
    note,
    width: panelWidth,
    height: side + 42,
    body:
      `<g transform="translate(${left},34)">` +
      `<text x="${side / 2}" y="-21">singular basis of block j</text>` +
      `<text transform="translate(-29,${side / 2}) rotate(-90)">Jacobian of block i</text>` +
      blocks.map((b, n) => label(n, b)).join('') +
      `<g transform="scale(${scale.toFixed(4)})" fill="none"><g stroke="currentColor" shape-rendering="crispEdges">${entries.join('')}</g>` +
      `${path(frames, 0.16)}${path(own, 0.7)}${path(crosses, 0.35)}</g></g>`,
  };
}

const round = (x: number): number => Number(x.toFixed(2));

/** Equal neighbors in a row become one run; what rounds to zero stays blank. */
function runsOf(entries: readonly (readonly number[])[], size: number, x: number, y: number) {
  const runs = [];
  for (let r = 0; r < size; r++) {
    for (let c = 0; c < size; ) {
      const start = c;
      const level = quantize(entries[r]?.[c]);
      while (c < size && quantize(entries[r]?.[c]) === level) c++;
      if (level > 0) runs.push({ level, x: x + start, y: y + r + 0.5, length: c - start });
    }
  }
  return runs;
}

const quantize = (value = 0): number => Math.round(levels * Math.min(1, Math.max(0, value))) || 0;

/** Entries as strokes one unit wide, each moved to from the last one's end: the shortest vector form. */
function strokes(runs: { x: number; y: number; length: number }[]): string {
  let [x, y] = [0, 0];
  let d = '';
  for (const run of runs) {
    d += `m${round(run.x - x)} ${round(run.y - y)}h${run.length}`;
    // Follow the rounded pen, so that rounding does not add up.
    x = round(x + round(run.x - x) + run.length);
    y = round(y + round(run.y - y));
  }
  return d.replaceAll(' -', '-');
}
