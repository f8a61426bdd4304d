import type { Claim } from '../../analysis/claim.ts';
import { ALIGNMENT } from '../../analysis/measures/alignment.ts';
import type { Place, Quantity } from '../../analysis/quantity.ts';
import { type ScalarName, scalar } from '../../analysis/scalars.ts';
import { type DatasetName, datasets } from '../../data/datasets.ts';
import type { Settings } from '../../settings/table.ts';
import type { Level } from '../experiment.ts';
import { type AxisValues, axis, type Base } from '../sweep.ts';
import type { Axis } from '../sweep-file.ts';

export { ALIGNMENT };

/** Training images held back from all networks, to choose settings by. */
const VALIDATION = 5_000;

/**
 * 780 steps with some momentum and high decay: enough for alignment, and for Jacobians to lose their excess
 * rank. Most sweeps repeat it often at `quick`. Without momentum it takes twice the decay, with 0.9 a fifth.
 */
const BRIEF: Partial<Settings> = {
  images: 10_000,
  validation: VALIDATION,
  epochs: 10,
  testEvery: 5,
  momentum: 0.5,
  weightDecay: 1e-1,
  controlWeightDecay: null,
  samples: 8,
};

/** Too short to learn the task; everything runs. */
const TINY: Partial<Settings> = { ...BRIEF, images: 1_280, validation: 256, epochs: 2, samples: 2 };

/** An experiment's preset, with changes and a name for its runs. */
export const baseOf = (
  experiment: string,
  preset: Level,
  called: string,
  changes: Partial<Settings> = {},
): Base => ({ name: `${experiment}.${called}`, experiment, preset, changes });

/** The fully connected networks of sweeps, without controls of their own. */
export function fcBase(level: Level, dataset: Exclude<DatasetName, 'synthetic-images'> = 'mnist'): Base {
  const experiment = `${dataset}-fc`;
  if (level === 'smoke') return baseOf(experiment, 'smoke', 'tiny', TINY);
  if (level === 'quick') return baseOf(experiment, 'quick', 'brief', BRIEF);
  const images = datasets[dataset].images - VALIDATION;
  const changes = { images, validation: VALIDATION, controlWeightDecay: null };
  return baseOf(experiment, 'paper', 'paper-sweep', changes);
}

/**
 * With skip connections, and without at the largest weight decay at which 8 plain blocks generalize best
 * (within 0.001 of validation accuracy) at the brief base's momentum: see the sweep `no-skip`.
 */
export const SKIP = axis('skip', ['with'], ['without', { skip: false, weightDecay: 1e-2 }]);

export const SKIP_AXIS: Axis = { name: 'skip', label: 'skip connections' };

/** A place on that axis, and what its claims are compared with. */
export const WITH = { skip: 'with' };
export const PLAIN = { label: 'the same without skip connections', at: { skip: 'without' } };

/** A place on the axis of datasets; what it changes lies in the base. */
export const on = (dataset: string): AxisValues => axis('dataset', [dataset]);

/** Measures shown for every cell of a sweep, to compare cells. */
export const MAIN = ['line', 'stepCosine', ALIGNMENT, 'leftRight', 'topEnergy'] as const;

/** What some measures show of a network, and from which value on. */
const SHOWN = {
  line: ['representations lie on a line', 0.98],
  [ALIGNMENT]: ['singular vectors align', 0.6],
  topEnergy: ['Residual Jacobians have rank at most C', 0.99],
  inverseDepthR2: ['σ₁ falls as a/(i + b)', 0.95],
} as const;

type SweepClaim = Claim<ScalarName>;
interface Part
  extends Pick<SweepClaim, 'id' | 'control'>,
    Partial<Pick<SweepClaim, 'property' | 'threshold' | 'presupposes'>> {
  /** Completes the title. */
  readonly where: string;
  /** Completes what is measured. */
  readonly measured?: string;
  readonly of: Omit<Quantity<ScalarName>, 'scalar'>;
}

/** The claim that networks in a part of a sweep show what a measure stands for. */
export function shows(name: keyof typeof SHOWN, { where, measured, of, ...rest }: Part): SweepClaim {
  const [title, atLeast] = SHOWN[name];
  return {
    property: 'scope',
    title: `${title} ${where}`,
    measure: [scalar(name).what, measured].filter(Boolean).join(', '),
    of: { scalar: name, ...of },
    threshold: { atLeast },
    ...rest,
  };
}

/** The claim that singular vectors align there. */
export const aligned = (part: Part): SweepClaim => shows(ALIGNMENT, part);

/** The claim that the last block's σ₁ falls inversely with depth; accepts slopes around the paper's −1. */
export const inverse = ({ at, ...words }: Words & { readonly at: Place }): SweepClaim => ({
  threshold: { atLeast: -1.5, atMost: -0.8 },
  of: { scalar: 'sigma1Last', at, over: 'depth', take: 'slope' },
  ...words,
});
type Words = Pick<SweepClaim, 'property' | 'id' | 'title' | 'measure' | 'control'>;
