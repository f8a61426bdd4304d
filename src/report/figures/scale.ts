import * as Plot from '@observablehq/plot';
import { accent, contrast } from '../colours.ts';
import { type Figure, type Moment, moments, type ReportData } from '../data.ts';
import { blockTicks, format, logDomain, range } from '../numbers.ts';
import { figure, type Panel, panelSize, plot } from '../svg.ts';
import { frame, logAxis, margins } from './axes.ts';
import { dead } from './spectra.ts';

/** Blocks from which the fit is made (`inverseDepthFit`); before them the curve is extended, broken. */
const firstFitted = 3;

/** RA4: the largest singular value falls as one over depth. */
export function scale(data: ReportData): Figure {
  const shown = moments(data);
  const domain = logDomain(
    shown.flatMap((m) =>
      m.measures.summary.sigma1.flatMap((s) => (alive(s.mean) ? [s.mean, s.min, s.max] : [])),
    ),
    1e-5,
  );
  return figure(
    {
      file: 'ra4-scale.svg',
      title: 'RA4: largest singular value against depth',
      caption:
        'Largest singular value of each block’s Jacobian, mean over samples with a bar from the least to the greatest, both ' +
        'axes logarithmic. Look for a steady fall along the curve a/(i + b), fitted from block ' +
        `${firstFitted} on: the singular values scale inversely with depth. All panels share the vertical scale.`,
    },
    [shown.map((m) => panel(m, domain))],
    [
      {
        items: [
          { label: 'mean over samples', colour: accent, shape: 'dot' },
          { label: 'least to greatest', colour: accent, shape: 'line' },
          { label: 'fit a/(i + b)', colour: contrast, shape: 'line' },
          { label: `extended before block ${firstFitted}`, colour: contrast, shape: 'dashed' },
        ],
      },
    ],
  );
}

const alive = (sigma: number | null): sigma is number => sigma !== null && sigma > 0;

function panel({ title, measures, network: { depth } }: Moment, domain: [number, number]): Panel {
  const { sigma1, inverseDepthFit: fit } = measures.summary;
  const inside = (y: number) => Math.min(domain[1], Math.max(domain[0], y));
  const rows = sigma1.flatMap(({ mean, min, max }, i) =>
    alive(mean) && mean >= domain[0]
      ? [{ block: i + 1, mean, low: inside(min ?? mean), high: inside(max ?? mean) }]
      : [],
  );
  // Forty points to an octave would be too many; the curve is smooth.
  const curve = (from: number, to: number) =>
    range(41)
      .map((t) => from * (to / from) ** (t / 40))
      .map((i) => ({ i, sigma: fit && i + fit.b > 0 ? fit.a / (i + fit.b) : 0 }))
      .filter(({ sigma }) => sigma >= domain[0] && sigma <= domain[1]);
  const ticks = depth <= 10 ? blockTicks(depth) : range(Math.floor(Math.log2(depth)) + 1).map((e) => 2 ** e);
  const line = { x: 'i', y: 'sigma', stroke: contrast } as const;
  return {
    title,
    note: fitted(fit) + dead(measures.deadBlocks),
    ...panelSize,
    body: plot({
      ...panelSize,
      ...margins,
      x: logAxis('block i', [0.87, Math.max(depth, 2) * 1.15], ticks),
      y: { ...logAxis('σ₁(Jᵢ)', domain), grid: true },
      marks: [
        frame(),
        fit && depth > firstFitted
          ? Plot.line(curve(firstFitted, depth), { ...line, strokeWidth: 1.75 })
          : null,
        fit
          ? Plot.line(curve(1, Math.min(firstFitted, depth)), {
              ...line,
              strokeWidth: 1.25,
              strokeDasharray: '4 3',
            })
          : null,
        Plot.ruleX(rows, {
          x: 'block',
          y1: 'low',
          y2: 'high',
          stroke: accent,
          strokeWidth: 1.75,
          strokeOpacity: 0.6,
        }),
        Plot.dot(rows, { x: 'block', y: 'mean', fill: accent, r: depth > 40 ? 2 : 3.2 }),
      ],
    }),
  };
}

const fitted = (fit: { a: number; b: number; r2: number } | null): string => {
  if (!fit) return 'too few blocks for a fit';
  const sign = fit.b < 0 ? '−' : '+';
  return `${format(fit.a, 2)}/(i ${sign} ${format(Math.abs(fit.b), 2)}), R² ${format(fit.r2)}`;
};
