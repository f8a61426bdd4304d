import { expect, test } from 'vitest';
import type { Gpu } from '../../src/gpu/device.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { type HostState, initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { withGpu } from '../gpu/harness.ts';
import { syntheticExamples, upload } from './support.ts';

const NETWORK = new FcResNet({
  inputs: 30,
  depth: 3,
  width: 20,
  classes: 4,
  activation: 'relu',
  skip: true,
});
const EXAMPLES = syntheticExamples(170, 30, 4);
const STEPS = 60;
/** Midway through an epoch of ten steps. */
const MIDWAY = 25;

/** Trains in chunks, each from a state to the step where it ends. */
async function train(gpu: Gpu, start: HostState, ends: readonly number[], seed: number) {
  using device = upload(gpu, EXAMPLES);
  const options = { batch: 16, seed, lr: 0.1, momentum: 0.9, weightDecay: 1e-2, steps: STEPS };
  using trainer = await Trainer.create(gpu, NETWORK, device, options);
  trainer.load(start);
  for (const end of ends) trainer.queue(end - trainer.step);
  return { state: await trainer.state.save(), losses: await trainer.records(STEPS - MIDWAY) };
}

test.each([1, 2 ** 40 + 7])(
  'seed %d gives the same bits, queued at once, in chunks, or resumed',
  async (seed) => {
    await withGpu(async (gpu) => {
      const whole = await train(gpu, initialState(NETWORK, seed), [STEPS], seed);
      expect(await train(gpu, initialState(NETWORK, seed), [1, 7, MIDWAY, STEPS], seed)).toEqual(whole);
      const half = await train(gpu, initialState(NETWORK, seed), [MIDWAY], seed);
      expect(half.state).not.toEqual(whole.state);
      expect(await train(gpu, half.state, [STEPS], seed)).toEqual(whole);
      expect((await train(gpu, initialState(NETWORK, seed), [STEPS], seed + 1)).state).not.toEqual(
        whole.state,
      );
    });
  },
);
