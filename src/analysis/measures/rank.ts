import * as v from 'valibot';
import { sizeOf } from '../../autograd/shape.ts';
import { format, percent } from '../../number-format.ts';
import { measured } from '../../schema.ts';
import { spreadOf } from '../statistics.ts';
import { type None, type Own, ofBlock, perBlock, perStage, type Sampled } from './field.ts';
import { deadIn, type FigureSpec, type Shown } from './figure.ts';
import { extreme, type Gatherer, over, type RunClaim, type Scalar, SHARE, type StageAt } from './measure.ts';
import { type Certified, sigmaError, spectra, type sample as spectrum } from './spectrum.ts';

export const title = 'Rank';
export const property = 'RA3';
export const about = `\`topEnergy\` may be off by 2√2 ρ (see [Certificates](results.md#certificates)) and the standard error of an estimated
‖J‖_F² (see [Frobenius norms](results.md#frobenius-norms)).`;

export const sample = {
  frobenius2: perBlock('‖J_i‖_F², exact or estimated: see [Frobenius norms](results.md#frobenius-norms)'),
  topEnergy: ofBlock(
    'Σ_{k≤C} σ_{i,k}² / ‖J_i‖_F²; `null` where C is d or more, or more than `sketchColumns`',
    { label: 'energy in top C', short: 'in top C' },
  ),
  numericalRank: ofBlock('number of σ_{i,k} ≥ 1e-2·σ_{i,1} within the spectrum', {
    label: 'numerical rank',
    short: 'rank',
  }),
  stableRank: ofBlock('‖J_i‖_F² / σ_{i,1}²', { label: 'stable rank', short: 'stable rank' }),
};
export const gathered = {
  frobenius: perStage(
    'how each stage’s ‖J‖_F² was taken, and the largest relative standard error over blocks and samples: 0 where it is exact',
    v.object({ method: v.picklist(['exact', 'estimated']), relativeError: measured }),
  ),
};
type Measures = Own<typeof sample, None, typeof gathered> & Certified;
type Drawn = Measures & Sampled<typeof spectrum> & { readonly deadBlocks: readonly number[] };

export const at = ({ blocks, classes, shape }: StageAt) => ({
  frobenius2: blocks.map((b) => b.frobenius2),
  topEnergy: blocks.map(({ dead, found, frobenius2 }) => {
    if (classes >= sizeOf(shape) || classes > found.length) return null;
    const top = found.slice(0, classes).reduce((s, x) => s + x * x, 0);
    // Rounding may lift the sum a hair above the whole.
    return dead || !(frobenius2 > 0) ? null : Math.min(top / frobenius2, 1);
  }),
  numericalRank: blocks.map(({ rank }) => rank),
  stableRank: blocks.map(({ dead, found, frobenius2 }) => (dead ? null : frobenius2 / found[0]! ** 2)),
});

export function gather(): Gatherer {
  let [exact, relativeError] = [true, 0];
  return {
    add({ blocks }) {
      exact = blocks.every((b) => b.frobeniusExact);
      relativeError = Math.max(relativeError, ...blocks.map((b) => b.frobeniusError));
    },
    result: () => ({ frobenius: { method: exact ? 'exact' : 'estimated', relativeError } }),
  };
}

const mean = over<Measures>;
export const scalars = {
  topEnergy: {
    label: 'energy in top C',
    what: 'share of ‖J‖² in the top C singular values, minimum over blocks',
    domain: SHARE,
    ...{ glance: true, followed: true },
    ...mean((m) => extreme(m.summary.topEnergy, 'minimum')),
    uncertainty: (m) =>
      2 * sigmaError(m) + Math.max(...m.frobenius.map(({ relativeError }) => relativeError)),
  },
  numericalRank: {
    label: 'numerical rank',
    what: 'number of singular values above a hundredth of the first, of those in the spectrum, maximum over blocks',
    ...mean((m) => extreme(m.summary.numericalRank, 'maximum')),
  },
  stableRank: {
    label: 'stable rank',
    what: 'stable rank ‖J‖² / σ₁², maximum over blocks',
    ...mean((m) => extreme(m.summary.stableRank, 'maximum')),
  },
} satisfies Record<string, Scalar<Measures>>;

