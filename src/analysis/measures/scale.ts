import * as v from 'valibot';
import { range } from '../../lists.ts';
import { format } from '../../number-format.ts';
import { measured } from '../../schema.ts';
import { type NetworkInfo, type StageRange, stagesOf } from '../network-info.ts';
import { meanOf, moments } from '../statistics.ts';
import type { None, Own, Values } from './field.ts';
import { deadIn, type FigureSpec } from './figure.ts';
import { over, type RunClaim, type Scalar, SHARE } from './measure.ts';
import { sigmaError, type sample as spectrum, type summary as spectrumSummary } from './spectrum.ts';

export const title = 'Scale against depth';
export const property = 'RA4';

/** The first block of a stage in the fit; before it, blocks still separate the classes. */
export const FIT_FROM = 3;

export const about = `\`inverseDepthFit\` is the least-squares line through 1/σ_{i,1} (mean over samples) for a stage’s blocks i ≥ ${FIT_FROM},
given as σ ≈ a/(i + b), with its R²; \`null\` where these are fewer than three. The ratio of σ_1 to that of the block before may be off by
2√2 ρ of itself, see [Certificates](results.md#certificates).`;

const fit = v.nullable(v.object({ a: measured, b: measured, r2: measured }));
export type InverseDepthFit = NonNullable<v.InferOutput<typeof fit>>;

export const stageSummary = {
  inverseDepthFit: {
    schema: fit,
    of: (samples: readonly Values<typeof spectrum>[], { start, end }: StageRange) =>
      inverseDepthFit(
        range(end - start, start)
          .slice(FIT_FROM - 1)
          .map((i) => meanOf(samples.map((s) => s.sigma[i]![0]!)) ?? 0),
        FIT_FROM,
      ),
    columns: (found: InverseDepthFit | null) => ({ fitA: found?.a, fitB: found?.b, fitR2: found?.r2 }),
  },
};

/** The curve a/(i + b) through values at i = first, first+1, …, by least squares on 1/value. */
export function inverseDepthFit(values: readonly number[], first: number): InverseDepthFit | null {
  if (values.length < 3 || values.some((x) => !(x > 0))) return null;
  const { cx, cy, sxx, sxy, syy } = moments(values.map((value, i) => [first + i, 1 / value]));
  const slope = sxy / sxx;
  // Equal values leave nothing to explain but rounding.
  if (slope === 0 || !(syy > 1e-20 * values.length * cy ** 2)) return null;
  return { a: 1 / slope, b: cy / slope - cx, r2: (sxy * sxy) / (sxx * syy) };
}

type Measures = Own<None, typeof spectrumSummary> & {
  readonly deadBlocks: readonly number[];
  readonly summary: { readonly perStage: readonly { readonly inverseDepthFit: InverseDepthFit | null }[] };
};

/** At most 1 if σ₁ falls from block to block within stages; null if any block is dead and has no σ. */
function steepestRise({ summary: { sigma1 } }: Measures, { stages }: NetworkInfo): number | null {
  const firsts = new Set(stagesOf(stages).map(({ start }) => start));
  if (!sigma1.every((s) => s.mean! > 0)) return null;
  const ratios = sigma1.flatMap((s, i) => (firsts.has(i) ? [] : [s.mean! / sigma1[i - 1]!.mean!]));
  return ratios.length ? Math.max(...ratios) : null;
}

const mean = over<Measures>;
export const scalars = {
  sigma1First: {
    label: 'σ₁, first block',
    what: 'largest singular value of the first block',
    ...{ log: true, followed: true },
    ...mean((m) => m.summary.sigma1[0]),
  },
  sigma1Last: {
    label: 'σ₁, last block',
    what: 'largest singular value of the last block',
    ...{ log: true, glance: true, followed: true },
    ...mean((m) => m.summary.sigma1.at(-1)),
  },
  sigma1Fall: {
    label: 'largest σ₁ ratio to the block before',
    what: 'largest ratio of σ₁ to that of the block before',
    log: true,
    from: steepestRise,
    uncertainty: (m, network) => 2 * sigmaError(m) * (steepestRise(m, network) ?? 0),
  },
  inverseDepthR2: {
    label: 'R² of a/(i + b)',
    what: 'R² of the fit of 1/σ₁ over blocks from the third on, minimum over stages',
    domain: SHARE,
    from: ({ summary: { perStage } }) => {
      const fits = perStage.flatMap(({ inverseDepthFit }) => inverseDepthFit ?? []);
      return fits.length ? Math.min(...fits.map(({ r2 }) => r2)) : null;
    },
  },
} satisfies Record<string, Scalar<Measures>>;

