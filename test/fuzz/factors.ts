import type { Bounded } from './bounds.ts';

/** Vectors that are not unique, but must be orthonormal and those of their operand. */
export interface Factor {
  readonly op: 'orthonormalize' | 'svd';
  readonly operand: Bounded;
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((s, x, i) => s + x * b[i]!, 0);
const norm = (a: ArrayLike<number>) => Math.hypot(...Array.from(a));
const rowsOf = (data: ArrayLike<number>, start: number, count: number, width: number) =>
  Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length: width }, (_, j) => data[start + i * width + j]!),
  );

/** Allowed loss relative to the largest number involved. */
const TOLERANCE = 2e-5;

/** What is wrong with the rows of orthonormal matrices, if anything is. */
export function wrongVectors({ op, operand }: Factor, got: ArrayLike<number>): string | undefined {
  const [r, d] = operand.shape.slice(-2) as [number, number];
  for (let start = 0; start < got.length; start += r * d) {
    const q = rowsOf(got, start, r, d);
    for (let i = 0; i < r; i++)
      for (let j = 0; j <= i; j++) {
        const product = dot(q[i]!, q[j]!);
        if (!(Math.abs(product - Number(i === j)) <= TOLERANCE))
          return `has rows ${i} and ${j} with the product ${product}`;
      }
    const x = rowsOf(operand.data, start, r, d);
    const slack = norm(operand.error.subarray(start, start + r * d)) + d * 2 ** -120;
    if (op === 'orthonormalize') {
      // Each vector is a combination of as many of the basis as stand before it, and of its own.
      for (let i = 0; i < r; i++) {
        const rest = x[i]!.slice();
        for (let j = 0; j <= i; j++) {
          const along = dot(x[i]!, q[j]!);
          for (let l = 0; l < d; l++) rest[l]! -= along * q[j]![l]!;
        }
        if (!(norm(rest) <= TOLERANCE * norm(x[i]!) + slack)) return `leaves ${norm(rest)} of row ${i}`;
      }
    } else {
      // AᵀA is diagonal between right singular vectors.
      const images = q.map((v) => Float64Array.from({ length: r }, (_, i) => dot(x[i]!, v)));
      const largest = Math.max(...images.map(norm));
      for (let i = 0; i < r; i++)
        for (let j = 0; j < i; j++) {
          const limit =
            (TOLERANCE * largest + slack) *
            Math.max(norm(images[i]!), norm(images[j]!), TOLERANCE * largest + slack) *
            2;
          if (!(Math.abs(dot(images[i]!, images[j]!)) <= limit))
            return `has vectors ${i} and ${j} whose images are not orthogonal`;
          if (norm(images[i]!) > norm(images[j]!) + TOLERANCE * largest + 2 * slack)
            return `has vectors ${i} and ${j} out of order`;
        }
    }
  }
  return undefined;
}
