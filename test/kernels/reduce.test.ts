import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
import type { Body } from '../../src/kernels/fused.ts';
import { type ReduceKind, reduce } from '../../src/kernels/reduce.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

const kinds = ['sum', 'mean', 'max', 'variance'] as const;

/** The element itself, to be reduced in each of several ways. */
function body([outer, middle, inner]: readonly [number, number, number], results: number): Body {
  return {
    space: [outer, middle, inner],
    leaves: [{ dtype: 'f32', source: 'buffer', strides: [middle * inner, inner, 1] }],
    lines: [],
    results: Array.from({ length: results }, () => ({ expression: 'x0', dtype: 'f32' as const })),
    helpers: [],
    scalarOnly: false,
    cost: 0,
  };
}

/** Elements around 100, so that a variance computed as a difference of squares would lose its digits. */
const element = (i: number) => 100 + ((i * 7919) % 101) / 64;

/** Groups of elements that each result is made of. */
function groups([a, b, c]: readonly [number, number, number], reduced: readonly boolean[]): number[][] {
  const found = new Map<string, number[]>();
  for (let i = 0; i < a * b * c; i++) {
    const place = [Math.floor(i / (b * c)), Math.floor(i / c) % b, i % c];
    const key = place.filter((_, axis) => !reduced[axis]).join();
    const group = found.get(key);
    if (group) group.push(element(i));
    else found.set(key, [element(i)]);
  }
  return [...found.values()];
}

function reduceNumbers(kind: ReduceKind, xs: readonly number[]): number {
  const total = xs.reduce((s, x) => s + x, 0);
  const mean = total / xs.length;
  if (kind === 'max') return Math.max(...xs);
  if (kind === 'variance') return xs.reduce((s, x) => s + (x - mean) ** 2, 0) / xs.length;
  return kind === 'sum' ? total : mean;
}

/** Kernels that share work compile slowly on software adapters: a few do. */
const variants: [string, number, (traits: AdapterTraits) => AdapterTraits][] = [
  ['alone', 30, (traits) => traits],
  ['sharing the work of a workgroup', 8, (traits) => ({ ...traits, kind: 'hardware' })],
  ['sharing it without shuffles', 3, (traits) => ({ ...traits, kind: 'hardware', subgroupSize: 0 })],
  [
    'where workgroups are small, and subgroups larger than they may be',
    8,
    (traits) => ({
      ...{ ...traits, kind: 'hardware', subgroupSize: 2 },
      ...{ maxWorkgroupInvocations: 64, maxWorkgroupStorageBytes: 2048 },
    }),
  ],
];

describe.each(variants)('reduce, %s', (_, numRuns, change) => {
  it('any axes in all ways at once', () =>
    withGpu(async (gpu) => {
      const side = fc.constantFrom(1, 2, 3, 5, 8, 40, 65, 132);
      await fc.assert(
        fc.asyncProperty(
          fc.tuple(side, side, side).filter(([a, b, c]) => a * b * c < 40_000),
          fc.constantFrom(
            [true, false, false],
            [false, true, false],
            [false, false, true],
            [true, true, false],
            [false, true, true],
            [true, false, true],
            [true, true, true],
          ),
          async (sides, reduced) => {
            const size = sides[0] * sides[1] * sides[2];
            const expected = groups(sides, reduced);
            const kernel = reduce({ body: body(sides, 4), kinds, reduced }, change(gpu.traits));
            const data = Float32Array.from({ length: Math.ceil(size / 4) * 4 }, (_, i) => element(i));
            const [, ...got] = await runKernel(gpu, kernel, [data, ...kinds.map(() => expected.length + 16)]);
            kinds.forEach((kind, k) => {
              const want = expected.map((xs) => reduceNumbers(kind, xs));
              const worst = Math.max(...want.map((w, i) => Math.abs(got[k]![i]! - w) / (Math.abs(w) + 1e-3)));
              expect(worst, `${kind} of ${sides}`).toBeLessThan(2e-6);
              expect([...got[k]!.subarray(want.length)]).toEqual(new Array(16).fill(Number.NaN));
            });
          },
        ),
        { numRuns, seed: 11 },
      );
    }));

  it('stretches of a long sum, each by itself', () =>
    withGpu(async (gpu) => {
      for (const [length, splits, columns] of [
        [1000, 7, 1],
        [1000, 64, 3],
        [64, 64, 4],
        [65, 64, 1],
        [3, 8, 2],
      ] as const) {
        const spec = {
          body: body([length, columns, 1], 2),
          kinds: ['sum', 'max'] as const,
          reduced: [true, false, true],
          splits,
        };
        const data = Float32Array.from({ length: Math.ceil((length * columns) / 4) * 4 }, (_, i) =>
          element(i),
        );
        const [, sums, tops] = await runKernel(gpu, reduce(spec, change(gpu.traits)), [
          data,
          splits * columns,
          splits * columns,
        ]);
        for (let column = 0; column < columns; column++) {
          const part = (x: Float32Array) => [...x].filter((_, i) => i % columns === column);
          const all = [...data.subarray(0, length * columns)].filter((_, i) => i % columns === column);
          const total = all.reduce((s, x) => s + x, 0);
          expect(Math.abs(part(sums!).reduce((s, x) => s + x, 0) - total)).toBeLessThan(1e-6 * total);
          expect(Math.max(...part(tops!))).toBe(Math.max(...all));
        }
      }
    }));
});

it('a reduction asks for no more of a workgroup than the adapter has', () =>
  withGpu((gpu) => {
    const small = {
      ...gpu.traits,
      kind: 'hardware' as const,
      maxWorkgroupInvocations: 128,
      maxWorkgroupStorageBytes: 16384,
    };
    const many = Array.from({ length: 3 }, () => 'variance' as const);
    const { wgsl } = reduce(
      { body: body([4096, 1, 8], 3), kinds: many, reduced: [true, true, false] },
      small,
    );
    const [, threads] = wgsl.match(/@workgroup_size\((\d+)\)/)!;
    expect(Number(threads)).toBeLessThanOrEqual(128);
    const shared = [...wgsl.matchAll(/var<workgroup> \w+: array<Moments, (\d+)>/g)].reduce(
      (s, [, n]) => s + 64 * Number(n),
      0,
    );
    expect(shared).toBeGreaterThan(0);
    expect(shared).toBeLessThanOrEqual(16384);
  }));
