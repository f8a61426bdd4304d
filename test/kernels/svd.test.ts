import fc from 'fast-check';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import type { AdapterTraits } from '../../src/gpu/traits.ts';
import { svd } from '../../src/kernels/svd.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';
import { dot, normals, orthonormal, seeds, unorthogonality, withoutSubgroups } from './linear-algebra.ts';

const N = 20;
const EPS = 2 ** -23;

/** Row-major n×n matrices in, singular values and right vectors out, as rows. */
async function decompose(
  matrices: readonly ArrayLike<number>[],
  n = N,
  traits: (t: AdapterTraits) => AdapterTraits = (t) => t,
) {
  const batch = matrices.length;
  const a = new Float32Array(batch * n * n);
  matrices.forEach((m, b) => {
    a.set(m, b * n * n);
  });
  const [, s, v] = await withGpu((gpu) =>
    runKernel(gpu, svd({ size: n, batch }, traits(gpu.traits)), [a, batch * n, a.length]),
  );
  const rows = (x: Float32Array, b: number) =>
    Array.from({ length: n }, (_, k) => x.subarray((b * n + k) * n, (b * n + k + 1) * n));
  return matrices.map((_, b) => ({
    a: a.subarray(b * n * n, (b + 1) * n * n),
    s: s!.subarray(b * n, (b + 1) * n),
    v: rows(v!, b),
  }));
}

type Factors = Awaited<ReturnType<typeof decompose>>[number];

/** What must be true of any matrix's factors. */
function expectSound({ a, s, v }: Factors): void {
  const n = s.length;
  expect(unorthogonality(v)).toBeLessThan(1e-5);
  // A vₖ is sₖ uₖ: orthogonal vectors of lengths s, to the rounding of the largest.
  const images = v.map((x) =>
    Float64Array.from({ length: n }, (_, i) => dot(x, a.subarray(i * n, (i + 1) * n))),
  );
  const rounding = n * EPS * s[0]!;
  images.forEach((x, j) => {
    expect(Math.abs(Math.sqrt(dot(x, x)) - s[j]!)).toBeLessThanOrEqual(rounding);
    images.slice(0, j).forEach((y, k) => {
      expect(Math.abs(dot(x, y))).toBeLessThanOrEqual(rounding * (s[j]! + s[k]! + rounding));
    });
  });
  expect([...s]).toEqual([...s].sort((x, y) => y - x));
  expect(s[n - 1]).toBeGreaterThanOrEqual(0);
}

/** Each value within n·eps of the largest. */
function expectValues(s: ArrayLike<number>, expected: ArrayLike<number>): void {
  const tolerance = s.length * EPS * expected[0]!;
  const off = Math.max(...Array.from(expected, (x, k) => Math.abs(x - s[k]!)));
  expect(off).toBeLessThanOrEqual(tolerance);
}

const random = (n: number, seed: number) => Float32Array.from({ length: n * n }, normals(seed));

/** The matrix with these singular values and random singular vectors. */
function withValues(s: readonly number[], seed: number): Float64Array {
  const n = s.length;
  const [u, v] = [orthonormal(n, n, seed), orthonormal(n, n, seed + 1)];
  return Float64Array.from({ length: n * n }, (_, e) =>
    s.reduce((sum, x, k) => sum + u[k]![Math.floor(e / n)]! * x * v[k]![e % n]!, 0),
  );
}

const range = Array.from({ length: N }, (_, k) => k);
const graded = range.map((k) => 10 ** ((-6 * k) / (N - 1)));

