import type { Gpu } from '../../src/gpu/device.ts';

/** Keeps an adapter busy without touching memory: some tenths of a second on a software one. */
export const slowKernel = {
  name: 'slow',
  wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var v = id.x;
  for (var k = 0u; k < 1000000u; k++) { v = v * 1664525u + 1013904223u; }
  x[id.x] = v;
}`,
};

/** Submits the slow kernel some times over, and does not wait for it. */
export async function submitSlow(gpu: Gpu, times: number): Promise<void> {
  const pipeline = await gpu.pipeline(slowKernel);
  const buffer = gpu.createBuffer(4 * 1024);
  const group = gpu.bindGroup(pipeline, [buffer]);
  for (let i = 0; i < times; i++) {
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(16);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
  }
  gpu.destroyBuffer(buffer);
}
