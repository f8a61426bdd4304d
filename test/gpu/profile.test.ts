import { expect, it } from 'vitest';
import { profile } from '../../src/gpu/profile.ts';
import { withGpu } from './harness.ts';
import { slowKernel } from './slow.ts';

it('times each pass by the GPU, in order', () =>
  withGpu(async (gpu) => {
    if (!gpu.device.features.has('timestamp-query')) return;
    const pipeline = await gpu.pipeline(slowKernel);
    const buffer = gpu.createBuffer(4096);
    const group = gpu.bindGroup(pipeline, [buffer]);
    const timings = await profile(gpu, (timed) => {
      for (const groups of [1, 16]) {
        timed(`${groups} groups`, ({ pass }) => {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, group);
          pass.dispatchWorkgroups(groups);
        });
      }
    });
    gpu.destroyBuffer(buffer);
    expect(timings.map((t) => t.label)).toEqual(['1 groups', '16 groups']);
    for (const { nanoseconds } of timings) expect(nanoseconds).toBeGreaterThan(1000);
  }));

it('returns nothing for nothing', () =>
  withGpu(async (gpu) => {
    if (gpu.device.features.has('timestamp-query')) expect(await profile(gpu, () => {})).toEqual([]);
  }));
