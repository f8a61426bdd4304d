import { expect, test } from 'vitest';
import type { Drawing } from '../../src/analysis/measures/figure.ts';
import { atSamples, panels, pathSamples } from '../../src/analysis/measures/paths.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { initialState, TrainingState } from '../../src/train/state.ts';
import { numbers, poisoned } from '../autograd/support.ts';
import { withGpu } from '../gpu/harness.ts';

test('shares of path lengths are the same where memory holds two samples at a time', async () => {
  const [count, width] = [5, 8];
  const network = new FcResNet({ inputs: 6, depth: 3, width, classes: 4, activation: 'relu', skip: true });
  const path = Array.from({ length: network.blocks.length + 1 }, (_, i) =>
    Float32Array.from(numbers(count * width, i)),
  );
  await withGpu(async (gpu) => {
    using state = new TrainingState(gpu, network);
    state.load(initialState(network, 2));
    const given = { network, weights: state.weights, points: [path], count };
    const room = { maxBindingBytes: 2 * 4 * width * path.length };
    expect(pathSamples(network, { ...gpu.traits, ...room })).toBe(2);
    const together = await atSamples({ gpu, ...given });
    const apart = await atSamples({ gpu: poisoned(gpu, room), ...given });
    expect(together).toHaveLength(count);
    const shares = together.map(({ pathShares }) => pathShares!);
    shares.forEach((own, n) => {
      expect(own.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      own.forEach((share, l) => {
        expect(apart[n]!.pathShares![l]).toBeCloseTo(share, 6);
      });
    });
    // Each sample has its own.
    expect(new Set(shares.map((own) => own[1])).size).toBe(count);
  });
});

test('a length of path is drawn at its mean, a standard deviation to each side but not below 0, and not where it has none', () => {
  const pathShares = [
    { mean: 0.5, std: 0.125 },
    { mean: 0.25, std: 0.5 },
    { mean: null, std: null },
    { mean: 1 },
  ];
  const shown = { measures: { summary: { pathShares } }, network: { depth: 3 } };
  const { marks } = panels.draw(shown as unknown as Parameters<typeof panels.draw>[0]) as Drawing;
  for (const { rows } of marks)
    expect(rows).toEqual([
      { length: 0, mean: 0.5, low: 0.375, high: 0.625 },
      { length: 1, mean: 0.25, low: 0, high: 0.75 },
      { length: 3, mean: 1, low: 1, high: 1 },
    ]);
});
