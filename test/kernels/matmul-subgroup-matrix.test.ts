import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { add, matmul as multiply, relu } from '../../src/autograd/functions.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { loadUnits, type MatmulSpec, matmul } from '../../src/kernels/matmul.ts';
import { matrixVariants } from '../../src/kernels/matmul-subgroup-matrix.ts';
import { numbers, of, poisoned } from '../autograd/support.ts';
import { type HalfMatrices, withMatrices } from '../gpu/emulated-matrices.ts';
import { expectNoLeak, openForTest } from '../gpu/harness.ts';
import { checkKernel, operands, product, values, worstError } from './products.ts';

/** It compiles what is emulated in seconds, lavapipe in minutes. */
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openForTest('swiftshader');
});
afterAll(() => gpu.dispose());

/** Matrices as AMD and NVIDIA have them; as Apple, Intel, and NVIDIA too; with the lanes of a subgroup. */
const UNITS: [HalfMatrices, lanes: number][] = [
  [{ m: 16, n: 16, k: 16 }, 32],
  [{ m: 8, n: 8, k: 8 }, 32],
  [{ m: 8, n: 16, k: 16 }, 16],
  [{ m: 16, n: 8, k: 16 }, 32],
];
const [USUAL] = UNITS;
/** Workgroup memory that suffices for all tiles. */
const ROOMY = { maxWorkgroupStorageBytes: 2 ** 15 };

/** The product in a tile, within the error of operands rounded to f16. */
async function check(spec: MatmulSpec, tile: string, [unit, lanes]: (typeof UNITS)[number]): Promise<void> {
  const emulated = withMatrices(gpu, unit, lanes);
  const variants = matrixVariants(spec, { ...emulated.traits, ...ROOMY });
  const kernel = variants.find(({ variant }) => variant!.endsWith(` in ${tile}`))!;
  const c = await checkKernel(emulated, spec, kernel, 5e-4);
  expect(worstError(spec, ...operands(spec), c)).toBeGreaterThan(1e-5);
  // Of numbers that f16 holds, products and sums are as exact as float32's; in f16 they would overflow.
  const whole = (count: number) => values(count, 1).map((x) => Math.round(2000 * x));
  await checkKernel(emulated, spec, kernel, 5e-7, whole);
}

describe('products by subgroup matrices, emulated, agree with float64', () => {
  /** Each form's copies to workgroup memory, in whole vectors and not; each tile; k in blocks. */
  test.each<[string, MatmulSpec, tile: string]>([
    ['A·B of a long k', product('nn', 36, 68, 4200), '32x32'],
    ['Aᵀ·B, slices of which end where k does', product('tn', 40, 72, 64), '32x32'],
    ['A·Bᵀ, a batch', product('nt', 40, 44, 36, [{ size: 3, strideA: 0, strideB: 44 * 36 }]), '32x32'],
    ['Aᵀ·Bᵀ, ragged', product('tt', 67, 35, 101), '32x32'],
    ['A·Bᵀ, ragged', product('nt', 70, 131, 39), '64x64'],
  ])('%s', (_, spec, tile) => expectNoLeak(gpu, () => check(spec, tile, USUAL!)));

  test('Aᵀ·B, ragged, in the largest tile', () =>
    // With a k that halves the shader, to compile it in half the time.
    expectNoLeak(gpu, () => check(product('tn', 139, 133, 35), '128x128', [{ m: 16, n: 16, k: 32 }, 32])));

  test.each(UNITS.slice(1))('with matrices %j in subgroups of %i', (...unit) =>
    expectNoLeak(gpu, () => check(product('nn', 36, 44, 40), '32x32', unit)),
  );
});

/** A program of a product and what follows, as the kernels it consists of; its numbers are checked. */
async function kernelsOf(given: Gpu): Promise<string[]> {
  const f = (a: Tensor, b: Tensor, bias: Tensor) => relu(add(multiply(a, b), bias));
  const program = await compile(poisoned(given), f, [of([16, 35, 40]), of([16, 40, 37]), of([37])], {
    precision: 'f16',
  });
  const data = [16 * 35 * 40, 16 * 40 * 37, 37].map((count, i) =>
    // Multiples of 1/8, which f16 holds.
    Float32Array.from(numbers(count, i), (x) => Math.round(8 * x) / 8),
  );
  const [known] = interpret(program.graph, data);
  const { data: got } = await program.run(...(data as [Float32Array, Float32Array, Float32Array]));
  expect([...got]).toEqual([...known!.data]);
  return program.plan.dispatches.map(({ kernel }) => `${kernel.name}, ${kernel.variant}`);
}

describe('a program of precision f16', () => {
  test('uses subgroup matrices, with what follows the product', async () => {
    const kernels = await expectNoLeak(gpu, () => kernelsOf(withMatrices(gpu, ...USUAL!)));
    expect(kernels).toEqual(['matmul_nn+pointwise, subgroup matrices f16 16x16 in 32x32']);
  });

  test.each<[string, (wgsl: string) => string, reason: RegExp]>([
    [
      'are wrong',
      (wgsl) => wgsl.replace('sum[c] += dot', 'sum[c] -= dot'),
      /computes \d+ of \d+ numbers of a product by subgroup matrices wrong/,
    ],
    ['do not compile', (wgsl) => `${wgsl} no`, /matmul_nn/],
  ])('goes without, and a warning says so once, where they %s', async (_, breaks, reason) => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    using own = await openForTest('swiftshader'); // Devices are asked once.
    const broken = withMatrices(own, USUAL![0], 32, breaks);
    await kernelsOf(broken);
    expect(await expectNoLeak(own, () => kernelsOf(broken))).toEqual([
      expect.stringMatching(/^matmul_nn\+pointwise, tiled/),
    ]);
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/Products of f16 go without subgroup matrices/)],
    ]);
    expect(warn.mock.calls[0]![0]).toMatch(reason);
    warn.mockRestore();
  });
});

test('only f16 products whose sides fill a tile use them, and the kernels without come after', async () => {
  await loadUnits();
  const { traits } = withMatrices(gpu, ...USUAL!);
  const variantsOf = (m: number, n: number, given = {}) => {
    const { choice, variant } = matmul(product('nn', m, n, 64), { ...traits, ...ROOMY, ...given });
    return [variant!, ...choice!.others.map((other) => other.variant!)];
  };
  const all = variantsOf(1024, 1024);
  expect(all.slice(0, 3).map((name) => name.replace(/.* /, ''))).toEqual(['128x128', '64x64', '32x32']);
  expect(all.slice(3)).toEqual(variantsOf(1024, 1024, { halfMatrices: undefined }));
  expect(variantsOf(300, 300)[0]).toBe('subgroup matrices f16 16x16 in 32x32');
  // Too few tiles: those of which teams share k are the guess.
  const few = variantsOf(100, 100);
  expect([few[0], few.at(-3)]).toEqual([
    expect.stringMatching(/^tiled .* teams/),
    'subgroup matrices f16 16x16 in 32x32',
  ]);
  for (const none of [variantsOf(1024, 10), variantsOf(1024, 1024, { halfProducts: false })]) {
    expect(none.filter((name) => name.includes('matrices'))).toEqual([]);
  }
  const small = variantsOf(1024, 1024, { maxWorkgroupStorageBytes: 16_384, maxWorkgroupInvocations: 128 });
  expect(small[0]).toContain('64x64');
  // No tile can be made of matrices of three columns.
  const odd = variantsOf(1024, 1024, { halfMatrices: { m: 16, n: 3, k: 16 } });
  expect(odd[0]).toMatch(/^tiled/);
});