export const claims: RunClaim<keyof typeof scalars>[] = [
  {
    ...{ id: 'top-energy', title: 'Residual Jacobians have rank at most C' },
    ...{ of: { scalar: 'topEnergy' }, threshold: { atLeast: 0.99 } },
  },
];

const errorsOf = (all: readonly Pick<Measures, 'frobenius'>[]) =>
  all.flatMap(({ frobenius }) =>
    frobenius.flatMap(({ method, relativeError }) => (method === 'estimated' ? [relativeError] : [])),
  );

/** How the Frobenius norms of the Jacobians were computed. */
export const facts = {
  '‖J‖²': (...measured: Measures[]) => {
    const errors = errorsOf(measured);
    if (errors.length === 0) return 'exact';
    const all = errors.length === measured.flatMap((m) => m.frobenius).length;
    return `${all ? 'estimated' : 'exact in some stages, estimated in others'}, with a standard error of at most ${percent(Math.max(...errors))}`;
  },
};

/** Says where the sum over all k is an estimate. */
function estimated(all: readonly Shown<Drawn>[]): string {
  const errors = errorsOf(all.map(({ measures }) => measures));
  return errors.length
    ? `, which is an estimate where Jacobians are large, with standard errors up to ${percent(Math.max(...errors))}`
    : '';
}

export const figures: FigureSpec<Drawn>[] = [
  {
    file: 'ra3-spectra.svg',
    title: 'RA3: singular values of the Residual Jacobians',
    caption: (all) =>
      'Singular values of each block’s Jacobian relative to its largest, mean over samples, on a logarithmic scale that all panels ' +
      `share. Look for a cliff after k = C = ${all[0]!.network.classes}, the number of classes (broken line): the Jacobians have ` +
      `rank C at most. “Top-C energy” is Σσₖ² over k ≤ C, divided by the sum over all k${estimated(all)}.` +
      (all.some((m) => m.measures.deadBlocks.length > 0)
        ? ' A dead block (J = 0) has no curve where it is dead in every sample.'
        : ''),
    data: ['spectra', 'measures'],
    panels: [
      {
        each: 'stage',
        draw: (shown) => {
          const { measures, network, start, end } = shown;
          const energies = measures.summary.topEnergy.slice(start, end).map((s) => s.mean);
          const rows = spectra(shown, shown);
          const last = Math.max(network.classes + 1, ...rows.map(({ k }) => k as number));
          const late = network.classes > 0.7 * last;
          const hue = { scale: 'block', of: network.depth };
          const place = { x: 'k', y: 'relative' };
          const cliff = [{ k: network.classes, text: `C = ${network.classes}` }];
          return {
            note: `top-C energy, minimum over blocks ${format(spreadOf(energies).min)}${deadIn(measures.deadBlocks, shown)}`,
            x: { label: 'index k', counted: [1, last] },
            y: { label: 'σₖ / σ₁', type: 'log', shared: true },
            marks: [
              { mark: 'ruleX', rows: cliff, x: 'k', stroke: 'neutral', strokeDasharray: '4 3' },
              {
                ...{ mark: 'text', rows: cliff, x: 'k', text: 'text', frameAnchor: 'bottom' },
                ...{ textAnchor: late ? 'end' : 'start', dx: late ? -5 : 5, dy: -6 },
              },
              { mark: 'line', rows, ...place, z: 'block', stroke: hue, strokeWidth: 1.4 },
              { mark: 'dot', rows, ...place, fill: hue, r: network.depth > 16 ? 1 : 1.6 },
            ],
          };
        },
      },
    ],
    legend: ([one]) => ({ ramp: 'scale', label: 'block', of: one!.network.depth }),
  },
];
