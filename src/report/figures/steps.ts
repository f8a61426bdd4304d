import { accent } from '../colours.ts';
import { type Figure, type Moment, moments, type ReportData } from '../data.ts';
import { format, range, spread } from '../numbers.ts';
import { figure, type Panel, panelSize, plot } from '../svg.ts';
import { axis, blockAxis, frame, margins, meanWithBand } from './axes.ts';

/** RA1: are the points on the line equally far from each other? */
export function steps(data: ReportData): Figure {
  return figure(
    {
      file: 'ra1-steps.svg',
      title: 'RA1: step from block to block',
      caption:
        'Length of the step that a representation makes in each block: mean over samples, and a band of one standard ' +
        'deviation. Look for a level line: equal steps. CV is the coefficient of variation of the steps of one sample; the ' +
        'cosine between successive steps is 1 where they all point the same way. Each panel has its own scale, from zero.',
    },
    [moments(data).map(panel)],
    [
      {
        items: [
          { label: 'mean over samples', colour: accent, shape: 'line' },
          { label: '± one standard deviation', colour: accent, shape: 'band' },
        ],
      },
    ],
  );
}

function panel({ title, measures: { samples, summary }, network: { depth } }: Moment): Panel {
  const rows = range(depth).flatMap((i) => {
    const { mean, std } = spread(samples.map((s) => s.stepNorms[i]));
    return mean === null ? [] : [{ x: i + 1, mean, low: Math.max(0, mean - std!), high: mean + std! }];
  });
  return {
    title,
    note: `CV ${format(summary.stepCv.mean)}, cosine ${format(summary.stepCosine.mean)}`,
    ...panelSize,
    body: plot({
      ...panelSize,
      ...margins,
      x: blockAxis(depth),
      y: {
        ...axis('step ‖hᵢ₊₁ − hᵢ‖ (units of h)'),
        domain: [0, 1.1 * Math.max(...rows.map((r) => r.high), 1e-9)],
        ticks: 5,
        grid: true,
      },
      marks: [frame(), ...meanWithBand(rows, accent)],
    }),
  };
}
