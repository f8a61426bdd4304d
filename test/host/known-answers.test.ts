import { afterEach, describe, expect, it, vi } from 'vitest';
import { conv2d, matmul, maxPool2d, mul, random, sum, take } from '../../src/autograd/functions.ts';
import { orthonormalize, rightSvd } from '../../src/autograd/linalg.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { examineKernels } from '../../src/host/known-problems.ts';
import { findHostAdapter } from '../../src/host/node-adapter.ts';
import { openFrom, openGpu } from '../../src/host/open.ts';
import { poisoned } from '../autograd/support.ts';
import { dyingGpu } from '../gpu/dead.ts';

afterEach(() => {
  delete process.env.COLLIMATE_UNCHECKED;
  vi.restoreAllMocks();
});

describe('a device that computes nothing', () => {
  it('is refused by its name, with what is wrong and the remedy', async () => {
    const opening = openGpu({ gpu: await dyingGpu(() => true) });
    await expect(opening).rejects.toThrow(/computes 10\d\d of 1024 numbers wrong: number 0 is 1 instead of /);
    await expect(opening).rejects.toMatchObject({ remedy: expect.stringContaining('--adapter') });
  });

  it('is taken where COLLIMATE_UNCHECKED says so, and its kernels too', async () => {
    process.env.COLLIMATE_UNCHECKED = '1';
    using gpu = await openGpu({ gpu: await dyingGpu(() => true) });
    const program = await compile(gpu, (x: Tensor) => mul(x, 2), [{ shape: [3] }]);
    expect([...(await program.run([1, 2, 3])).data]).toEqual([0, 0, 0]);
  });

  it('is replaced by the next adapter where none was asked for, and a warning says so', async () => {
    const asked = process.env.COLLIMATE_ADAPTER;
    delete process.env.COLLIMATE_ADAPTER;
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      const dead = async () => ({ adapter: (await (await dyingGpu(() => true)).requestAdapter())! });
      const find = vi.fn(findHostAdapter).mockResolvedValueOnce(await dead());
      using gpu = await openFrom(find);
      expect(find.mock.calls.at(-1)![0]).toMatch(/^(system|swiftshader)$/);
      expect(warn.mock.calls).toEqual([
        [expect.stringMatching(new RegExp(`computes .* wrong.* ${gpu.info.name} is used instead`))],
      ]);
      find.mockResolvedValueOnce(await dead());
      await expect(openFrom(find, { adapter: 'that one' })).rejects.toThrow('numbers wrong');
    } finally {
      if (asked !== undefined) process.env.COLLIMATE_ADAPTER = asked;
    }
  });
});

describe('a device that gets one family of kernels wrong is refused before the first use of it', () => {
  const square = [{ shape: [8, 8] }];
  it.each<[string, (...xs: Tensor[]) => unknown, { shape: number[]; dtype?: 'u32' }[]]>([
    ['pointwise', (x) => mul(x, x), square],
    ['reduce', (x) => sum(x, -1), square],
    ['matmul', (x) => matmul(x, x), square],
    ['conv', (x, w) => conv2d(x, w), [{ shape: [1, 4, 4, 2] }, { shape: [2, 2, 3, 3] }]],
    ['max', (x) => maxPool2d(x, 2), [{ shape: [1, 4, 4, 2] }]],
    ['gather', (x, index) => take(x, index), [...square, { shape: [5], dtype: 'u32' }]],
    ['random', (key) => random(key, [16]), [{ shape: [2], dtype: 'u32' }]],
    ['qr', orthonormalize, square],
    ['svd', (x) => rightSvd(x).s, square],
  ])('%s', async (family, f, specs) => {
    using gpu = await openGpu({ gpu: await dyingGpu((label) => label.startsWith(family)) });
    await expect(compile(gpu, f, specs)).rejects.toThrow(
      new RegExp(`${gpu.info.name} computes \\d+ of \\d+ numbers of ${family} wrong: (number|all are 0)`),
    );
    // Others are right.
    if (family !== 'pointwise') await compile(gpu, (x: Tensor) => mul(x, 3), square);
  });

  it('a product whose columns are reduced', async () => {
    using gpu = await openGpu({ gpu: await dyingGpu((label) => label.includes('+reduce')) });
    const asGpu = poisoned(gpu, { kind: 'hardware', maxStorageBuffersPerStage: 16 });
    const kernel = { name: 'matmul_nn+reduce_mean+pointwise', bindings: [] } as unknown as Kernel;
    await expect(examineKernels(asGpu, [kernel])).rejects.toThrow(
      'of 320 numbers of a product whose columns are reduced wrong',
    );
    await examineKernels(asGpu, [{ ...kernel, name: 'matmul_nn+pointwise' }]);
  });
});
