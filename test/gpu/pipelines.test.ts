import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Fate } from '../../src/gpu/fate.ts';
import { Pipelines } from '../../src/gpu/pipelines.ts';
import { runChild } from './child.ts';

test('pipelines are compiled before a program runs, also where the driver would put it off', async () => {
  const { stdout } = await runChild('first', { MESA_SHADER_CACHE_DISABLE: 'true' });
  const { compiling, running } = JSON.parse(stdout);
  expect(running).toBeLessThan(compiling / 4);
});

test('a pipeline lives as long as it is held, and some time in case it is asked for again', async () => {
  let compiled = 0;
  const device = {
    ...{ pushErrorScope() {}, popErrorScope: async () => null, createShaderModule: () => ({}) },
    async createComputePipelineAsync() {
      compiled++;
      return {};
    },
  } as unknown as GPUDevice;
  const pipelines = new Pipelines(device, new Fate(), false);
  const get = (i: number) => pipelines.get({ name: 'a kernel', wgsl: `// ${i}` });

  const held = await get(0);
  expect(await Promise.all([get(1), get(1)])).toEqual([await get(1), await get(1)]);
  expect(compiled).toBe(2);
  const refs: WeakRef<GPUComputePipeline>[] = [];
  for (let i = 1; i < 1000; i++) refs.push(new WeakRef(await get(i)));
  setFlagsFromString('--expose-gc');
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    runInNewContext('gc')();
  }
  const alive = refs.map((ref) => ref.deref() !== undefined);
  expect(alive.indexOf(true)).toBeGreaterThan(500);
  expect(alive.slice(-128)).toEqual(Array(128).fill(true));
  expect([compiled, await get(0), await get(999), compiled]).toEqual([1000, held, refs[998]!.deref(), 1000]);
  await get(1);
  expect(compiled).toBe(1001);
});
