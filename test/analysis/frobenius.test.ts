import { expect, test } from 'vitest';
import { isExact, withRemainder } from '../../src/analysis/frobenius.ts';
import { residualJacobians } from '../../src/analysis/jacobians.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { initialState } from '../../src/train/state.ts';
import { withGpu } from '../gpu/harness.ts';

test('an estimated Frobenius norm is the energy found and the mean of the rest, with its standard error', () => {
  // Estimates of mean 2 and sample variance 2: a standard error of √(2/2) beside 4 + 1 + 2.
  expect(withRemainder(Float32Array.of(2, 1), Float32Array.of(1, 3))).toEqual({
    ...{ value: 7, relativeError: 1 / 7 },
  });
  expect(withRemainder(Float32Array.of(0), Float32Array.of(0, 0))).toEqual({ value: 0, relativeError: 0 });
});

test('the Frobenius norm of a Jacobian held as a matrix is exact, however few products the SVD takes', async () => {
  const network = new FcResNet({
    ...{ inputs: 3, depth: 2, width: 40, classes: 3, activation: 'relu', skip: true },
  });
  const [stage] = network.stages;
  const points = network.blocks.map((_, i) => Float32Array.from({ length: 80 }, (_, d) => Math.cos(d + i)));
  const measured = (powerIterations: number) => {
    const sketch = {
      columns: 12,
      powerIterations,
      filters: 0,
      triples: 4,
      convention: 'branch',
      seed: 1,
    } as const;
    return withGpu(async (gpu) => {
      using jacobians = residualJacobians(gpu, network, stage!, initialState(network, 1), points, sketch);
      return { ...(await jacobians.triples()), probed: isExact(stage!, sketch) };
    });
  };
  const [few, many] = [await measured(0), await measured(1)];
  expect([few.probed, many.probed]).toEqual([false, true]);
  expect([few.exact, many.exact]).toEqual([true, true]);
  expect(few.frobenius2).toEqual(many.frobenius2);
  expect([...few.frobeniusError]).toEqual([0, 0, 0, 0]);
  expect(Math.min(...few.frobenius2)).toBeGreaterThan(0);
});
