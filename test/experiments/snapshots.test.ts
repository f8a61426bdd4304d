import { expect, test } from 'vitest';
import { snapshotEpochs, snapshotFile } from '../../src/experiments/snapshots.ts';

test('snapshots are taken evenly over the logarithm of the epoch, from the first to the last', () => {
  expect(snapshotEpochs(500, 0)).toEqual([]);
  expect(snapshotEpochs(500, 1)).toEqual([500]);
  expect(snapshotEpochs(64, 7)).toEqual([1, 2, 4, 8, 16, 32, 64]);
  expect(snapshotEpochs(500, 12)).toEqual([1, 2, 3, 5, 10, 17, 30, 52, 92, 162, 284, 500]);
});

test('there are as many as asked, of different epochs, or all', () => {
  for (let epochs = 1; epochs < 60; epochs++) {
    for (let count = 2; count < 30; count++) {
      const chosen = snapshotEpochs(epochs, count);
      expect(new Set(chosen).size).toBe(Math.min(epochs, count));
      expect([chosen[0], chosen.at(-1)]).toEqual([1, epochs]);
      expect(chosen.toSorted((a, b) => a - b)).toEqual(chosen);
    }
  }
});

test('their files are in the order of their epochs', () => {
  expect(snapshotFile(3)).toBe('snapshots/epoch-0003.safetensors');
  expect(snapshotFile(12_345)).toBe('snapshots/epoch-12345.safetensors');
});
