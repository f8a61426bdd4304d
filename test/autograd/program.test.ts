import { describe, expect, it } from 'vitest';
import { DeviceArray } from '../../src/autograd/array.ts';
import * as c from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import type { Work } from '../../src/gpu/kernel.ts';
import { openGpu } from '../../src/host/open.ts';
import { matmulVariants } from '../../src/kernels/matmul.ts';
import { expectNoLeak, testGpu, withGpu } from '../gpu/harness.ts';
import { of } from './support.ts';

describe('Program.run', () => {
  const f = ({ w, b }: { w: Tensor; b: Tensor }, [x]: [Tensor], k: Tensor) => ({
    y: c.add(c.mul(w, x), b),
    rest: [c.mul(k, 2)],
  });
  const specs = [{ w: of([2]), b: of([]) }, [of([2])], of([])] as const;

  it('takes numbers, arrays and device arrays in the structure of the function, and returns its structure', () =>
    withGpu(async (gpu) => {
      const program = await compile(gpu, f, specs);
      using w = DeviceArray.from(gpu, [1, 2], [2]);
      const { y, rest } = await program.run({ w, b: 10 }, [Float32Array.of(3, 4)], 7);
      expect([...y.data]).toEqual([13, 18]);
      expect(y.shape).toEqual([2]);
      expect([...rest[0]!.data]).toEqual([14]);
      expect([...(await program.run({ w: [1, 1], b: [0] }, [[5, 6]], [0.5])).y.data]).toEqual([5, 6]);
    }));

  it('takes several numbers', () =>
    withGpu(async (gpu) => {
      const program = await compile(gpu, (x: Tensor, y: Tensor) => c.sub(x, y), [of([]), of([])]);
      expect([...(await program.run(5, 3)).data]).toEqual([2]);
    }));

  it('writes outputs that are the same into views of one array', () =>
    withGpu(async (gpu) => {
      using whole = DeviceArray.zeros(gpu, [192]);
      const total = (x: Tensor) => c.sum(x);
      const program = await compile(gpu, (x: Tensor) => [total(x), total(x), c.mul(total(x), 2)], [of([3])]);
      using x = DeviceArray.from(gpu, [1, 2, 3], [3]);
      using bound = program.bind([x], [0, 64, 128].map((start) => whole.view(start, [1])) as never);
      bound.submit();
      const values = await whole.read();
      expect([values[0], values[64], values[128]]).toEqual([6, 6, 12]);
    }));

  it('gives the same bits each time', () =>
    withGpu(async (gpu) => {
      const g = (x: Tensor) => c.sum(c.sin(c.matmul(x, x)));
      const program = await compile(gpu, (x: Tensor) => [g(x), grad(g)(x)], [of([40, 40])]);
      const x = Float32Array.from({ length: 1600 }, (_, i) => Math.sin(i));
      const [first, again] = [await program.run(x), await program.run(x)];
      expect(again.map((y) => y!.data)).toEqual(first.map((y) => y!.data));
    }));

  // biome-ignore lint/suspicious/noExplicitAny: what the function does not take
  it.each<[string, (p: { run: (...args: any[]) => Promise<unknown> }, gpu: Gpu) => unknown, RegExp | string]>(
    [
      [
        'of another length',
        (p) => p.run({ w: [1, 2, 3], b: 0 }, [[1, 2]], 1),
        /shape \[2\] was given 3 numbers/,
      ],
      [
        'that are too few',
        (p) => p.run({ w: [1, 2], b: 0 }, [[1, 2]]),
        'f: input 2: expected f32[], got nothing',
      ],
      [
        'that are too many',
        (p) => p.run({ w: [1, 2], b: 0 }, [[1, 2]], 1, [4]),
        'f: input: expected a list of 3, got a list of 4',
      ],
      [
        'under other names',
        (p) => p.run({ v: [1, 2], b: 0 }, [[1, 2]], 1),
        'f: input 0: expected {w, b}, got {v, b}',
      ],
    ],
  )('refuses numbers %s, and leaves no buffer behind', (_, run, message) =>
    withGpu(async (gpu) => {
      const program = await compile(gpu, f, specs);
      await expectNoLeak(gpu, () => expect(run(program, gpu)).rejects.toThrow(message));
    }),
  );
});

