import fc from 'fast-check';
import { Matrix, QrDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
import { qr } from '../../src/kernels/qr.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';
import {
  dot,
  normals,
  orthonormal,
  outside,
  seeds,
  unorthogonality,
  withoutSubgroups,
} from './linear-algebra.ts';

type Vectors = readonly ArrayLike<number>[];

/** Orthonormalizes each problem's vectors, all problems of one shape in one dispatch. */
async function orthonormalize(
  problems: readonly Vectors[],
  traits: (t: AdapterTraits) => AdapterTraits = (t) => t,
): Promise<Float32Array[][]> {
  const [batch, r, d] = [problems.length, problems[0]!.length, problems[0]![0]!.length];
  const y = new Float32Array(r * batch * d);
  problems.forEach((vectors, b) => {
    vectors.forEach((v, j) => {
      y.set(v, (b * r + j) * d);
    });
  });
  const [, q] = await withGpu((gpu) =>
    runKernel(gpu, qr({ vectors: r, batch, dim: d }, traits(gpu.traits)), [y, y.length]),
  );
  return problems.map((_, b) =>
    Array.from({ length: r }, (_, j) => q!.subarray((b * r + j) * d, (b * r + j + 1) * d)),
  );
}

const random = (r: number, d: number, seed: number) => {
  const next = normals(seed);
  return Array.from({ length: r }, () => Float32Array.from({ length: d }, next));
};

const TOLERANCE = 4e-6;

describe('qr', () => {
  it('agrees with float64 up to signs', async () => {
    const problems = [1, 2, 3, 4, 5].map((seed) => random(10, 48, seed));
    const result = await orthonormalize(problems);
    problems.forEach((y, b) => {
      const expected = new QrDecomposition(
        new Matrix(y.map((v) => [...v])).transpose(),
      ).orthogonalMatrix.transpose();
      result[b]!.forEach((q, j) => {
        expect(Math.abs(dot(q, expected.getRow(j)))).toBeCloseTo(1, 5);
      });
    });
  });

  it.each([
    ['one vector', 1, 48],
    ['as many vectors as dimensions', 48, 48],
    ['a length that is no multiple of four', 7, 37],
    ['vectors of one element', 1, 1],
    ['vectors longer than a subgroup holds', 6, 300],
  ])('gives nested orthonormal bases: %s', async (_, r, d) => {
    const problems = [11, 12, 13].map((seed) => random(r, d, seed));
    const result = await orthonormalize(problems);
    problems.forEach((y, b) => {
      const q = result[b]!;
      expect(unorthogonality(q)).toBeLessThan(TOLERANCE);
      y.forEach((v, j) => {
        expect(outside(v, q.slice(0, j + 1))).toBeLessThan(TOLERANCE);
      });
    });
  });

  it('is orthonormal whatever the input', async () => {
    const [r, d] = [20, 48];
    const full = random(r, d, 21);
    const few = orthonormal(3, d, 22);
    const unit = (k: number) => Float32Array.from({ length: d }, (_, e) => (e === k ? 1 : 0));
    const result = await orthonormalize([
      full.map(() => new Float32Array(d)),
      full.map(() => full[0]!),
      full.map((v, j) => (j % 2 ? v : new Float32Array(d))),
      full.map((_, j) => few[j % 3]!.map((x) => x * (1 + j))),
      full.map((v, j) => (j < 10 ? v : v.map((_, e) => full[j - 10]![e]! + 1e-6 * v[e]!))),
      full.map((_, j) => unit(d - 1 - (j % 5))),
      full.map((_, j) => unit(0).map((x, e) => (e === j ? 1e-25 : x))),
      full.map((v, j) => v.map((x) => x * 10 ** [-30, 15, 0, 37, -37][j % 5]!)),
    ]);
    for (const q of result) expect(unorthogonality(q)).toBeLessThan(TOLERANCE);
  });

  it('spans vectors of any scale', async () => {
    const y = random(20, 48, 31).map((v, j) => v.map((x) => x * 10 ** [-30, 15, 0, -12][j % 4]!));
    const [q] = await orthonormalize([y]);
    y.forEach((v, j) => {
      expect(outside(v, q!.slice(0, j + 1))).toBeLessThan(TOLERANCE);
    });
  });

  it('holds for random ranks and scales', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ seed: seeds, r: fc.integer({ min: 1, max: 48 }), rank: fc.integer({ min: 1, max: 48 }) }),
        async ({ seed, r, rank }) => {
          const basis = orthonormal(rank, 48, seed);
          const next = normals(seed + 1);
          const y = Array.from({ length: r }, () => {
            const scale = 10 ** (4 * next());
            const c = basis.map(() => scale * next());
            return Float32Array.from({ length: 48 }, (_, e) =>
              c.reduce((sum, x, k) => sum + x * basis[k]![e]!, 0),
            );
          });
          const [q] = await orthonormalize([y]);
          expect(unorthogonality(q!)).toBeLessThan(TOLERANCE);
          y.forEach((v, j) => {
            expect(outside(v, q!.slice(0, j + 1))).toBeLessThan(TOLERANCE);
          });
        },
      ),
      { numRuns: 20 },
    );
  });

  it('needs no subgroups', async () => {
    const problems = [41, 42].map((seed) => random(6, 32, seed));
    const [with_, without] = [
      await orthonormalize(problems),
      await orthonormalize(problems, withoutSubgroups),
    ];
    without.forEach((q, b) => {
      expect(unorthogonality(q)).toBeLessThan(TOLERANCE);
      q.forEach((v, j) => {
        expect(dot(v, with_[b]![j]!)).toBeCloseTo(1, 5);
      });
    });
  });

  it('refuses more vectors than dimensions, and vectors that no workgroup holds', async () => {
    await withGpu(({ traits }) => {
      expect(() => qr({ vectors: 5, batch: 1, dim: 4 }, traits)).toThrow(
        '5 vectors of length 4 cannot be orthonormal',
      );
      const small = { ...traits, maxWorkgroupInvocations: 64 };
      expect(() => qr({ vectors: 5, batch: 1, dim: 128 * 64 }, small)).not.toThrow();
      expect(() => qr({ vectors: 5, batch: 1, dim: 128 * 64 + 1 }, small)).toThrow(
        '8193 are longer than the 8192 that a workgroup can hold',
      );
    });
  });
});
