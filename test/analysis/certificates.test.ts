import { describe, expect, test } from 'vitest';
import { verdictOn } from '../../src/analysis/evidence.ts';
import { jacobianPrograms, stackedShapes } from '../../src/analysis/jacobian-programs.ts';
import { diagonalShare, diagonalShareError } from '../../src/analysis/measures/alignment.ts';
import { cosineError, summary } from '../../src/analysis/measures/left-right.ts';
import { gapsOf, vectorErrors } from '../../src/analysis/measures/spectrum.ts';
import { judgeRun } from '../../src/analysis/run-claims.ts';
import { broadcast, equal, full, iota, reshape, where } from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { linearize } from '../../src/autograd/transform.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { inferenceNorm } from '../../src/train/batch-norm.ts';
import { numbers } from '../autograd/support.ts';
import { withGpu } from '../gpu/harness.ts';
import { dot, normals } from '../kernels/linear-algebra.ts';
import { fixture } from '../report/fixture.ts';

const D = 24;
const K = 8;
const network = new FcResNet({
  inputs: D,
  depth: 1,
  width: D,
  classes: 3,
  activation: 'relu',
  skip: true,
});
const [stage] = network.stages;
const weights = Object.fromEntries(
  [...stackedShapes(network, stage!, 1)].map(([name, shape], i) => [`block.${name}`, { shape, i }]),
);

/** Residuals as a program has them, and in float64 from its triples, over σ_1; and the gaps' errors. */
async function certificates(powerIterations: number, columns: number) {
  const sketch = { columns, powerIterations, filters: 0, triples: K, convention: 'branch', seed: 1 } as const;
  const programs = jacobianPrograms(network, stage!, sketch);
  const specs = [weights, { shape: [1, 1, D] }, { shape: [2], dtype: 'u32' }] as const;
  const data = Object.values(weights).map(({ shape, i }) =>
    numbers(
      shape.reduce((a, b) => a * b),
      i,
      ...((shape.length === 3 && shape[1] === D ? [-0.3, 0.3] : [0.5, 1.5]) as [number, number]),
    ),
  );
  const named = Object.fromEntries(Object.keys(weights).map((name, i) => [name, data[i]!]));
  const h = numbers(D, 99, 0, 1);
  const { u, s, v, residual2 } = await withGpu(async (gpu) => {
    const program = await compile(gpu, programs.triples(false), specs);
    return await program.run(named, h, [1, 2]);
  });
  // Row j is the image of the j-th unit vector.
  const jacobian = (w: Record<string, Tensor>, x: Tensor) => {
    const branch = linearize((y: Tensor) => network.branch(w, 'block', y, inferenceNorm), x);
    const unit = where(equal(iota([D, D]), iota([D, D], -2)), full(1, [D, D]), 0);
    return branch.apply(broadcast(reshape(unit, [D, 1, 1, D]), [D, 1, 1, D]));
  };
  const [j] = interpret(trace(jacobian, [weights, { shape: [1, 1, D] }]), [...data, h]);
  const rows = Array.from({ length: D }, (_, i) => j!.data.subarray(i * D, (i + 1) * D));
  const columnsOf = Array.from({ length: D }, (_, i) => Float64Array.from(rows, (row) => row[i]!));
  const exact = Array.from({ length: K }, (_, k) => {
    const [x, y] = [u, v].map((all) => all!.data.subarray(k * D, (k + 1) * D)) as [
      Float32Array,
      Float32Array,
    ];
    const off = (matrix: ArrayLike<number>[], from: Float32Array, to: Float32Array) =>
      Math.hypot(...matrix.map((m, i) => dot(m, from) - s!.data[k]! * to[i]!));
    return Math.max(off(columnsOf, y, x), off(rows, x, y)) / s!.data[0]!;
  });
  return { reported: Array.from(residual2.data, (x) => Math.sqrt(x) / s!.data[0]!), exact };
}

describe('residuals', () => {
  test('are those of the triples, to float32', async () => {
    const { reported, exact } = await certificates(8, D);
    exact.forEach((x, k) => {
      expect(Math.abs(reported[k]! - x)).toBeLessThan(2e-6);
    });
    expect(Math.max(...reported)).toBeLessThan(5e-6);
    expect(Math.max(...reported)).toBeGreaterThan(0);
  });

  test('tell triples that are none', async () => {
    const { reported, exact } = await certificates(0, K);
    expect(Math.max(...reported)).toBeGreaterThan(0.02);
    exact.forEach((x, k) => {
      expect(reported[k]).toBeCloseTo(x, 5);
    });
  });
});

