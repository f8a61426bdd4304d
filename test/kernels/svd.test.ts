import fc from 'fast-check';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { knownTraits } from '../../scripts/explanation.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
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
  expect(unorthogonality(v)).toBeLessThanOrEqual(3 * Math.sqrt(n) * EPS);
  // A vₖ is sₖ uₖ: orthogonal vectors of lengths s, to the rounding of the largest.
  const images = v.map((x) =>
    Float64Array.from({ length: n }, (_, i) => dot(x, a.subarray(i * n, (i + 1) * n))),
  );
  const rounding = (n + 1) * EPS * s[0]!;
  let worst = 0;
  images.forEach((x, j) => {
    const off = [Math.abs(Math.sqrt(dot(x, x)) - s[j]!) / rounding];
    for (let k = 0; k < j; k++)
      off.push(Math.abs(dot(x, images[k]!)) / (rounding * (s[j]! + s[k]! + rounding)));
    worst = off.reduce((a, b) => (b <= a ? a : b), worst);
  });
  expect(rounding > 0 ? worst : 0).toBeLessThanOrEqual(1);
  // Falling, to the rounding of equal ones.
  s.forEach((x, k) => {
    if (k > 0) expect(x).toBeLessThanOrEqual(s[k - 1]! * (1 + n * EPS));
  });
  expect(s[n - 1]).toBeGreaterThanOrEqual(0);
}

/** Each value within the bound that the kernel states. */
function expectValues(s: ArrayLike<number>, expected: ArrayLike<number>): void {
  const tolerance = 4 * Math.sqrt(s.length) * EPS * expected[0]!;
  const off = Math.max(...Array.from(expected, (x, k) => Math.abs(x - s[k]!)));
  expect(off).toBeLessThanOrEqual(tolerance);
}

const random = (n: number, seed: number) => Float32Array.from({ length: n * n }, normals(seed));

/** The matrix with these singular values and random singular vectors, or the given ones. */
function withValues(
  s: readonly number[],
  seed: number,
  [u, v] = [orthonormal(s.length, s.length, seed), orthonormal(s.length, s.length, seed + 1)] as const,
): Float64Array {
  const n = s.length;
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

  /** Numbers from [0, 1) → a singular value. */
  const families: Record<string, (x: number, y: number) => number> = {
    'of every size': (x) => (x < 0.1 ? 0 : 10 ** (1 - Math.ceil(10 * x))),
    graded: (x) => 10 ** (-9 * x),
    // At all distances, in one cluster, in two, and in many of every size.
    'nearly one': (x, y) => 1 + 10 ** -Math.floor(8 * x) * y,
    'nearly two': (x, y) => (x < 0.5 ? 1 : 0.1) * (1 + 10 ** -Math.floor((16 * x) % 8) * y),
    clustered: (x, y) => 10 ** -Math.floor(8 * y) * (1 + 10 ** -Math.floor(8 * x) * ((97 * y) % 1)),
    tiny: (x) => 1e-30 * x,
  };

  it.each([2, 3, 5, 8, 20, 33, 64])('holds for spectra of every kind at size %i', async (n) => {
    const next = normals(n);
    const uniform = () => (((1e4 * next()) % 1) + 1) % 1;
    const bases = Array.from({ length: 12 }, (_, i) => orthonormal(n, n, 100 * n + i));
    const spectra = Object.values(families).flatMap((value) =>
      Array.from({ length: Math.ceil(300 / n) }, () =>
        Array.from({ length: n }, () => value(uniform(), uniform())).sort((x, y) => y - x),
      ),
    );
    const basis = () => bases[Math.floor(bases.length * uniform())]!;
    const results = await decompose(
      spectra.map((s) => withValues(s, 0, [basis(), basis()])),
      n,
    );
    results.forEach((factors, b) => {
      expectSound(factors);
      if (spectra[b]![0]! > 0) expectValues(factors.s, spectra[b]!);
    });
  });

  it('keeps a row that nearly vanishes where rows of zeros fill the last block', async () => {
    // The smaller value was lost once, as the row's squared norm was carried below zero.
    const a = [-4.0071257e-4, -3.6825074e-4, 6.175887e-4, 5.678072e-4];
    const [factors] = (await decompose([a], 2)) as [Factors];
    expectValues(factors.s, [1e-3, 1e-7]);
  });

  it('holds for random spectra', async () => {
    await fc.assert(
      fc.asyncProperty(
        seeds,
        fc.constantFrom(2, 7, N),
        fc.constantFrom(...Object.values(families)),
        fc.integer({ min: -20, max: 20 }),
        async (seed, n, value, scale) => {
          const next = normals(seed);
          const uniform = () => (((1e4 * next()) % 1) + 1) % 1;
          const s = Array.from({ length: n }, () => 10 ** scale * value(uniform(), uniform())).sort(
            (x, y) => y - x,
          );
          fc.pre(s[0]! > 1e-30);
          const [factors] = (await decompose([withValues(s, seed)], n)) as [Factors];
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

  it.each([36, 70])('holds where lanes share rows, as on GPUs, at size %i', async (n) => {
    const gpu = (t: AdapterTraits): AdapterTraits => ({ ...t, kind: 'hardware' });
    const spectra = [
      ...Object.values(families).map((value) =>
        Array.from({ length: n }, (_, k) => value(k / n, ((7 * k) % n) / n)).sort((x, y) => y - x),
      ),
      Array.from({ length: n }, (_, k) => (k < 5 ? 10 - k : 0)),
    ];
    const results = await decompose(
      [...spectra.map((s, b) => withValues(s, 10 * b + 1)), new Float32Array(n * n)],
      n,
      gpu,
    );
    results.forEach((factors, b) => {
      expectSound(factors);
      if (spectra[b]?.[0]) expectValues(factors.s, spectra[b]);
    });
  });

  it('asks GPUs for subgroups that it fills, where they can be asked', () => {
    const of = (traits: AdapterTraits) => svd({ size: 64, batch: 1 }, traits).wgsl;
    expect(of({ ...knownTraits.gpu, sizedSubgroups: true })).toContain(
      '@subgroup_size(32) @workgroup_size(32)',
    );
    expect(of(knownTraits.gpu)).not.toContain('subgroup_size');
    expect(of({ ...withoutSubgroups(knownTraits.gpu), sizedSubgroups: true })).not.toContain('subgroup_size');
    expect(of({ ...knownTraits.lavapipe, sizedSubgroups: true })).not.toContain('subgroup_size');
  });

  it('refuses sizes it cannot hold', async () => {
    await withGpu(({ traits }) => {
      expect(() => svd({ size: 129, batch: 1 }, traits)).toThrow('size 129');
    });
  });
});
