import * as Plot from '@observablehq/plot';
import { blockColour, neutral } from '../colours.ts';
import { type Figure, moments, type ReportData, rowsInWords, type StageMoment, stageRows } from '../data.ts';
import { format, logDomain, percent, range, spread } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, chart, logAxis } from './chart.ts';

/** RA3: how many singular values matter. */
export function spectra(data: ReportData): Figure {
  const shown = moments(data);
  const rows = stageRows(shown).map((row) => row.map((moment) => ({ ...moment, points: points(moment) })));
  const domain = logDomain(rows.flat().flatMap((m) => m.points.map((p) => p.sigma)));
  const { network } = data.run.analysis;
  const { depth, classes } = network;
  const deadNote = shown.some((m) => m.measures.deadBlocks.length > 0)
    ? ' A dead block (J = 0) has no curve where it is dead in every sample.'
    : '';
  return figure(
    {
      file: 'ra3-spectra.svg',
      data: ['spectra', 'measures'],
      title: 'RA3: singular values of the Residual Jacobians',
      caption:
        'Singular values of each block’s Jacobian relative to its largest, mean over samples, on a logarithmic scale that all ' +
        `panels share. Look for a cliff after k = C = ${classes}, the number of classes (broken line): the Jacobians have ` +
        `rank C at most. “Top-C energy” is Σσₖ² over k ≤ C, divided by the sum over all k${estimated(data)}.${deadNote}${rowsInWords(network)}`,
    },
    rows.map((row) => row.map((m) => panel(m, domain))),
    {
      label: 'block',
      from: '1',
      to: String(depth),
      steps: range(depth, 1).map((i) => ({ colour: blockColour(i, depth) })),
    },
  );
}

/** How the sum over all k was had where it is not exact. */
function estimated(data: ReportData): string {
  const errors = moments(data).flatMap(({ measures }) =>
    measures.frobenius.flatMap(({ method, relativeError }) =>
      method === 'estimated' ? [relativeError] : [],
    ),
  );
  return errors.length
    ? `, which is an estimate where Jacobians are large, with standard errors up to ${percent(Math.max(...errors))}`
    : '';
}

/** Singular values over their block's first, mean over the samples where it is not dead. */
export const points = ({
  measures: { samples },
  start,
  end,
}: Pick<StageMoment, 'measures' | 'start' | 'end'>) =>
  range(end - start, start).flatMap((i) => {
    const alive = samples.map((s) => s.sigma[i] ?? []).filter((sigma) => (sigma[0] ?? 0) > 0);
    return range(Math.max(0, ...alive.map((s) => s.length))).flatMap((k) => {
      const { mean } = spread(alive.map((s) => (s[k] ?? 0) / s[0]!));
      return mean !== null && mean > 0 ? [{ block: i + 1, k: k + 1, sigma: mean }] : [];
    });
  });

function panel(moment: StageMoment & { points: ReturnType<typeof points> }, domain: [number, number]): Panel {
  const { measures, network, start, end } = moment;
  const least = spread(measures.summary.topEnergy.slice(start, end).map((s) => s.mean)).min;
  const last = Math.max(network.classes + 1, ...moment.points.map((p) => p.k));
  const visible = moment.points.filter((p) => p.sigma >= domain[0]);
  const colour = (p: { block: number }) => blockColour(p.block, network.depth);
  const late = network.classes > 0.7 * last;
  return chart({
    title: moment.title,
    note: `top-C energy, least over blocks ${format(least)}${dead(measures.deadBlocks.filter((b) => b > start && b <= end))}`,
    x: {
      ...axis('index k'),
      domain: [0.5, last + 0.5],
      ticks: last < 10 ? range(last, 1) : 7,
      tickFormat: String,
    },
    y: { ...logAxis('σₖ / σ₁', domain), grid: true },
    marks: [
      Plot.ruleX([network.classes], { stroke: neutral, strokeDasharray: '4 3' }),
      Plot.text([`C = ${network.classes}`], {
        x: () => network.classes,
        frameAnchor: 'bottom',
        textAnchor: late ? 'end' : 'start',
        dx: late ? -5 : 5,
        dy: -6,
      }),
      Plot.line(visible, { x: 'k', y: 'sigma', z: 'block', stroke: colour, strokeWidth: 1.4 }),
      Plot.dot(visible, { x: 'k', y: 'sigma', fill: colour, r: network.depth > 16 ? 1 : 1.6 }),
    ],
  });
}

/** Named in the panel's note, since a zero has no place on a logarithmic scale. */
export const dead = (blocks: number[]): string =>
  blocks.length === 0
    ? ''
    : `; dead: ${blocks.length > 6 ? `${blocks.length} blocks` : `block ${blocks.join(', ')}`}`;