export const claims: RunClaim<keyof typeof scalars>[] = [
  {
    ...{ id: 'monotone', title: 'σ₁ falls with every block' },
    ...{ of: { scalar: 'sigma1Fall' }, threshold: { atMost: 1 }, blocks: 2 },
  },
  {
    ...{ id: 'inverse-depth', title: 'σ₁ falls as a/(i + b)' },
    ...{ of: { scalar: 'inverseDepthR2' }, threshold: { atLeast: 0.95 }, blocks: FIT_FROM + 2 },
  },
];

const curve = (found: InverseDepthFit | null, from: number, to: number) =>
  found === null || from >= to
    ? []
    : range(41)
        .map((t) => from * (to / from) ** (t / 40))
        .map((block) => ({ block, sigma: block + found.b > 0 ? found.a / (block + found.b) : 0 }));

const inWords = (found: InverseDepthFit | null): string => {
  if (!found) return 'too few blocks for a fit';
  const sign = found.b < 0 ? '−' : '+';
  return `${format(found.a, 2)}/(i ${sign} ${format(Math.abs(found.b), 2)}), R² ${format(found.r2)}`;
};

/** The fitted curve is dashed before the blocks that it was fitted to. */
export const figures: FigureSpec<Measures>[] = [
  {
    file: 'ra4-scale.svg',
    title: 'RA4: largest singular value against depth',
    caption:
      'Largest singular value of each block’s Jacobian, mean over samples with a bar from the minimum to the maximum, both axes ' +
      `logarithmic. Look for a steady fall along the curve a/(i + b), fitted from block ${FIT_FROM} on: the singular values scale ` +
      'inversely with depth. All panels share the vertical scale.',
    data: ['blocks', 'stages'],
    panels: [
      {
        each: 'stage',
        draw: ({ measures: { summary, deadBlocks }, ...shown }) => {
          const depth = shown.end - shown.start;
          const { inverseDepthFit: found } = summary.perStage[shown.stage]!;
          const rows = summary.sigma1
            .slice(shown.start, shown.end)
            .flatMap((s, i) => (s.mean! > 0 ? [{ block: i + 1, ...s }] : []));
          const powers = range(Math.floor(Math.log2(depth)) + 1).map((e) => 2 ** e);
          const ticks = depth <= 10 ? range(depth, 1) : powers;
          const place = { x: 'block', y: 'sigma', stroke: 'contrast' } as const;
          return {
            note: inWords(found) + deadIn(deadBlocks, shown),
            x: { label: 'block i', type: 'log', domain: [0.87, 1.15 * Math.max(depth, 2)], ticks },
            y: { label: 'σ₁(Jᵢ)', type: 'log', floor: 1e-5, shared: true },
            marks: [
              { mark: 'line', rows: curve(found, FIT_FROM, depth), ...place, strokeWidth: 1.75, fit: true },
              {
                ...{ mark: 'line', rows: curve(found, 1, Math.min(FIT_FROM, depth)), ...place, fit: true },
                ...{ strokeWidth: 1.25, strokeDasharray: '4 3' },
              },
              {
                ...{ mark: 'ruleX', rows, x: 'block', y1: 'min', y2: 'max' },
                ...{ stroke: 'accent', strokeOpacity: 0.6, strokeWidth: 1.75 },
              },
              { mark: 'dot', rows, x: 'block', y: 'mean', fill: 'accent', r: depth > 40 ? 2 : 3.2 },
            ],
          };
        },
      },
    ],
    legend: [
      ['mean over samples', 'accent', 'dot'],
      ['range over samples', 'accent', 'line'],
      ['fit a/(i + b)', 'contrast', 'line'],
      [`extended before block ${FIT_FROM}`, 'contrast', 'dashed'],
    ],
  },
];
