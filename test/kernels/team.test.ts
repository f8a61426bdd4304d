import { expect, it } from 'vitest';
import { team } from '../../src/kernels/team.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';
import { withoutSubgroups } from './linear-algebra.ts';

it.each([4, 16, 128])(
  'reduces over %i lanes, with subgroups, without, and with larger ones than expected',
  async (lanes) => {
    const x = Float32Array.from({ length: 4 * lanes }, (_, i) => ((i * 37) % 101) - 50);
    const column = (i: number) => x.filter((_, at) => at % 4 === i);
    const sums = [0, 1, 2, 3].map((i) => column(i).reduce((a, b) => a + b));
    const maxima = [0, 1, 2, 3].map((i) => Math.max(...column(i)));
    await withGpu(async (gpu) => {
      // Lanes of 128 take long to compile without shuffles.
      const larger = lanes <= 16 ? [{ ...gpu.traits, subgroupSize: 2 }] : [];
      for (const traits of [gpu.traits, withoutSubgroups(gpu.traits), ...larger]) {
        const wgsl = `${team(lanes, traits).wgsl}
@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> R: array<vec4f>;
@compute @workgroup_size(${lanes}) fn main(@builtin(local_invocation_index) id: u32) {
  lane = id;
  R[2 * lane] = teamSum(X[lane]);
  R[2 * lane + 1] = teamMax(X[lane]);
}`;
        const bindings = ['read', 'read_write'] as const;
        const kernel = { name: 'team', wgsl, bindings, grid: [1, 1, 1] as const, flops: 0, bytes: 0 };
        const [, result] = await runKernel(gpu, kernel, [x, 8 * lanes]);
        expect([...result!]).toEqual(Array.from({ length: lanes }, () => [...sums, ...maxima]).flat());
      }
    });
  },
);
