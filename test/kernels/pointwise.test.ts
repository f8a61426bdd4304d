import { describe, expect, it } from 'vitest';
import type { Body } from '../../src/kernels/fused.ts';
import { pointwise } from '../../src/kernels/pointwise.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

/** x₀ + 10 x₁ over `space`, each read with its strides. */
function body(space: number[], ...strides: number[][]): Body {
  return {
    space,
    leaves: strides.map((s) => ({ dtype: 'f32', source: 'buffer', strides: s })),
    lines: [{ name: 't0', expression: 'x0 + F(10.0) * x1', uses: ['x0', 'x1'] }],
    results: [{ expression: 't0', dtype: 'f32' }],
    helpers: [],
    scalarOnly: false,
    cost: 2,
  };
}

/** What the body computes from leaves that hold 0, 1, 2 …. */
function expected({ space, leaves }: Body): number[] {
  const size = space.reduce((a, b) => a * b, 1);
  return Array.from({ length: size }, (_, i) => {
    let rest = i;
    const at = leaves.map(() => 0);
    for (let axis = space.length - 1; axis >= 0; axis--) {
      leaves.forEach(({ strides }, j) => {
        at[j]! += (rest % space[axis]!) * strides[axis]!;
      });
      rest = Math.floor(rest / space[axis]!);
    }
    return at[0]! + 10 * at[1]!;
  });
}

/** What must stay as it was behind the results. */
const beyond = new Array<number>(64).fill(Number.NaN);

const count = (n: number) => Float32Array.from({ length: n }, (_, i) => i);

describe('pointwise', () => {
  it.each<[string, Body]>([
    ['dense', body([3, 5], [5, 1], [5, 1])],
    ['dense, in fours', body([6, 8], [8, 1], [8, 1])],
    ['beside a row, in fours', body([6, 8], [8, 1], [0, 1])],
    ['beside a column', body([6, 8], [8, 1], [1, 0])],
    ['beside its transpose', body([5, 5], [5, 1], [1, 5])],
    ['with rows at odd starts', body([3, 8], [9, 1], [8, 1])],
    ['of one element', body([1, 1], [0, 0], [0, 0])],
    ['of a prime number of elements', body([1009], [1], [1])],
    ['of many rows', body([700, 3], [3, 1], [1, 0])],
    ['of many columns', body([2, 1030], [1030, 1], [0, 1])],
    ['with an axis between', body([4, 3, 6], [18, 6, 1], [6, 0, 1])],
    ['with an axis around rows', body([3, 50, 5], [250, 5, 1], [0, 1, 0])],
    ['with four axes', body([2, 3, 2, 5], [5, 0, 10, 1], [0, 2, 1, 0])],
  ])('%s', (_, b) =>
    withGpu(async (gpu) => {
      const inputs = b.leaves.map(({ strides }) =>
        count(1 + b.space.reduce((last, side, axis) => last + (side - 1) * strides[axis]!, 0)).map((x) => x),
      );
      const want = expected(b);
      for (const traits of [
        gpu.traits,
        { ...gpu.traits, kind: 'hardware' as const },
        { ...gpu.traits, maxWorkgroupsPerDimension: 2 },
      ]) {
        const padded = inputs.map((x) =>
          Float32Array.from({ length: Math.ceil(x.length / 4) * 4 }, (_, i) => x[i] ?? 0),
        );
        const got = (await runKernel(gpu, pointwise(b, traits), [...padded, want.length + 64])).at(-1)!;
        expect([...got]).toEqual([...want, ...beyond]);
      }
    }),
  );

  it('writes over the operand that it replaces, and nowhere else', () =>
    withGpu(async (gpu) => {
      const b = body([6, 8], [0, 1], [8, 1]);
      const [row, state] = await runKernel(gpu, pointwise(b, gpu.traits, [1]), [count(8), count(52)]);
      expect([...row!]).toEqual([...count(8)]);
      expect([...state!]).toEqual([...expected(b), 48, 49, 50, 51]);
    }));
});