describe('svd', () => {
  it.each([1, 7, 16, N])('agrees with float64 at size %i', async (n) => {
    for (const factors of await decompose([random(n, 1), random(n, 2), random(n, 3)], n)) {
      expectSound(factors);
      const rows = Array.from({ length: n }, (_, i) => [...factors.a.subarray(i * n, (i + 1) * n)]);
      expectValues(factors.s, new SingularValueDecomposition(new Matrix(rows)).diagonal);
    }
  });

  it('finds known values: graded, clustered, deficient, repeated', async () => {
    const spectra = [
      graded,
      range.map(() => 1),
      range.map((k) => (k < 7 ? 3 : k < 14 ? 2 : 1e-3)),
      range.map((k) => 1 + 1e-6 * (N - k)),
      range.map((k) => (k < 5 ? 10 - k : 0)),
      range.map((k) => (k === 0 ? 1 : 0)),
      range.map((k) => (k === 0 ? 1 : 1e-7)),
    ];
    const results = await decompose(spectra.map((s, b) => withValues(s, 10 * b + 1)));
    results.forEach((factors, b) => {
      expectSound(factors);
      expectValues(factors.s, spectra[b]!);
    });
  });

  it('is sound on matrices with exact zeros, ties and dependences', async () => {
    const entries = (f: (i: number, j: number) => number) =>
      Float32Array.from({ length: N * N }, (_, e) => f(Math.floor(e / N), e % N));
    const r = random(N, 51);
    const results = await decompose([
      entries(() => 1),
      entries((i, j) => (i === j ? 1 : 0)),
      entries((i, j) => (i + j === N - 1 ? i : 0)),
      entries((i, j) => (i === j && i % 3 ? 1 + (i % 2) : 0)),
      entries((i, j) => (i === 0 && j === N - 1 ? -2 : 0)),
      entries((i, j) => r[(i % 2) * N + j]!),
      entries((i, j) => (j < 2 ? r[i * N]! : 0)),
      entries((i, j) => (i < j ? r[i * N + j]! : 0)),
      entries((i, j) => r[i * N + j]! * 10 ** (-i * 1.5)),
      entries((i, j) => r[i * N + j]! * 10 ** (-j * 1.5)),
    ]);
    for (const factors of results) expectSound(factors);
  });

  it('gives 0 the identity', async () => {
    const [{ s, v }] = (await decompose([new Float32Array(N * N)])) as [Factors];
    expect([...s]).toEqual(range.map(() => 0));
    expect(unorthogonality(v)).toBe(0);
    expect(v.map((row) => row.indexOf(1))).toEqual(range);
  });

  it('does not depend on scale', async () => {
    const a = withValues(graded, 61);
    const scales = [1e-20, 1e15, 1e-30, 1e37];
    const results = await decompose(scales.map((c) => a.map((x) => c * x)));
    results.forEach((factors, b) => {
      expectSound(factors);
      expectValues(
        factors.s,
        graded.map((x) => x * scales[b]!),
      );
    });
  });

  it('gives the same bits for the same matrix, wherever it stands', async () => {
    const a = random(N, 71);
    const [first, , third] = (await decompose([a, random(N, 72), a])) as [Factors, Factors, Factors];
    expect(first.v).toEqual(third.v);
    expect(first.s).toEqual(third.s);
  });

  it('holds for random spectra', async () => {
    await fc.assert(
      fc.asyncProperty(
        seeds,
        fc.array(fc.integer({ min: -9, max: 0 }), { minLength: N, maxLength: N }),
        fc.integer({ min: -20, max: 20 }),
        async (seed, exponents, scale) => {
          const s = exponents.map((x) => (x === -9 ? 0 : 10 ** (x + scale))).sort((x, y) => y - x);
          fc.pre(s[0]! > 0);
          const [factors] = (await decompose([withValues(s, seed)])) as [Factors];
          expectSound(factors);
          expectValues(factors.s, s);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('needs no subgroups', async () => {
    // Few lanes, so that a small matrix has several blocks.
    const few = (t: AdapterTraits) => ({ ...withoutSubgroups(t), maxWorkgroupInvocations: 4 });
    const matrices = [random(8, 81), withValues(graded.slice(0, 8), 82), new Float32Array(64).fill(1)];
    const [with_, without] = [await decompose(matrices, 8), await decompose(matrices, 8, few)];
    without.forEach((factors, b) => {
      expectSound(factors);
      expectValues(factors.s, with_[b]!.s);
    });
  });

  it('refuses sizes it cannot hold', async () => {
    await withGpu(({ traits }) => {
      expect(() => svd({ size: 129, batch: 1 }, traits)).toThrow('size 129');
    });
  });
});
