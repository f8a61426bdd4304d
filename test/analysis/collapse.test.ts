import { describe, expect, test } from 'vitest';
import { type Collapse, neuralCollapse } from '../../src/analysis/measures/collapse.ts';
import { collapseOf } from '../fidelity/reference/collapse.ts';
import { randomNumbers } from '../fidelity/support.ts';

/** Features around a point per class, far enough apart to be mostly classified right. */
function madeUp(sizes: readonly number[], dim: number) {
  const next = randomNumbers(sizes.length * dim);
  const numbers = (count: number, scale: number) =>
    Array.from({ length: count }, () => scale * (next() - 0.5));
  const weights = sizes.map(() => numbers(dim, 2));
  const points = sizes.map(() => numbers(dim, 3));
  const labels = sizes.flatMap((size, c) => new Array<number>(size).fill(c));
  const features = labels.map((c) => numbers(dim, 2).map((x, d) => Math.fround(x + points[c]![d]!)));
  return { features, labels, weights, predicted: labels.map((c) => (next() < 0.2 ? 0 : c)) };
}

const measure = ({ features, labels, weights, predicted }: ReturnType<typeof madeUp>): Collapse =>
  neuralCollapse(
    { features: Float32Array.from(features.flat()), labels, predicted },
    weights.map((row) => Float64Array.from(row)),
  );

describe('neural collapse', () => {
  test.each([
    ['classes of one size', [9, 9, 9, 9], 7],
    ['two classes', [12, 10], 5],
    ['classes of many sizes, one of a single image', [1, 30, 4, 8, 2], 6],
    ['a class without images', [9, 0, 7, 8], 6],
    ['more classes than features', [6, 7, 8, 9, 6], 3],
  ])('is as whole covariance matrices say: %s', (_, sizes, dim) => {
    const given = madeUp(sizes, dim);
    const { features, labels, predicted, weights } = given;
    const { examples, ...found } = measure(given);
    expect(examples).toBe(features.length);
    for (const [name, wanted] of Object.entries(collapseOf(features, labels, predicted, weights))) {
      const value = found[name as keyof typeof found]!;
      expect(Math.abs(value - wanted), `${name}: ${value} for ${wanted}`).toBeLessThan(1e-9 * (1 + wanted));
    }
  });

  test('the first of two equally near class means is the nearest', () => {
    const features = Float32Array.of(-2, 0, 0, 2);
    const labels = [0, 0, 1, 1];
    const weights = [-1, 1].map((w) => Float64Array.of(w));
    const nc4 = (predicted: number[]) => neuralCollapse({ features, labels, predicted }, weights).nc4;
    expect([nc4([0, 0, 0, 1]), nc4([0, 1, 1, 1])]).toEqual([0, 0.5]);
  });

  test('is known of features where all weights are 0', () => {
    const given = madeUp([3, 4, 5], 4);
    const { nc1, nc2Norms, nc2Angles, nc3, nc4, ...none } = measure({
      ...given,
      weights: given.weights.map((row) => row.map(() => 0)),
    });
    expect([nc1, nc2Norms, nc2Angles, nc4]).not.toContain(null);
    expect([nc3, none.weightNorms, none.weightAngles]).toEqual([null, null, null]);
  });

  test('is complete where all images of a class are one, means are a simplex, and the classifier is in line with them', () => {
    const corners = [0, 1, 2].map((c) => [0, 1, 2, 3].map((d) => (d === c ? 4 : 1)));
    const labels = [0, 0, 1, 1, 2, 2];
    const given = { features: labels.map((c) => corners[c]!), labels, predicted: labels };
    // Twice the centred means, which lie in the plane where the first three coordinates add up to 0.
    const weights = [0, 1, 2].map((c) => [0, 1, 2, 3].map((d) => (d === 3 ? 0 : d === c ? 4 : -2)));
    const { examples, ...rest } = measure({ ...given, weights });
    expect(examples).toBe(6);
    for (const value of Object.values(rest)) expect(value).toBeCloseTo(0, 12);
  });

  test("is undefined where the network puts all images in one place, to float32's rounding", () => {
    const labels = [0, 1, 2, 0, 0, 1];
    const features = labels.map((_, n) => [0.3 + (n % 2) * 3e-8, 0, 2]);
    const weights = [0, 1, 2].map(() => [0, 0, 0]);
    const { nc4, ...found } = measure({ features, labels, predicted: labels.map(() => 0), weights });
    expect(nc4).toBeNull();
    expect(found).toEqual({
      ...{ examples: 6, nc1: null, nc2Norms: null, nc2Angles: null, nc3: null },
      ...{ weightNorms: null, weightAngles: null },
    });
  });

  test('is undefined where there are images of one class only', () => {
    const found = measure(madeUp([0, 5], 3));
    expect(found).toMatchObject({ nc1: null, nc2Norms: null, nc2Angles: null, nc3: null });
  });
});
