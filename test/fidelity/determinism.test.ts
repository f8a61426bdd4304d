import { expect, test } from 'vitest';
import type { Gpu } from '../../src/gpu/device.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { type HostState, initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { withGpu } from '../gpu/harness.ts';
import { syntheticExamples, upload } from './support.ts';

const SHAPE = { inputs: 30, depth: 3, width: 20, classes: 4, activation: 'relu', skip: true } as const;
const PLAIN = new FcResNet(SHAPE);
const NOISY = new FcResNet({ ...SHAPE, survival: 0.6, dropout: 0.3, branchScale: 'learned' });
const EXAMPLES = syntheticExamples(170, 30, 4);
const STEPS = 60;
/** Midway through an epoch of ten steps. */
const MIDWAY = 25;

/** Trains in chunks, each from a state to the step where it ends. */
async function train(gpu: Gpu, network: FcResNet, start: HostState, ends: readonly number[], seed: number) {
  using device = upload(gpu, EXAMPLES);
  const options = { batch: 16, seed, lr: 0.1, momentum: 0.9, weightDecay: 1e-2, steps: STEPS };
  using trainer = await Trainer.create(gpu, network, device, options);
  trainer.load(start);
  for (const end of ends) trainer.queue(end - trainer.step);
  return { state: await trainer.state.save(), losses: await trainer.records(STEPS - MIDWAY) };
}

test.each([
  ['seed 1', PLAIN, 1],
  ['seed 2⁴⁰ + 7', PLAIN, 2 ** 40 + 7],
  ['stochastic depth and dropout', NOISY, 1],
])('%s gives the same bits, queued at once, in chunks, or resumed', async (_, network, seed) => {
  await withGpu(async (gpu) => {
    const start = initialState(network, seed);
    const run = (from: HostState, ends: readonly number[], own = seed) =>
      train(gpu, network, from, ends, own);
    const whole = await run(start, [STEPS]);
    expect(await run(start, [1, 7, MIDWAY, STEPS])).toEqual(whole);
    const half = await run(start, [MIDWAY]);
    expect(half.state).not.toEqual(whole.state);
    expect(await run(half.state, [STEPS])).toEqual(whole);
    expect((await run(start, [STEPS], seed + 1)).state).not.toEqual(whole.state);
  });
});
