import { expect, test } from 'vitest';
import { type Call, Recorder } from '../../src/gpu/runnable.ts';

test('a pass is given only what changes: a pipeline after another, and sides of a grid beyond the first', () => {
  const calls: unknown[][] = [];
  const record =
    (_: unknown, name: string | symbol) =>
    (...args: unknown[]) =>
      void calls.push([name, ...args]);
  const encoder = { beginComputePass: () => new Proxy({}, { get: record }) };
  const recorder = new Recorder(encoder as unknown as GPUCommandEncoder);
  const dispatch = (pipeline: string, grid: Call['grid']) =>
    recorder.dispatch({ pipeline, group: 'g', grid } as unknown as Call);
  dispatch('a', [2, 1, 1]);
  dispatch('a', [2, 3, 1]);
  dispatch('b', [1, 1, 4]);
  recorder.end();
  dispatch('b', [5, 1, 1]); // In a pass of its own.
  const group = ['setBindGroup', 0, 'g'];
  expect(calls).toEqual([
    ...[['setPipeline', 'a'], group, ['dispatchWorkgroups', 2]],
    ...[group, ['dispatchWorkgroups', 2, 3, 1]],
    ...[['setPipeline', 'b'], group, ['dispatchWorkgroups', 1, 1, 4], ['end']],
    ...[['setPipeline', 'b'], group, ['dispatchWorkgroups', 5]],
  ]);
});
