import { type Claim, LEARNED } from '../../analysis/claim.ts';
import type { ScalarName } from '../../analysis/scalars.ts';
import { byName } from '../catalog.ts';
import type { Sweep } from '../sweep.ts';
import { classes } from './classes.ts';
import { compression } from './compression.ts';
import { dataset } from './dataset.ts';
import { emergence } from './emergence.ts';
import { generalization } from './generalization.ts';
import { noSkip } from './no-skip.ts';
import { depth } from './ra4-depth.ts';
import { recurrentDepth } from './recurrent-depth.ts';
import { regression } from './regression.ts';
import { residualScaling } from './residual-scaling.ts';
import { seed } from './seed.ts';
import { skips } from './skips.ts';
import { stochasticDepth } from './stochastic-depth.ts';
import { transformers } from './transformers.ts';
import { weightDecay } from './weight-decay.ts';
import { width } from './width.ts';

const given: readonly Sweep[] = [
  ...[seed, depth, width, dataset, classes],
  ...[
    noSkip,
    stochasticDepth,
    weightDecay,
    emergence,
    generalization,
    residualScaling,
    recurrentDepth,
    compression,
    transformers,
    skips,
    regression,
  ],
];

/** All but claims about training and what precedes it presuppose a network that learned its task. */
const complete = (claim: Claim<ScalarName>): Claim<ScalarName> =>
  claim.property === 'training' || claim.of.network ? claim : { presupposes: [LEARNED], ...claim };

const all = given.map((sweep): Sweep => ({ ...sweep, claims: (level) => sweep.claims(level).map(complete) }));

/** Every sweep by name, in the order of the index. */
export const sweeps = byName(all);

/** Sweeps made together: for `all` claims of the paper, and for questions `beyond` it. */
export const suites = {
  all: all.filter(({ beyond }) => !beyond),
  beyond: all.filter(({ beyond }) => beyond),
};

/** The sweep or the suite's sweeps of that name; none if unknown. */
export const sweepsNamed = (name: string): readonly Sweep[] =>
  name === 'all' || name === 'beyond' ? suites[name] : all.filter((sweep) => sweep.name === name);