describe('compile', () => {
  const product = (x: Tensor, y: Tensor) => c.matmul(x, y);
  const specs = [of([8, 8]), of([8, 8])];

  it('compiles the kernels that are chosen for buffers of their sizes, and asks for f16 only where it is wanted', () =>
    withGpu(async (gpu) => {
      /** A GPU that stops once asked to choose a kernel. */
      const asked: Work[] = [];
      const choose = (work: readonly Work[]) => {
        asked.push(...work);
        throw new Error('chosen');
      };
      const fake = (f16: boolean) =>
        new Proxy(gpu, {
          get(target, key) {
            if (key === 'choose') return choose;
            if (key === 'traits') return { ...target.traits, kind: 'hardware', f16 };
            const value = Reflect.get(target, key, target);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      await expect(compile(fake(true), product, specs)).rejects.toThrow('chosen');
      await expect(compile(fake(true), product, specs, { precision: 'f16' })).rejects.toThrow('chosen');
      expect(asked.map(({ bytes }) => bytes)).toEqual([
        [256, 256, 256],
        [256, 256, 256],
      ]);
      expect(asked.map(({ kernel }) => kernel.wgsl.includes('enable f16'))).toEqual([false, true]);
      expect(asked[0]!.kernel.choice!.class).not.toBe(asked[1]!.kernel.choice!.class);
      await expect(compile(fake(false), product, specs, { precision: 'f16' })).rejects.toThrow(
        'lacks the feature shader-f16',
      );
    }));

  it('says how many of the kernels are compiled', () =>
    withGpu(async (gpu) => {
      const seen: [number, number][] = [];
      const options = { onProgress: (done: number, total: number) => void seen.push([done, total]) };
      const { plan } = await compile(gpu, (x: Tensor) => [c.mul(x, 2), c.matmul(x, x)], [[8, 8]], options);
      const total = plan.dispatches.length;
      expect(seen).toEqual(Array.from({ length: total }, (_, i) => [i + 1, total]));
    }));

  it('replaces an argument by a result of the same structure only', () =>
    withGpu(async (gpu) => {
      const f = (p: { a: Tensor; b: Tensor }, x: Tensor) => [x, { b: c.add(p.b, 1), a: c.mul(p.a, x) }];
      const specs = [{ a: [2], b: [3] }, [2]] as const;
      const bound = (await compile(gpu, f, specs, { inPlace: [[1, 0]] })).bind([
        { a: [1, 2], b: [0, 0, 0] },
        [3, 4],
      ]);
      gpu.submit([bound], 2);
      expect([...(await bound.args[0].a.read())]).toEqual([9, 32]);
      expect([...(await bound.args[0].b.read())]).toEqual([2, 2, 2]);
      bound.dispose();
      await expect(compile(gpu, f, specs, { inPlace: [[0, 0]] })).rejects.toThrow(
        'inPlace: result 0: expected {a, b}, got',
      );
    }));

  it('asks the chooser that the device was opened with', async () => {
    const { traits } = await testGpu();
    const other = matmulVariants(
      { m: 8, n: 8, k: 8, transposeA: false, transposeB: false, batch: [] },
      { ...traits, kind: 'hardware' },
    )[0]!;
    using gpu = await openGpu({
      chooser: { choose: async (_, work) => work.map(() => other) },
    });
    const program = await compile(gpu, product, specs);
    expect(program.plan.dispatches.map(({ kernel }) => kernel)).toEqual([other]);
    const ones = new Array(64).fill(1);
    expect([...(await program.run(ones, ones)).data]).toEqual(new Array(64).fill(8));
  });
});

describe('Program.bind', () => {
  it('copies host data, shows its arrays in the function’s structure, and frees what it made', () =>
    withGpu(async (gpu) => {
      const f = ({ w }: { w: Tensor }, x: Tensor) => ({ y: c.mul(w, x) });
      const program = await compile(gpu, f, [{ w: [2] }, { shape: [] }]);
      const live = gpu.liveBuffers;
      const bound = program.bind([{ w: [1, 2] }, 3]);
      bound.submit();
      expect([...(await bound.result.y.read())]).toEqual([3, 6]);
      bound.args[0].w.write([5, 7]);
      bound.submit();
      expect([...(await bound.result.y.read())]).toEqual([15, 21]);
      bound.dispose();
      expect(gpu.liveBuffers).toBe(live);
      expect(() => program.bind([{ w: [1, 2] }, [3, 4]])).toThrow('input 1 of shape [] was given 2 numbers');
      expect(gpu.liveBuffers).toBe(live);
    }));

  it('says which array is wrong', () =>
    withGpu(async (gpu) => {
      const program = await compile(
        gpu,
        (p: { w: Tensor }, k: Tensor) => [c.sum(p.w), k],
        [{ w: of([2, 3]) }, { shape: [4], dtype: 'u32' }],
        { label: 'step' },
      );
      using w = DeviceArray.zeros(gpu, [2, 3]);
      using turned = DeviceArray.zeros(gpu, [3, 2]);
      using k = DeviceArray.zeros(gpu, [4], 'u32');
      using floats = DeviceArray.zeros(gpu, [4]);
      using total = DeviceArray.zeros(gpu, [1, 1]);
      expect(() => program.bind([{ w: turned }, k])).toThrow(
        'step: input 0.w: expected f32[2,3], got f32[3,2]',
      );
      expect(() => program.bind([{ w }, floats])).toThrow('step: input 1: expected u32[4], got f32[4]');
      expect(() => program.bind([{ w }] as never)).toThrow('step: input 1: expected u32[4], got nothing');
      expect(() => program.bind([{ w }, k], [total] as never)).toThrow(
        'step: output 1: expected u32[4], got nothing',
      );
      expect(() => program.bind([{ w }, k], [total, floats])).toThrow(
        'step: output 1: expected u32[4], got f32[4]',
      );
    }));

  it('refuses a view that the adapter cannot bind', () =>
    withGpu(async (gpu) => {
      const program = await compile(gpu, (x: Tensor) => c.mul(x, 2), [of([4])], { label: 'double' });
      using all = DeviceArray.from(
        gpu,
        Float32Array.from({ length: 200 }, (_, i) => i),
        [200],
      );
      expect(() => program.bind([all.view(3, [4])])).toThrow(
        /double: input 0 starts at byte 12 .* multiple of \d+/,
      );
      await gpu.idle();
      using bound = program.bind([all.view(64, [4])]);
      bound.submit();
      expect([...(await bound.outputs[0]!.read())]).toEqual([128, 130, 132, 134]);
    }));

  it('frees what it made, and only that', () =>
    withGpu(async (gpu) => {
      const program = await compile(gpu, (x: Tensor) => c.matmul(c.matmul(x, x), x), [of([3, 3])]);
      using x = DeviceArray.zeros(gpu, [3, 3]);
      using y = DeviceArray.zeros(gpu, [3, 3]);
      const live = gpu.liveBuffers;
      const [own, given] = [program.bind([x]), program.bind([x], y)];
      expect(gpu.liveBuffers).toBeGreaterThan(live);
      for (const bound of [own, given, own]) bound.dispose();
      expect(gpu.liveBuffers).toBe(live);
    }));

  it('serves many runs over changing contents', () =>
    withGpu(async (gpu) => {
      const program = await compile(gpu, (x: Tensor) => ({ next: c.add(c.mul(x, 2), 1) }), [of([3])], {
        inPlace: [[0, 0]],
      });
      using x = DeviceArray.from(gpu, [0, 1, 2], [3]);
      using bound = program.bind([x], { next: x });
      for (let i = 0; i < 10; i++) bound.submit();
      expect([...(await x.read())]).toEqual([1023, 2047, 3071]);
      expect(bound.result.next).toBe(x);
      x.write([0, 0, 0]);
      bound.submit();
      expect([...(await x.read())]).toEqual([1, 1, 1]);
    }));
});

describe('parts of arrays', () => {
  it('read in place are not copied, however they start', () =>
    withGpu(async (gpu) => {
      const f = (x: Tensor) => c.sub(c.slice(x, 1, 9), c.slice(x, 4, 12));
      const program = await compile(gpu, f, [of([3, 12])]);
      expect(program.plan.dispatches).toHaveLength(1);
      const { data } = await program.run(Array.from({ length: 36 }, (_, i) => i * i));
      const want = Array.from({ length: 24 }, (_, i) => 12 * Math.floor(i / 8) + (i % 8) + 1);
      expect([...data]).toEqual(want.map((i) => i * i - (i + 3) ** 2));
    }));

  it('replace their input only where all lies as it did', () =>
    withGpu(async (gpu) => {
      const last = (x: Tensor, y: Tensor) => c.concat([c.slice(x, 0, 6), y]);
      const program = await compile(gpu, last, [of([8]), of([2])], { inPlace: [[0, 0]] });
      using x = DeviceArray.from(gpu, [0, 1, 2, 3, 4, 5, 6, 7], [8]);
      using y = DeviceArray.from(gpu, [-1, -2], [2]);
      using bound = program.bind([x, y], x);
      bound.submit();
      expect([...(await x.read())]).toEqual([0, 1, 2, 3, 4, 5, -1, -2]);
      const next = (x: Tensor, y: Tensor) => c.concat([c.slice(x, 2, 8), y]);
      await expect(compile(gpu, next, [of([8]), of([2])], { inPlace: [[0, 0]] })).rejects.toThrow(
        'in another order',
      );
    }));
});

describe('DeviceArray', () => {
  it('refuses data and views that do not fit, and leaves no buffer behind', () =>
    withGpu((gpu) => {
      expect(() => DeviceArray.from(gpu, [1, 2], [3])).toThrow('shape [3] was given 2 numbers');
      using x = DeviceArray.zeros(gpu, [6]);
      expect(() => x.view(4, [3])).toThrow('view of shape [3] at element 4 does not lie inside of f32[6]');
    }));

  it('keeps bytes of any number', () =>
    withGpu(async (gpu) => {
      using x = DeviceArray.from(gpu, [1, 2, 3, 4, 255], [5], 'u8');
      expect(await x.read()).toEqual(Uint8Array.of(1, 2, 3, 4, 255));
    }));
});
