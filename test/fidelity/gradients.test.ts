import { describe, expect, test } from 'vitest';
import { philoxUniform } from '../../src/kernels/philox.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { initialState, shuffleSeed } from '../../src/train/state.ts';
import { Trainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { withGpu } from '../gpu/harness.ts';
import { type Shape, trainingStep } from './reference/network.ts';
import {
  batchIndices,
  distance,
  norm,
  referenceState,
  select,
  syntheticExamples,
  upload,
} from './support.ts';

interface Setting extends Omit<TrainerOptions, 'seed' | 'lr' | 'steps'> {
  readonly lr?: number;
  readonly shape: Shape;
  readonly count: number;
  readonly dropout?: number;
}

const SMALL = { inputs: 18, depth: 3, width: 22 };

const SETTINGS: Record<string, Setting> = {
  'relu, momentum': {
    shape: { inputs: 36, depth: 3, width: 32, classes: 10, activation: 'relu', skip: true },
    count: 150,
    batch: 48,
    momentum: 0.9,
    weightDecay: 1e-2,
  },
  'relu, no skip, odd sizes': {
    shape: { inputs: 15, depth: 4, width: 21, classes: 3, activation: 'relu', skip: false },
    count: 100,
    batch: 33,
    momentum: 0,
    weightDecay: 5e-2,
  },
  'identity, two classes, odd sizes': {
    shape: { inputs: 21, depth: 2, width: 30, classes: 2, activation: 'identity', skip: true },
    count: 90,
    batch: 29,
    momentum: 0.9,
    weightDecay: 0,
  },
  'identity, no skip, wide': {
    shape: { inputs: 40, depth: 1, width: 130, classes: 7, activation: 'identity', skip: false },
    count: 200,
    batch: 64,
    momentum: 0.5,
    weightDecay: 5e-2,
  },
  'no BatchNorm, half of each branch': {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: true, norm: 'none', branchScale: 0.5 },
    ...{ count: 100, batch: 32, momentum: 0.9, weightDecay: 1e-2 },
  },
  'learned branch scales, from 0': {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: true, branchScale: 'learned' },
    ...{ count: 100, batch: 32, momentum: 0.9, weightDecay: 1e-2 },
  },
  'BatchNorm in front, dropout': {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: true, branch: 'pre-norm' },
    ...{ count: 100, batch: 32, momentum: 0.9, weightDecay: 1e-2, dropout: 0.3 },
  },
  'scaled skip connections': {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: true, skipScale: 0.5 },
    ...{ count: 100, batch: 32, momentum: 0.9, weightDecay: 1e-2 },
  },
  'skip connections from the stem, tied blocks': {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: true, shortcut: 'input', tied: true },
    ...{ count: 100, batch: 32, momentum: 0.9, weightDecay: 1e-2 },
  },
  'tied blocks': {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: true, tied: true },
    ...{ count: 100, batch: 32, momentum: 0.9, weightDecay: 1e-2 },
  },
  'tied blocks without BatchNorm': {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: true, tied: true, norm: 'none' },
    ...{ count: 100, batch: 32, momentum: 0.5, weightDecay: 1e-2 },
  },
  AdamW: {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: true },
    ...{ count: 100, batch: 32, optimizer: 'adamw', lr: 3e-3, momentum: 0.9, weightDecay: 0.5 },
  },
  'BatchNorm behind, dropout, no skip': {
    shape: { ...SMALL, classes: 5, activation: 'relu', skip: false },
    ...{ count: 100, batch: 32, momentum: 0, weightDecay: 0, dropout: 0.6 },
  },
};
const [SEED, LR, STEPS] = [11, 0.1, 8];

describe('single steps match float64, tensor by tensor', () => {
  test.each(Object.entries(SETTINGS))('%s', async (_, { shape, count, dropout = 0, ...rest }) => {
    await withGpu(async (gpu) => {
      const options = { lr: LR, ...rest, seed: SEED, steps: STEPS };
      const network = new FcResNet({ ...shape, dropout });
      const examples = syntheticExamples(count, shape.inputs, shape.classes);
      using device = upload(gpu, examples);
      using trainer = await Trainer.create(gpu, network, device, options);
      const { state } = trainer;
      trainer.load(initialState(network, SEED));

      // Each step starts from our state of that moment, so that errors do not grow from step to step.
      for (let step = 0; step < STEPS - 1; step++) {
        const before = referenceState(await state.save());
        const after = { ...before, tensors: new Map([...before.tensors].map(([k, v]) => [k, v.slice()])) };
        const { x, labels } = select(examples, batchIndices(count, options.batch, SEED, step));
        const wanted = trainingStep(
          shape,
          after,
          x,
          labels,
          options,
          dropoutFactors(shape, dropout, options.batch, step),
        );

        trainer.queue(1);
        const [record] = await trainer.records(1);
        expect(record!.loss).toBeCloseTo(wanted.loss, 5);
        expect(record!.accuracy).toBeCloseTo(wanted.accuracy, 6);

        const gradients = state.parameterLayout.unpack((await state.gradients.read()) as Float32Array);
        expect([...gradients.keys()].sort()).toEqual([...wanted.gradients.keys()].sort());
        // Where the next BatchNorm removes a shift, a bias's gradient is only rounding.
        const floor = 1e-6 * Math.max(...[...wanted.gradients.values()].map(norm));
        for (const [name, gradient] of wanted.gradients) {
          const error = distance(gradients.get(name)!, gradient);
          expect(error, `gradient of ${name}, step ${step}`).toBeLessThan(1e-4 * norm(gradient) + floor);
        }

        const batch = state.statisticsLayout.unpack((await state.batch.read()) as Float32Array);
        for (const [name, { mean, variance }] of wanted.statistics) {
          expect(distance(batch.get(`${name}.running_mean`)!, mean)).toBeLessThan(1e-5 * norm(mean) + 1e-6);
          expect(distance(batch.get(`${name}.running_var`)!, variance)).toBeLessThan(1e-5 * norm(variance));
        }

        const now = referenceState(await state.save());
        expect(now.step).toBe(after.step);
        for (const [name, value] of after.tensors) {
          const change = distance(value, before.tensors.get(name)!);
          const error = distance(now.tensors.get(name)!, value);
          // Besides the step's error, the rounding of its starting point.
          // AdamW divides by the size of a gradient, small ones with their rounding too.
          const share = options.optimizer === 'adamw' ? 1e-3 : 2e-4;
          const bound = share * change + 2e-7 * norm(value) + options.lr * floor;
          expect(error, `${name} after step ${step}`).toBeLessThan(bound);
        }
        for (const [i, moment] of after.moments.entries())
          for (const [name, value] of moment) {
            const error = distance(now.moments[i]!.get(name)!, value);
            const least = i === 0 ? floor : floor ** 2;
            expect(error, `moment ${i} of ${name} after step ${step}`).toBeLessThan(
              1e-4 * norm(value) + least,
            );
          }
      }
    });
  });
});

/** Dropout's factors, as the documentation says: from generator numbers for each block and place. */
function dropoutFactors({ depth, width }: Shape, rate: number, batch: number, step: number): Float64Array[] {
  return Array.from({ length: depth }, (_, i) =>
    philoxUniform(batch * width, [shuffleSeed(SEED), step], depth + i).map((u) =>
      u < rate ? 0 : 1 / (1 - rate),
    ),
  );
}