describe('bounds on vectors', () => {
  test('are residuals over gaps, and 1 where a gap is none', () => {
    expect(gapsOf([4, 3, 2.9, 0], 3)).toEqual([0.25, expect.closeTo(0.025), expect.closeTo(0.025)]);
    expect(vectorErrors([1e-6, 1e-6, 1e-6, null], [0.1, 1e-7, 0, null])).toEqual([
      expect.closeTo(1.41e-5, 7),
      1,
      1,
      1,
    ]);
  });

  test('of cosines hold for vectors that are off by so much', () => {
    for (const [angle, off] of [
      [0.3, 0.01],
      [1.5, 0.1],
      [0, 0.2],
    ] as const)
      expect(Math.abs(Math.cos(angle + 2 * off) - Math.cos(angle))).toBeLessThanOrEqual(
        cosineError(Math.cos(angle), Math.sin(off)) + 1e-12,
      );
    expect(cosineError(Math.cos(0.3), 0.01)).toBeCloseTo(2 * 0.01 * Math.sin(0.3) + 2e-4, 12);
    expect(cosineError(1 + 1e-9, 0.01)).toBeCloseTo(2e-4, 12);
    expect(cosineError(0, 5)).toBe(2);
  });

  test('of a diagonal share hold however vectors of one σ are chosen', () => {
    const next = normals(5);
    for (let trial = 0; trial < 50; trial++) {
      const n = 6;
      const a = Float64Array.from({ length: n * n }, (_, e) => (e % (n + 1) === 0 ? 3 : 0.5) * next());
      const p = trial % (n - 1);
      const errors = Array.from({ length: n }, (_, k) => (k === p || k === p + 1 ? 1 : 0));
      const bound = diagonalShareError(a, n, errors)!;
      for (const theta of [0.3, 1, Math.PI / 2, 2.5]) {
        const [c, s] = [Math.cos(theta), Math.sin(theta)];
        const b = a.slice();
        // Left and right vectors turn together.
        for (let l = 0; l < n; l++) {
          const [x, y] = [b[p * n + l]!, b[(p + 1) * n + l]!];
          [b[p * n + l], b[(p + 1) * n + l]] = [c * x + s * y, c * y - s * x];
        }
        for (let l = 0; l < n; l++) {
          const [x, y] = [b[l * n + p]!, b[l * n + p + 1]!];
          [b[l * n + p], b[l * n + p + 1]] = [c * x + s * y, c * y - s * x];
        }
        expect(Math.abs(diagonalShare(b, n)! - diagonalShare(a, n)!)).toBeLessThanOrEqual(bound);
      }
    }
  });

  test('vanish with the errors, and there is none of a matrix of zeros', () => {
    // Only the diagonal of diag(3, 4) moves: by 3·0.1² and 4·0.2², its squares by 0.1809 and 1.3056, of 25.
    const moved = diagonalShareError(Float64Array.of(3, 0, 0, 4), 2, [0.1, 0.2]);
    expect(moved).toBeCloseTo(Math.hypot(0.1809, 1.3056) / 25, 12);
    expect(diagonalShareError(Float64Array.of(1, 2, 3, 4), 2, [0, 0])).toBe(0);
    expect(diagonalShareError(new Float64Array(4), 2, [1, 1])).toBeNull();
  });
});

describe('a verdict on an uncertain number', () => {
  test('is there only if it is the same wherever the number may lie', () => {
    expect(verdictOn(0.7, { atLeast: 0.65 }, 0.04)).toBe('holds');
    expect(verdictOn(0.7, { atLeast: 0.65 }, 0.06)).toBe('not measurable');
    expect(verdictOn(0.6, { atLeast: 0.65 }, 0.04)).toBe('does not hold');
    expect(verdictOn(0.5, { atLeast: 0.4, atMost: 0.6 }, 0.2)).toBe('not measurable');
    expect(verdictOn(0.3, { atLeast: 0.4, atMost: 0.6 }, 0.05)).toBe('does not hold');
    // Both ends lie outside, and the thresholds between them.
    expect(verdictOn(0.3, { atLeast: 0.4, atMost: 0.6 }, 0.5)).toBe('not measurable');
  });

  test('is not measurable among the claims of a run', () => {
    const { run, control } = fixture({ depth: 8 });
    const { summary } = run.analysis.trained;
    const share = summary.diagonalShare.mean!;
    const verdict = (off: number) => {
      summary.diagonalShareError = { mean: off, std: 0, min: off, max: off };
      return judgeRun(run.analysis, control!.analysis, { trainedAt: undefined, randomLabels: false }).find(
        ({ id }) => id === 'diagonal-share',
      );
    };
    expect(verdict((share - 0.65) / 2)).toMatchObject({ verdict: 'holds' });
    expect(verdict(2 * (share - 0.65))).toMatchObject({
      verdict: 'not measurable',
      reason: expect.stringContaining('by what it may be off'),
      value: share,
      uncertainty: 2 * (share - 0.65),
    });
  });
});

test('a cosine of exactly 0 may be off by as much as any near it', () => {
  const errorOf = (cosine: number) =>
    summary.leftRightError.of(
      [{ leftRight: [[cosine]], sigma: [[1]], residual: [[1e-3]], gap: [[1]] }],
      1,
    )[0]!.mean;
  expect(errorOf(0)).toBeGreaterThan(2e-3);
  expect(errorOf(0)).toBeCloseTo(errorOf(1e-9)!, 9);
});

test('left and right vectors are summarized over the top three triples, fewer where there are no more', () => {
  const sample = (leftRight: number[][]) => ({ leftRight }) as Parameters<typeof summary.leftRight.of>[0][0];
  const samples = [sample([[1, 0.5, 0, -8, 9], [0.25]]), sample([[0.5, 0.5, 0.5, 7], [0.75]])];
  expect(summary.leftRight.of(samples, 2).map(({ mean }) => mean)).toEqual([0.5, 0.5]);
  expect(summary.leftRight.of(samples.slice(1), 1)[0]).toMatchObject({ min: 0.5, max: 0.5 });
});
