import { expect, it } from 'vitest';
import { record } from '../../src/gpu/runnable.ts';
import { TEXELS_PER_ROW } from '../../src/gpu/texels.ts';
import { declareOperand } from '../../src/kernels/operand.ts';
import { withGpu } from './harness.ts';

it.each([
  ['less than a row', 12, 0],
  ['whole rows', 4 * 2 * TEXELS_PER_ROW, 64],
  ['rows and a rest', 4 * (2 * TEXELS_PER_ROW + 37), 64],
])('a kernel finds in a texture what was copied there: %s', (_, count, first) =>
  withGpu(async (gpu) => {
    if (gpu.traits.maxTexelBytes === 0) return;
    const kernel = {
      ...{ name: 'read texels', bindings: ['texels', 'read_write'] as const },
      wgsl: `${declareOperand(0, 'A', { access: 'texels', width: 4, size: count })}
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${count / 4}u) { y[id.x] = fetchA(id.x); }
}`,
    };
    const values = Float32Array.from({ length: first + count }, (_, i) => i + 0.5);
    const from = gpu.createBuffer(values.byteLength);
    const to = gpu.createBuffer(4 * count);
    gpu.write(from, 0, values);
    const texture = gpu.memory.borrowTexels(4 * count, 'copy');
    const pipeline = await gpu.pipeline(kernel);
    record(gpu.device, (recorder) => {
      recorder.copyToTexels({ buffer: from, offset: 4 * first }, 4 * count, texture);
      recorder.pass.setPipeline(pipeline);
      recorder.pass.setBindGroup(0, gpu.bindGroup(pipeline, [texture, to]));
      recorder.pass.dispatchWorkgroups(Math.ceil(count / 256));
    });
    expect(new Float32Array(await gpu.read(to, 0, 4 * count))).toEqual(values.subarray(first));
    gpu.destroyBuffer(from);
    gpu.destroyBuffer(to);
    gpu.memory.releaseTexels(texture);
  }),
);
