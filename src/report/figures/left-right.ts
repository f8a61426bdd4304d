import * as Plot from '@observablehq/plot';
import { accent, contrast } from '../colours.ts';
import { type Figure, type Moment, moments, type ReportData } from '../data.ts';
import { format, range, spread } from '../numbers.ts';
import { figure, type Panel, panelSize, plot } from '../svg.ts';
import { axis, blockAxis, frame, margins, meanWithBand } from './axes.ts';

const maxTriples = 20;

/** RA2: left against right singular vectors of one block, and both against the classifier. */
export function leftRight(data: ReportData): Figure {
  const shown = moments(data);
  const { triples } = data.run.analysis.settings;
  const partly = triples > maxTriples ? ` The first ${maxTriples} of ${triples} triples are drawn.` : '';
  const opacities = range(11).map((i) => Number(Math.abs(i / 5 - 1).toFixed(2)));
  return figure(
    {
      file: 'ra2-left-right.svg',
      title: 'RA2: left and right singular vectors, and the classifier',
      caption:
        'Above: cosine between left and right singular vector k of each block, mean over samples (blue: positive; ×: the ' +
        'block is dead). Look for full blue: a block stretches its input along directions that it keeps. Below: the share of ' +
        'the leading left singular vectors inside the row space of the classifier’s weights, with a band of one standard ' +
        `deviation over samples. Look for a rise to 1.${partly}`,
    },
    [shown.map(cosines), shown.map(classifier)],
    [
      {
        label: 'cosine uₖ·vₖ',
        from: '−1',
        to: '1',
        steps: opacities.map((opacity, i) => ({ colour: i < 5 ? contrast : accent, opacity })),
      },
    ],
  );
}

function cosines({ title, measures: { samples, summary }, network: { depth } }: Moment): Panel {
  const size = { width: panelSize.width, height: 240 };
  const triples = Math.min(maxTriples, Math.max(1, ...samples.map((s) => s.leftRight[0]?.length ?? 0)));
  const cells = range(depth).flatMap((i) =>
    range(triples).map((k) => ({
      block: i + 1,
      k: k + 1,
      cosine: spread(samples.map((s) => s.leftRight[i]?.[k])).mean,
    })),
  );
  const fill = ({ cosine }: (typeof cells)[number]) => ((cosine ?? 0) < 0 ? contrast : accent);
  const position = { x1: 'left', x2: 'right', y1: 'top', y2: 'bottom' };
  const boxes = cells.map((c) => ({
    ...c,
    left: c.block - 0.5,
    right: c.block + 0.5,
    top: c.k - 0.5,
    bottom: c.k + 0.5,
  }));
  return {
    title,
    note: `mean of the top three, all blocks ${format(spread(summary.leftRight.map((s) => s.mean)).mean)}`,
    ...size,
    body: plot({
      ...size,
      ...margins,
      x: { ...blockAxis(depth), domain: [0.5, depth + 0.5] },
      y: {
        ...axis('triple k'),
        domain: [triples + 0.5, 0.5],
        ticks: range(triples, 1).filter((k) => triples <= 10 || k % 5 === 0),
        tickFormat: String,
      },
      opacity: { type: 'identity' },
      marks: [
        Plot.rect(boxes, {
          ...position,
          fill,
          // Twenty steps: fewer than the eye can tell apart, and the file stays small.
          fillOpacity: (c: (typeof boxes)[number]) => Math.round(20 * Math.abs(c.cosine ?? 0)) / 20,
          inset: depth * triples > 200 ? 0 : 0.5,
        }),
        Plot.text(
          boxes.filter((c) => c.cosine === null),
          { x: 'block', y: 'k', text: () => '×', fillOpacity: 0.55 },
        ),
        frame(),
      ],
    }),
  };
}

function classifier({ title, measures: { summary }, network: { depth } }: Moment): Panel {
  const size = { width: panelSize.width, height: 190 };
  const rows = summary.classifierShare.flatMap(({ mean, std }, i) =>
    mean === null
      ? []
      : [{ x: i + 1, mean, low: Math.max(0, mean - (std ?? 0)), high: Math.min(1, mean + (std ?? 0)) }],
  );
  return {
    title,
    note: `classifier share, last block ${format(summary.classifierShare.at(-1)?.mean)}`,
    ...size,
    body: plot({
      ...size,
      ...margins,
      x: { ...blockAxis(depth), domain: [0.5, depth + 0.5] },
      y: {
        ...axis('share of U in rows of W'),
        domain: [0, 1.02],
        ticks: [0, 0.2, 0.4, 0.6, 0.8, 1],
        grid: true,
      },
      marks: [frame(), ...meanWithBand(rows, accent)],
    }),
  };
}
