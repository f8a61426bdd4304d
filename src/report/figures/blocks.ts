import * as Plot from '@observablehq/plot';
import { accent } from '../colours.ts';
import { boundariesInWords, type Figure, type Moment, moments, type ReportData } from '../data.ts';
import { defined, format, percent, spread } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, blockAxis, chart, meanWithBand, stageBoundaries } from './chart.ts';
import { pathAxis } from './sweep-lines.ts';

/** What each block adds and is worth, and which paths through the blocks carry the output. */
export function blocks(data: ReportData): Figure {
  const shown = moments(data);
  const worth = shown.filter(({ measures }) => measures.blockLoss);
  const paths = shown.filter(({ measures }) => measures.summary.pathShares);
  const parts = [
    'Size of what a block adds relative to what goes past it, ‖F(h)‖/‖h‖: mean over samples, and a band of one standard deviation. Look for small values late: those blocks refine.',
    ...(worth.length > 0
      ? [
          'Test accuracy lost when a block’s branch is left out. Look for blocks that can be spared, and for the few that cannot.',
        ]
      : []),
    ...(paths.length > 0
      ? [
          'Share of the output that is carried by paths through so many of the linearized blocks: mean over samples, with a bar of one standard deviation. Look for the lengths that matter.',
        ]
      : []),
  ];
  const row = parts.length > 1 ? (i: number) => `${['First', 'Then', 'Last'][i]} row: ` : () => '';
  return figure(
    {
      file: 'blocks.svg',
      data: ['blocks', ...(paths.length > 0 ? ['paths'] : [])],
      title: 'What blocks add, what they are worth, and what paths carry',
      caption: parts.map((text, i) => row(i) + text).join(' ') + boundariesInWords(data),
    },
    [shown.map(ratio), worth.map(loss), paths.map(lengths)].filter((panels) => panels.length > 0),
  );
}

function ratio({ title, measures: { summary }, network }: Moment): Panel {
  const { branchRatio } = summary;
  const highest = Math.max(0, ...branchRatio.map((s) => (s.mean ?? 0) + (s.std ?? 0)));
  return chart({
    title,
    note: `largest ${format(spread(branchRatio.map((s) => s.mean)).max)}, last ${format(branchRatio.at(-1)?.mean)}`,
    height: 210,
    x: blockAxis(network.depth),
    y: { ...axis('‖Fᵢ(hᵢ)‖ / ‖hᵢ‖'), domain: [0, 1.1 * highest || 1], ticks: 5, grid: true },
    marks: meanWithBand(branchRatio, [0, Infinity], network),
  });
}

function loss({ title, measures: { blockLoss, blockLossExamples }, network }: Moment): Panel {
  const rows = blockLoss!.map((value, i) => ({ block: i + 1, value: 100 * value }));
  const { min, max } = spread(rows.map((r) => r.value));
  const [low, high] = [Math.min(0, min ?? 0), Math.max(0, max ?? 0)];
  return chart({
    title,
    note:
      blockLossExamples === null
        ? ''
        : `over ${blockLossExamples} test images, largest ${percent(spread(blockLoss!).max ?? 0)}`,
    height: 210,
    x: blockAxis(network.depth),
    y: {
      ...axis('test accuracy lost (%)'),
      domain: [1.1 * low, 1.1 * high || 1],
      ticks: 5,
      grid: true,
    },
    marks: [
      stageBoundaries(network),
      Plot.ruleX(rows, { x: 'block', y1: 0, y2: 'value', stroke: accent, strokeWidth: 1.75 }),
      Plot.dot(rows, { x: 'block', y: 'value', fill: accent, r: network.depth > 40 ? 1.5 : 2.75 }),
      Plot.ruleY([0], { stroke: 'currentColor', strokeOpacity: 0.4 }),
    ],
  });
}

function lengths({ title, measures: { summary }, network }: Moment): Panel {
  const rows = summary.pathShares!.flatMap(({ mean, std }, length) =>
    defined(mean) ? [{ length, mean, low: Math.max(0, mean - (std ?? 0)), high: mean + (std ?? 0) }] : [],
  );
  const highest = Math.max(0, ...rows.map((r) => r.high));
  return chart({
    title,
    note: `through no block ${format(summary.pathShares![0]?.mean)}`,
    height: 210,
    x: pathAxis(network.depth),
    y: { ...axis('share of the output'), domain: [0, 1.1 * highest || 1], ticks: 5, grid: true },
    marks: [
      Plot.ruleX(rows, {
        x: 'length',
        y1: 'low',
        y2: 'high',
        stroke: accent,
        strokeOpacity: 0.45,
        strokeWidth: 4,
      }),
      Plot.dot(rows, { x: 'length', y: 'mean', fill: accent, r: network.depth > 40 ? 1.5 : 2.75 }),
    ],
  });
}
