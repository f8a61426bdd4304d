import { type NetworkInfo, stagesOf } from '../../analysis/network-info.ts';
import type { Measures } from '../../analysis/results.ts';
import { type Figure, moments, type ReportData } from '../data.ts';
import { blockTicks, format, range } from '../numbers.ts';
import { figure, type Legend, type Panel, panelWidth } from '../svg.ts';

const levels = 20;
/** Cells along a side of a panel: more could be neither seen nor sent. */
const maxSide = 160;
const maxBlocks = 16;

/** RA2 and RA3, the paper's figure: what each Jacobian does in the singular bases of every block. */
export function alignment(data: ReportData): Figure {
  const shown = moments(data);
  const { network, settings } = data.run.analysis;
  const { blocks, triples } = selection(network.depth, settings.triples);
  const partly =
    (blocks.length < network.depth
      ? ` Of ${network.depth} blocks, ${blocks.length} evenly spread ones are drawn.`
      : '') +
    (triples < settings.triples ? ` The first ${triples} of ${settings.triples} triples are drawn.` : '');
  const dead = shown.some((m) => m.measures.deadBlocks.length > 0)
    ? ' A crossed-out cell belongs to a dead block, J = 0.'
    : '';
  const apart =
    network.stages.length > 1
      ? ' Blocks of different stages have vectors of different lengths: there is nothing to compare them by, and their cells stay empty.'
      : '';
  return figure(
    {
      file: 'ra2-alignment.svg',
      data: ['alignment', 'measures'],
      title: 'RA2 and RA3: Jacobians in each other’s singular bases',
      caption:
        'Row i, column j shows the matrix |Uⱼᵀ Jᵢ Vⱼ| over the leading singular vectors of block j, divided by the largest ' +
        'singular value of Jᵢ and averaged over samples. Cells i = j, framed, are diagonal by construction. Look for strong ' +
        'diagonals everywhere else: then the Jacobians of different blocks share their singular vectors. “Diagonal ' +
        `share” is the part of the squared entries on the diagonal, over i ≠ j.${partly}${dead}${apart}`,
    },
    [
      shown.map(({ title, measures, network }) =>
        gridPanel({
          title,
          note: `diagonal share ${format(measures.summary.diagonalShare.mean)}`,
          grid: measures.alignment,
          network,
        }),
      ),
    ],
    gridLegend,
  );
}

export const gridLegend: Legend = {
  label: '|Uⱼᵀ Jᵢ Vⱼ| / σ₁(Jᵢ)',
  from: '0',
  to: '1',
  steps: range(levels + 1).map((q) => ({ colour: 'currentColor', opacity: q / levels })),
};

function selection(depth: number, triples: number) {
  const count = Math.min(depth, maxBlocks);
  const blocks = range(count).map((n) => (count === 1 ? 0 : Math.round((n * (depth - 1)) / (count - 1))));
  return { blocks, triples: Math.max(1, Math.min(triples, Math.floor(maxSide / count))) };
}

/** The blocks, from 0, and the number of triples that a panel shows. */
export const drawnBlocks = (network: Pick<NetworkInfo, 'depth' | 'classes'>, all: Measures['alignment']) =>
  selection(network.depth, all.flat().find((a) => a !== null)?.length ?? network.classes);

export interface Grid {
  title: string;
  note: string;
  grid: Measures['alignment'];
  network: Pick<NetworkInfo, 'depth' | 'classes' | 'stages'>;
}

/** One panel: blocks of cells, a row for each block's Jacobian and a column for each block's singular basis. */
export function gridPanel({ title, note, grid: all, network }: Grid): Panel {
  const { blocks, triples } = drawnBlocks(network, all);
  const left = 44;
  const side = panelWidth - left - 6;
  // In units of a cell: blocks lie `pitch` apart, with a gap that grows with them.
  const pitch = triples + Math.max(0.6, triples / 8);
  const scale = side / (pitch * (blocks.length - 1) + triples);
  const ranges = stagesOf(network.stages);
  const stageOf = (block: number) => ranges.findIndex(({ end }) => block < end);
  const runs: { level: number; x: number; y: number; length: number }[] = [];
  let frames = '';
  let own = '';
  let crosses = '';
  blocks.forEach((i, row) => {
    blocks.forEach((j, column) => {
      if (stageOf(i) !== stageOf(j)) return;
      const [x, y] = [column * pitch, row * pitch];
      const box = `M${round(x)} ${round(y)}h${triples}v${triples}h${-triples}z`;
      if (i === j) own += box;
      else frames += box;
      const block = all[i]?.[j];
      if (block) runs.push(...blockRuns(block, triples, x, y));
      else crosses += `M${round(x)} ${round(y)}l${triples} ${triples}m0 ${-triples}l${-triples} ${triples}`;
    });
  });
  const path = (d: string, opacity: number, width: number) =>
    d &&
    `<path d="${d}" fill="none" stroke="currentColor" stroke-opacity="${opacity}" stroke-width="${+(width / scale).toFixed(4)}"/>`;
  const cells = range(levels, 1)
    .map((level) => ({ level, d: strokes(runs.filter((r) => r.level === level)) }))
    .filter(({ d }) => d)
    .map(({ level, d }) => `<path d="${d}" stroke-opacity="${level / levels}"/>`);
  const ticks = blockTicks(network.depth);
  const label = (n: number, b: number) => {
    if (blocks.length === network.depth ? !ticks.includes(b + 1) : n % 3 !== 0) return '';
    const centre = round((n * pitch + triples / 2) * scale);
    return `<text x="${centre}" y="-6">${b + 1}</text><text text-anchor="end" x="-7" y="${round(centre + 4)}">${b + 1}</text>`;
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
      `<g transform="scale(${scale.toFixed(4)})" fill="none"><g stroke="currentColor" shape-rendering="crispEdges">${cells.join('')}</g>` +
      `${path(frames, 0.16, 1)}${path(own, 0.7, 1)}${path(crosses, 0.35, 1)}</g></g>`,
  };
}

const round = (x: number): number => Number(x.toFixed(2));

/** Equal neighbours of a row become one run; what rounds to zero is left to the paper. */
function blockRuns(block: number[][], triples: number, x: number, y: number) {
  const runs = [];
  for (let r = 0; r < triples; r++) {
    for (let c = 0; c < triples; ) {
      const start = c;
      const level = quantize(block[r]?.[c]);
      while (c < triples && quantize(block[r]?.[c]) === level) c++;
      if (level > 0) runs.push({ level, x: x + start, y: y + r + 0.5, length: c - start });
    }
  }
  return runs;
}

const quantize = (value = 0): number => Math.round(levels * Math.min(1, Math.max(0, value))) || 0;

/** Cells as strokes one unit wide, each moved to from the end of the one before: the shortest vector form. */
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
