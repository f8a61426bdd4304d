import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CollimateError } from '../../src/errors.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
import { type MatmulSpec, matmul, tiledVariants } from '../../src/kernels/matmul.ts';
import { withGpu } from '../gpu/harness.ts';
import { softwareTraits } from '../gpu/traits.ts';
import { type Batch, checkKernel, operands, product, values, worstError } from './products.ts';

/** The adapter's own variant, and the one for GPUs, which any adapter can run. */
const VARIANTS: Record<string, (traits: AdapterTraits) => AdapterTraits> = {
  own: (traits) => traits,
  tiled: (traits) => ({ ...traits, kind: 'hardware' }),
};

/** Runs the product and asserts its error; returns C. */
function check(spec: MatmulSpec, variant: string, { limit = 5e-7, fill = values, traits = {} } = {}) {
  return withGpu((gpu) =>
    checkKernel(gpu, spec, matmul(spec, VARIANTS[variant]!({ ...gpu.traits, ...traits })), limit, fill),
  );
}

const forms = [
  ['nn', 0],
  ['tt', 0],
  ['nt', 1],
  ['tn', 1],
] as const;

/** Up to three batch dimensions; an operand is repeated along some of them and dense over the others. */
function batches(sizeA: number, sizeB: number): fc.Arbitrary<Batch> {
  const dim = fc.record({ size: fc.integer({ min: 1, max: 3 }), hasA: fc.boolean(), hasB: fc.boolean() });
  return fc.array(dim, { maxLength: 3 }).map((dims) => {
    let strideA = sizeA;
    let strideB = sizeB;
    return dims
      .reverse()
      .map(({ size, hasA, hasB }) => {
        const strides = { size, strideA: hasA ? strideA : 0, strideB: hasB ? strideB : 0 };
        if (hasA) strideA *= size;
        if (hasB) strideB *= size;
        return strides;
      })
      .reverse();
  });
}

/**
 * Each form and size class (all multiples of four, or all odd) is a shader to compile. Shader code for A and
 * for B is independent, so these four have all of it.
 */
const problems = fc
  .record({
    form: fc.constantFrom(...forms),
    sizes: fc.tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 15 }),
    ),
  })
  .chain(({ form: [form, odd], sizes }) => {
    const [m, n, k] = sizes.map((size) => 4 * size - odd) as [number, number, number];
    return batches(m * k, k * n).map((batch) => product(form, m, n, k, batch));
  });

describe.each(Object.keys(VARIANTS))('matmul, %s variant', (variant) => {
  test('agrees with float64 on random sizes and batches, in all four forms', async () => {
    await fc.assert(
      fc.asyncProperty(problems, async (spec) => {
        await check(spec, variant);
      }),
      { numRuns: 50, endOnFailure: true },
    );
  });

  test.each([
    ['a single multiplication', product('nt', 1, 1, 1)],
    ['an outer product', product('nt', 7, 35, 1)],
    ['a matrix and a vector', product('tn', 23, 1, 59)],
    ['many small products', product('nn', 4, 4, 4, [{ size: 150, strideA: 16, strideB: 0 }])],
  ] as const)('%s', async (_, spec) => {
    await check(spec, variant);
  });

  test('more workgroups than one dimension holds are folded, and those left over do nothing', async () => {
    const spec = product('nn', 100, 100, 8);
    const traits = { maxWorkgroupsPerDimension: 3 };
    await check(spec, variant, { traits });
  });

  test('sums of 60,000 terms of one sign lose no digits', async () => {
    await check(product('tt', 4, 8, 60_000), variant, {
      limit: 2e-6,
      fill: (count) => values(count, 3).map(Math.abs),
    });
    await check(product('tt', 4, 8, 60_000), variant, {
      limit: 3e-6,
      fill: (count) => new Float32Array(count).fill(0.1),
    });
  });

  test('the same inputs give the same bits', async () => {
    const spec = product('tt', 64, 64, 784);
    expect(await check(spec, variant)).toEqual(await check(spec, variant));
  });
});

describe('matmul, own variant, shapes of a network', () => {
  test.each([
    ['a layer', product('nt', 128, 128, 128)],
    ['a layer’s input gradient', product('nn', 128, 128, 128)],
    ['a layer’s weight gradient', product('tn', 128, 128, 128)],
    ['the first layer', product('nt', 128, 128, 784)],
    ['the head', product('nt', 128, 10, 128)],
    ['the head’s input gradient', product('nn', 128, 128, 10)],
    ['the head’s weight gradient', product('tn', 10, 128, 128)],
    ['ragged edges of large tiles', product('tn', 135, 131, 67)],
    [
      'aligned matrices at strides that are not',
      product('nn', 4, 4, 4, [{ size: 3, strideA: 17, strideB: 20 }]),
    ],
    [
      'the tangents of a layer: inputs and weights vary along different axes',
      product('nt', 16, 64, 128, [
        { size: 5, strideA: 2 * 16 * 128, strideB: 0 },
        { size: 2, strideA: 16 * 128, strideB: 128 * 64 },
      ]),
    ],
  ] as const)('%s', async (_, spec) => {
    await check(spec, 'own');
  });
});

