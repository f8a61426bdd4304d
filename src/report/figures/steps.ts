import { accent } from '../colours.ts';
import { boundariesInWords, type Figure, type Moment, moments, type ReportData } from '../data.ts';
import { format, range, spread } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, blockAxis, chart, meanWithBand } from './chart.ts';

/** RA1: are the points on the line equally far from each other? */
export function steps(data: ReportData): Figure {
  return figure(
    {
      file: 'ra1-steps.svg',
      data: ['blocks', 'measures'],
      title: 'RA1: step from block to block',
      caption:
        'Length of the step that a representation makes in each block: mean over samples, and a band of one standard ' +
        'deviation. Look for a level line: equal steps. CV is the coefficient of variation of the steps of one sample; the ' +
        'cosine between successive steps is 1 where they all point the same way. Each panel has its own scale, from zero.' +
        boundariesInWords(data),
    },
    [moments(data).map(panel)],
    {
      items: [
        ['mean over samples', accent, 'line'],
        ['± one standard deviation', accent, 'band'],
      ],
    },
  );
}

function panel({ title, measures: { samples, summary }, network }: Moment): Panel {
  const norms = range(network.depth).map((i) => spread(samples.map((s) => s.stepNorms[i])));
  const highest = Math.max(...norms.map((n) => (n.mean ?? 0) + (n.std ?? 0)));
  return chart({
    title,
    note: `CV ${format(summary.stepCv.mean)}, cosine ${format(summary.stepCosine.mean)}`,
    x: blockAxis(network.depth),
    y: { ...axis('step ‖hᵢ₊₁ − hᵢ‖ (units of h)'), domain: [0, 1.1 * highest || 1], ticks: 5, grid: true },
    marks: meanWithBand(norms, [0, Infinity], network),
  });
}
