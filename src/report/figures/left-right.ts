import * as Plot from '@observablehq/plot';
import { accent, contrast } from '../colours.ts';
import { boundariesInWords, type Figure, type Moment, moments, type ReportData } from '../data.ts';
import { format, range, spread } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, blockAxis, chart, meanWithBand, stageBoundaries } from './chart.ts';

const maxTriples = 20;

/** RA2: left against right singular vectors of one block, and both against the classifier. */
export function leftRight(data: ReportData): Figure {
  const shown = moments(data);
  const { triples } = data.run.analysis.settings;
  const partly = triples > maxTriples ? ` The first ${maxTriples} of ${triples} triples are drawn.` : '';
  const last =
    data.run.analysis.network.stages.length > 1 ? ' Only the last stage is what the classifier reads.' : '';
  return figure(
    {
      file: 'ra2-left-right.svg',
      data: ['left-right', 'blocks'],
      title: 'RA2: left and right singular vectors, and the classifier',
      caption:
        'Above: cosine between left and right singular vector k of each block, mean over samples (blue: positive; ×: the ' +
        'block is dead). Look for full blue: a block stretches its input along directions that it keeps. Below: the share of ' +
        'the leading left singular vectors inside the row space of the classifier’s weights, with a band of one standard ' +
        `deviation over samples. Look for a rise to 1.${partly}${last}${boundariesInWords(data)}`,
    },
    [shown.map(cosines), shown.map(classifier)],
    {
      label: 'cosine uₖ·vₖ',
      from: '−1',
      to: '1',
      steps: range(11).map((i) => shade(i / 5 - 1)),
    },
  );
}

/** Blue above zero, orange below. Twenty steps a side: finer ones could not be seen, and the file stays small. */
const shade = (cosine: number) => ({
  colour: cosine < 0 ? contrast : accent,
  opacity: Math.round(20 * Math.abs(cosine)) / 20,
});

type Cell = { block: number; k: number; cosine: number | null };

function cosines({ title, measures: { samples, summary }, network }: Moment): Panel {
  const { depth } = network;
  const triples = Math.min(maxTriples, Math.max(1, ...samples.map((s) => s.leftRight[0]?.length ?? 0)));
  const cells: Cell[] = range(depth).flatMap((i) =>
    range(triples).map((k) => {
      const { mean } = spread(samples.map((s) => s.leftRight[i]?.[k]));
      return { block: i + 1, k: k + 1, cosine: mean };
    }),
  );
  const dead = cells.filter((c) => c.cosine === null);
  return chart({
    title,
    note: `mean of the top three, last block ${format(summary.leftRight.at(-1)?.mean)}`,
    height: 240,
    x: blockAxis(depth),
    y: {
      ...axis('triple k'),
      domain: [triples + 0.5, 0.5],
      ticks: range(triples, 1).filter((k) => triples <= 10 || k % 5 === 0),
      tickFormat: String,
    },
    opacity: { type: 'identity' },
    marks: [
      Plot.rect(cells, {
        x1: (c: Cell) => c.block - 0.5,
        x2: (c: Cell) => c.block + 0.5,
        y1: (c: Cell) => c.k - 0.5,
        y2: (c: Cell) => c.k + 0.5,
        fill: (c: Cell) => shade(c.cosine ?? 0).colour,
        fillOpacity: (c: Cell) => shade(c.cosine ?? 0).opacity,
        inset: depth * triples > 200 ? 0 : 0.5,
      }),
      stageBoundaries(network),
      Plot.text(dead, { x: 'block', y: 'k', text: () => '×', fillOpacity: 0.55 }),
    ],
  });
}

function classifier({ title, measures: { summary }, network }: Moment): Panel {
  return chart({
    title,
    note: `classifier share, last block ${format(summary.classifierShare.at(-1)?.mean)}`,
    height: 190,
    x: blockAxis(network.depth),
    y: { ...axis('share of U in rows of W'), domain: [0, 1.02], ticks: 5, grid: true },
    marks: meanWithBand(summary.classifierShare, [0, 1], network),
  });
}