const ANY = product('nn', 140, 68, 100);
/** Names of the variants for GPUs; any adapter can run them. */
const TILED = tiledVariants(ANY, {
  ...softwareTraits,
  ...{ kind: 'hardware', subgroupSize: 32, f16: true, maxWorkgroupStorageBytes: 32_768 },
}).map(({ variant }) => variant!);

/**
 * Copies to workgroup memory depend on whether k is contiguous, for A and B apart; these two forms have all.
 * Shaders take seconds to compile in software: one per variant, and one of large tiles sums k in blocks.
 */
const [ALIGNED, RAGGED, LONG] = [ANY, product('tt', 139, 69, 101), product('nn', 140, 68, 1100)];
/** Slices of which, one for each team, end where k does. */
const WHOLE = product('tn', 44, 36, 128);

describe('matmul, tiles for GPUs', () => {
  test.each(
    TILED.map((name, i) => [name, name.includes('128x64') ? LONG : i % 2 ? ALIGNED : RAGGED] as const),
  )('%s', async (name, spec) => {
    await withGpu(async (gpu) => {
      const variants = tiledVariants(spec, { ...gpu.traits, kind: 'hardware' });
      const kernel = variants.find(({ variant }) => variant === name)!;
      await checkKernel(gpu, spec, kernel);
      await checkKernel(gpu, spec, kernel, 5e-6, (count) => new Float32Array(count).fill(0.1));
    });
  });
});

test.each(['tiled 4x4 of 4 teams in 32x32', 'tiled 8x8 in 64x64'])('%s, of slices that end with k', (name) =>
  withGpu(async (gpu) => {
    const variants = tiledVariants(WHOLE, { ...gpu.traits, kind: 'hardware' });
    await checkKernel(gpu, WHOLE, variants.find(({ variant }) => variant === name)!);
  }),
);

test('tiles for GPUs keep to the limits of small adapters', async () => {
  await withGpu(async ({ traits }) => {
    const small = {
      ...traits,
      kind: 'hardware' as const,
      maxWorkgroupInvocations: 128,
      maxWorkgroupStorageBytes: 16_384,
    };
    const variants = tiledVariants(ANY, small);
    expect(variants.length).toBeGreaterThan(3);
    for (const { wgsl } of variants) {
      expect(Number(/workgroup_size\((\d+)\)/.exec(wgsl)![1])).toBeLessThanOrEqual(128);
      expect(16 * Number(/slices: array<vec4f, (\d+)>/.exec(wgsl)![1])).toBeLessThanOrEqual(16_384);
    }
  });
});

test('a tile is left where a workgroup has few threads', () =>
  withGpu(async (gpu) => {
    const [kernel, ...others] = tiledVariants(ANY, {
      ...{ ...gpu.traits, kind: 'hardware', maxWorkgroupInvocations: 16 },
    });
    expect(others).toEqual([]);
    expect(kernel!.wgsl).toContain('workgroup_size(16)');
    await checkKernel(gpu, ANY, kernel!);
  }));

test('where the adapter has f16, and only on request, operands are rounded to it, but no sum', async () => {
  await withGpu(async (gpu) => {
    const traits = { ...gpu.traits, kind: 'hardware' as const };
    const spec = product('nt', 62, 35, 130);
    const f32 = matmul(spec, { ...traits, f16: true });
    expect(f32.wgsl).not.toContain('f16');
    if (!traits.f16) return;
    const half = tiledVariants(spec, { ...traits, halfProducts: true }).find(({ variant }) =>
      variant!.startsWith('tiled f16'),
    )!;
    const c = await checkKernel(gpu, spec, half, 5e-4);
    const [a, b] = operands(spec);
    expect(worstError(spec, a, b, c)).toBeGreaterThan(1e-5);
    // Of numbers that f16 holds, products and sums are as exact as ever; in f16 they would overflow.
    await checkKernel(gpu, spec, half, 5e-7, (count) => values(count, 1).map((x) => Math.round(2000 * x)));
  });
});

test('impossible sizes are refused by name', async () => {
  await withGpu(({ traits }) => {
    const bad = (spec: MatmulSpec) => () => matmul(spec, traits);
    expect(bad(product('nn', 2, 3, 0))).toThrow(CollimateError);
    expect(bad(product('nn', 2, 3, 0))).toThrow('k is 0');
    expect(bad(product('nn', 2.5, 3, 4))).toThrow('m is 2.5');
    const dim = { size: 2, strideA: 0, strideB: 0 };
    expect(bad(product('nn', 2, 3, 4, [dim, dim, dim, dim]))).toThrow('4 batch dimensions');
    expect(bad(product('nn', 2, 3, 4, [{ ...dim, strideB: -1 }]))).toThrow(
      'stride of batch dimension 0 is -1',
    );
  });
});

/** Where slices do not end with k, its end is guarded: two shaders. */
test('sizes are uniforms: products that differ only in sizes share a shader', async () => {
  await withGpu(({ traits }) => {
    for (const [name, variant] of Object.entries(VARIANTS)) {
      const batch = [{ size: 5, strideA: 64, strideB: 0 }];
      const source = (m: number, n: number, k: number) =>
        matmul(product('nt', m, n, k, batch), variant(traits)).wgsl;
      expect(source(256, 96, 60)).toBe(source(240, 92, name === 'tiled' ? 36 : 32));
      if (name === 'tiled') expect(source(256, 96, 64)).toBe(source(240, 92, 128));
    }
  });
});
