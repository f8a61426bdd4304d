import * as Plot from '@observablehq/plot';
import { FIT_FROM, type InverseDepthFit } from '../../analysis/measures/scale.ts';
import { accent, contrast } from '../colours.ts';
import { type Figure, moments, type ReportData, rowsInWords, type StageMoment, stageRows } from '../data.ts';
import { blockTicks, format, logDomain, range } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { chart, logAxis } from './chart.ts';
import { dead } from './spectra.ts';

/** RA4: the largest singular value falls as one over depth. Before the blocks that were fitted the curve is broken. */
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
      data: ['blocks', 'stages'],
      title: 'RA4: largest singular value against depth',
      caption:
        'Largest singular value of each block’s Jacobian, mean over samples with a bar from the least to the greatest, both ' +
        'axes logarithmic. Look for a steady fall along the curve a/(i + b), fitted from block ' +
        `${FIT_FROM} on: the singular values scale inversely with depth. All panels share the vertical scale.${rowsInWords(data.run.analysis.network)}`,
    },
    stageRows(shown).map((row) => row.map((m) => panel(m, domain))),
    {
      items: [
        ['mean over samples', accent, 'dot'],
        ['least to greatest', accent, 'line'],
        ['fit a/(i + b)', contrast, 'line'],
        [`extended before block ${FIT_FROM}`, contrast, 'dashed'],
      ],
    },
  );
}

const alive = (sigma: number | null): sigma is number => sigma !== null && sigma > 0;

function panel({ title, measures, stage, start, end }: StageMoment, [low, high]: [number, number]): Panel {
  const depth = end - start;
  const sigma1 = measures.summary.sigma1.slice(start, end);
  const fit = measures.summary.perStage[stage]!.inverseDepthFit;
  const deadBlocks = measures.deadBlocks.filter((b) => b > start && b <= end);
  const clamp = (y: number) => Math.min(high, Math.max(low, y));
  const rows = sigma1.flatMap(({ mean, min, max }, i) =>
    alive(mean) && mean >= low
      ? [{ block: i + 1, mean, least: clamp(min ?? mean), greatest: clamp(max ?? mean) }]
      : [],
  );
  const curve = (from: number, to: number, options: Plot.LineOptions): Plot.Markish => {
    if (!fit || from >= to) return null;
    const line = range(41)
      .map((t) => from * (to / from) ** (t / 40))
      .map((block) => ({ block, sigma: block + fit.b > 0 ? fit.a / (block + fit.b) : 0 }))
      .filter(({ sigma }) => sigma >= low && sigma <= high);
    return Plot.line(line, { x: 'block', y: 'sigma', stroke: contrast, ...options });
  };
  const ticks = depth <= 10 ? blockTicks(depth) : range(Math.floor(Math.log2(depth)) + 1).map((e) => 2 ** e);
  return chart({
    title,
    note: fitted(fit) + dead(deadBlocks),
    x: logAxis('block i', [0.87, Math.max(depth, 2) * 1.15], ticks),
    y: { ...logAxis('σ₁(Jᵢ)', [low, high]), grid: true },
    marks: [
      curve(FIT_FROM, depth, { strokeWidth: 1.75 }),
      curve(1, Math.min(FIT_FROM, depth), { strokeWidth: 1.25, strokeDasharray: '4 3' }),
      Plot.ruleX(rows, {
        x: 'block',
        y1: 'least',
        y2: 'greatest',
        stroke: accent,
        strokeOpacity: 0.6,
        strokeWidth: 1.75,
      }),
      Plot.dot(rows, { x: 'block', y: 'mean', fill: accent, r: depth > 40 ? 2 : 3.2 }),
    ],
  });
}

const fitted = (fit: InverseDepthFit | null): string => {
  if (!fit) return 'too few blocks for a fit';
  const sign = fit.b < 0 ? '−' : '+';
  return `${format(fit.a, 2)}/(i ${sign} ${format(Math.abs(fit.b), 2)}), R² ${format(fit.r2)}`;
};
