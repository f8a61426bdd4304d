import type { Sweep } from '../sweep.ts';
import { generalization, noSkip, residualScaling, stochasticDepth, weightDecay } from './counterfactuals.ts';
import { emergence } from './emergence.ts';
import { classes, dataset, depth, seed, width } from './reach.ts';

const all = [
  ...[seed, depth, width, dataset, classes],
  ...[noSkip, stochasticDepth, weightDecay, emergence, generalization, residualScaling],
];

/** Every sweep there is, by name, in the order in which the index tells of them. */
export const sweeps: Readonly<Record<string, Sweep>> = Object.fromEntries(all.map((s) => [s.name, s]));
