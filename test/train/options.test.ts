import { describe, expect, it } from 'vitest';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { DeviceArray } from '../../src/autograd/array.ts';
import { CollimateError } from '../../src/errors.ts';
import { unconstrainedOptimizer } from '../../src/experiments/unconstrained/optimize.ts';
import { ConvResNet } from '../../src/models/conv-resnet.ts';
import { FcResNet, type FcResNetOptions } from '../../src/models/fc-resnet.ts';
import { Evaluator } from '../../src/train/evaluate.ts';
import { initialState } from '../../src/train/state.ts';
import { Trainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { withGpu } from '../gpu/harness.ts';

const fc: FcResNetOptions = { inputs: 4, depth: 2, width: 8, classes: 3, activation: 'relu', skip: true };
const conv = { ...fc, inputs: [8, 8, 1] as const, channels: 4, stem: { size: 3, stride: 1, padding: 1 } };
const options: TrainerOptions = { batch: 2, seed: 1, lr: 0.1, momentum: 0.9, weightDecay: 0, steps: 10 };
const anything = (value: unknown) => value as never;

describe('a network refuses', () => {
  it.each<[string, () => unknown, string]>([
    [
      'no blocks',
      () => new FcResNet({ ...fc, depth: 0 }),
      'depth: expected a whole number from 1 to 10000, got 0',
    ],
    [
      'half a feature',
      () => new FcResNet({ ...fc, width: 1.5 }),
      'width: expected a whole number from 1 to 65536, got 1.5',
    ],
    [
      'no class',
      () => new FcResNet({ ...fc, classes: 0 }),
      'classes: expected a whole number from 1 to 1000000, got 0',
    ],
    [
      'an activation',
      () => new FcResNet({ ...fc, activation: anything('gelu') }),
      'activation: expected "relu" or "identity", got "gelu"',
    ],
    [
      'a rate of dropout',
      () => new FcResNet({ ...fc, dropout: Number.NaN }),
      'dropout: expected a rate from 0 up to, but not, 1, got NaN',
    ],
    [
      'a probability',
      () => new FcResNet({ ...fc, survival: -0.5 }),
      'survival: expected a probability above 0 and at most 1, got -0.5',
    ],
    [
      'a factor',
      () => new FcResNet({ ...fc, branchScale: Number.NaN }),
      'branchScale: expected "learned" or a number above 0, got NaN',
    ],
    [
      'no channels',
      () => new ConvResNet({ ...conv, channels: 0 }),
      'channels: expected a whole number from 1 to 65536, got 0',
    ],
    [
      'a stride',
      () => new ConvResNet({ ...conv, stem: { ...conv.stem, stride: 0 } }),
      'stem.stride: expected a whole number from 1 to 1024, got 0',
    ],
    [
      'a window',
      () => new ConvResNet({ ...conv, stem: { ...conv.stem, size: 99 } }),
      "stem: the window's height is 99",
    ],
    ['a seed', () => initialState(new FcResNet(fc), -1), 'seed is -1'],
    ['a seed that is none', () => initialState(new FcResNet(fc), Number.NaN), 'seed is NaN'],
    ['negative triples', () => analysisSettings(new FcResNet(fc), { seed: 1, triples: -3 }), 'triples is -3'],
    [
      'more triples than features',
      () => analysisSettings(new FcResNet(fc), { seed: 1, triples: 9 }),
      'triples is 9',
    ],
    [
      'no spectrum',
      () => analysisSettings(new FcResNet(fc), { seed: 1, spectrum: Number.NaN }),
      'spectrum is NaN',
    ],
    [
      'fewer columns than values',
      () => analysisSettings(new FcResNet(fc), { seed: 1, spectrum: 6, sketchColumns: 4 }),
      'sketchColumns is 4',
    ],
    [
      'half an iteration',
      () => analysisSettings(new FcResNet(fc), { seed: 1, powerIterations: 0.5 }),
      'powerIterations is 0.5',
    ],
  ])('%s', (_, f, message) => {
    expect(f).toThrow(message);
    expect(f).toThrow(expect.objectContaining({ name: 'CollimateError', remedy: expect.any(String) }));
  });
});

describe('a training loop refuses', () => {
  it.each<[string, Partial<TrainerOptions>, string]>([
    ['a learning rate', { lr: Number.NaN }, 'lr is NaN'],
    ['a negative learning rate', { lr: -0.1 }, 'lr is -0.1'],
    ['an infinite learning rate', { lr: Number.POSITIVE_INFINITY }, 'lr is Infinity'],
    ['negative momentum', { momentum: -0.5 }, 'momentum is -0.5'],
    ['momentum of 1', { momentum: 1 }, 'momentum is 1'],
    ['negative decay', { weightDecay: -1 }, 'weightDecay is -1'],
    ['no steps', { steps: 0 }, 'steps is 0'],
    ['half a step', { steps: 1.5 }, 'steps is 1.5'],
    ['a seed', { seed: 0.5 }, 'seed is 0.5'],
    ['half an image', { batch: 2.5 }, 'batch is 2.5'],
    ['more than there are images', { batch: 9 }, 'batch is 9'],
  ])('%s', (_, changes, message) =>
    withGpu(async (gpu) => {
      using labels = DeviceArray.from(gpu, [0, 1, 2, 0], [4], 'u8');
      const examples = { images: new Uint8Array(16), labels, scale: [1], shift: [0] };
      const made = Trainer.create(gpu, new FcResNet(fc), examples, { ...options, ...changes });
      const error = await made.catch((e: unknown) => e);
      expect(error).toBeInstanceOf(CollimateError);
      expect((error as Error).message).toContain(message);
    }),
  );

  it('examples that do not fit the network, and parts of steps', () =>
    withGpu(async (gpu) => {
      const network = new FcResNet(fc);
      using labels = DeviceArray.from(gpu, [0, 1, 2, 0], [4], 'u8');
      const examples = { images: new Uint8Array(16), labels, scale: [1], shift: [0] };
      for (const changes of [{ images: new Uint8Array(12) }, { scale: [1, 1] }, { shift: [] }]) {
        await expect(Trainer.create(gpu, network, { ...examples, ...changes }, options)).rejects.toThrow(
          'do not fit a network of inputs [4]',
        );
      }
      using trainer = await Trainer.create(gpu, network, examples, options);
      expect(() => trainer.queue(1.5)).toThrow('the number of steps to queue is 1.5');
      trainer.load({ ...initialState(network, 1), step: options.steps - 1 });
      expect(() => trainer.queue(2)).toThrow(
        `cannot queue 2 steps after step ${options.steps - 1}: the trainer has ${options.steps}`,
      );
      trainer.queue(1);
      expect(trainer.step).toBe(options.steps);
      // Steps before the loaded state were another session's, and their losses are not known.
      expect((await trainer.records(3)).map(({ step }) => step)).toEqual([options.steps - 1]);
      await expect(trainer.records(-1)).rejects.toThrow('the number of records is -1');
      const { weights } = trainer.state;
      await expect(Evaluator.create(gpu, network, weights, examples, 5)).rejects.toThrow(
        'the number of examples to classify is 5',
      );
    }));

  it('a label that is none of the classes, with a loss of NaN', () =>
    withGpu(async (gpu) => {
      const network = new FcResNet(fc);
      using labels = DeviceArray.from(gpu, [0, 7, 2, 0], [4], 'u8');
      const examples = {
        images: Uint8Array.from({ length: 16 }, (_, i) => 16 * i),
        labels,
        scale: [1 / 255],
        shift: [0],
      };
      using trainer = await Trainer.create(gpu, network, examples, { ...options, batch: 4 });
      trainer.load(initialState(network, 1));
      trainer.queue(1);
      expect((await trainer.records(1))[0]!.loss).toBeNaN();
    }));

  it('models without constraints that cannot be', () =>
    withGpu(async (gpu) => {
      const model = { classes: 2, depth: 2, width: 8, penalty: 0.1, skip: true };
      const how = { starts: 1, steps: 2, lr: 0.1, momentum: 0, clip: 1, seed: 1 };
      for (const [changes, message] of [
        [{ depth: 0 }, 'depth is 0'],
        [{ classes: 9 }, 'width is 8'],
        [{ penalty: Number.NaN }, 'penalty is NaN'],
      ] as const)
        await expect(unconstrainedOptimizer(gpu, { ...model, ...changes }, how)).rejects.toThrow(message);
      await expect(unconstrainedOptimizer(gpu, model, { ...how, starts: 0 })).rejects.toThrow('starts is 0');
    }));
});
