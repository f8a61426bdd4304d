import { byName } from '../catalog.ts';
import type { Sweep } from '../sweep.ts';
import { classes } from './classes.ts';
import { dataset } from './dataset.ts';
import { emergence } from './emergence.ts';
import { generalization } from './generalization.ts';
import { noSkip } from './no-skip.ts';
import { depth } from './ra4-depth.ts';
import { recurrentDepth } from './recurrent-depth.ts';
import { residualScaling } from './residual-scaling.ts';
import { seed } from './seed.ts';
import { stochasticDepth } from './stochastic-depth.ts';
import { weightDecay } from './weight-decay.ts';
import { width } from './width.ts';

const all: readonly Sweep[] = [
  ...[seed, depth, width, dataset, classes],
  ...[noSkip, stochasticDepth, weightDecay, emergence, generalization, residualScaling, recurrentDepth],
];

/** Every sweep there is, by name, in the order of the index. */
export const sweeps = byName(all);

/** The sweep of that name, `all` of them, or none. */
export const sweepsNamed = (name: string): readonly Sweep[] =>
  all.filter((sweep) => name === 'all' || sweep.name === name);
