import { bind } from './bind.ts';
import * as c from './functions.ts';
import { expectTensors, type Tensor, type Typed } from './tensor.ts';

/** Elements of a vector that eight lanes of a subgroup keep in registers; beyond, kernels need barriers. */
const SEGMENT = 256;

/**
 * An orthonormal set for each set of vectors `x [… , r, d]`: its first j vectors span what the first j of
 * `x` span, as far as those are independent.
 *
 * Long vectors are cut into segments, whose bases, and coordinates in them, are cheap. The coordinates,
 * shorter vectors with the same inner products, are orthonormalized in turn (TSQR: Demmel, Grigori, Hoemmen
 * & Langou, *Communication-optimal parallel and sequential QR and LU factorizations*, SIAM J. Sci. Comput.
 * 2012). Most of the work is matrix products, and even few sets have many segments to work on side by side.
 * @example orthonormalize(array([3, 4, 0, 1], [2, 2])) // [[0.6, 0.8], [-0.8, 0.6]]
 */
export function orthonormalize(x: Tensor): Typed {
  expectTensors('orthonormalize', [x]);
  if (x.rank < 2) return bind('orthonormalize', [x], {}); // Its rule says what is wrong.
  const [r, d] = x.shape.slice(-2) as [number, number];
  const length = segmentLength(r, d);
  if (length >= d) return bind('orthonormalize', [x], {});
  const count = Math.ceil(d / length);
  // The products mix vectors of very different lengths.
  const top = c.amax(c.maximum(x, c.neg(x)), -1);
  const even = c.div(x, c.where(c.greater(top, 0), top, 1));
  const segments = split(count * length > d ? resize(even, count * length) : even, count);
  const bases = bind('orthonormalize', [segments], {});
  const coordinates = join(c.matmul(segments, bases, { transposeB: true }));
  const q = join(c.matmul(split(orthonormalize(coordinates), count), bases));
  return count * length > d ? resize(q, d) : q;
}

/**
 * Length of the segments of r vectors of d elements; d if one kernel should do. The last may be shorter and
 * is padded with zeros; if r elements remain, bases are zero there too. Better is a length that divides d,
 * and one that allows loads of four elements.
 */
function segmentLength(r: number, d: number): number {
  const most = Math.max(SEGMENT, 4 * r);
  if (d <= 1.5 * most) return d;
  const lengths = Array.from({ length: most - 2 * r + 1 }, (_, i) => most - i);
  const whole = (m: number) => d % m === 0;
  const quads = (m: number) => m % 4 === 0;
  return (
    lengths.find((m) => whole(m) && quads(m) && 2 * m >= most) ??
    lengths.find((m) => quads(m) && d % m >= r) ??
    d
  );
}

/** [… , r, count·m] → [… , count, r, m]. */
const split = (x: Tensor, count: number): Tensor =>
  c.transpose(c.reshape(x, [x.shape.at(-2)!, count, x.shape.at(-1)! / count], 2), [1, 0, 2]);

/** [… , count, r, m] → [… , r, count·m]. */
function join(x: Typed): Typed {
  const [count, r, m] = x.shape.slice(-3) as [number, number, number];
  return c.reshape(c.transpose(x, [1, 0, 2]), [r, count * m], 3);
}

/** Vectors cut, or padded with zeros, to another length. */
function resize(x: Tensor, to: number): Typed {
  const d = x.shape.at(-1)!;
  const others = Array.from({ length: x.rank - 1 }, (_, i) => i);
  const index = to > d ? c.minimum(c.iota([to]), d - 1) : c.iota([to]);
  const elements = c.take(c.transpose(x, [x.rank - 1, ...others]), index);
  const vectors = c.transpose(elements, [...others.map((i) => i + 1), 0]);
  return to > d ? c.where(c.greater(d, c.iota([to])), vectors, 0) : vectors;
}

/** Singular values `s [… , n]`, descending, and right singular vectors, rows of `v`, of `a [… , n, n]`. */
export function rightSvd(a: Tensor): { s: Typed; v: Typed } {
  const part = (p: 's' | 'v'): Typed => bind('svd', [a], { part: p });
  return { s: part('s'), v: part('v') };
}

/**
 * Left singular vectors from images `x [… , r, n]` of orthonormal right ones, by descending singular value:
 * sₖ uₖ. Where sₖ is lost in the rounding of s₁, uₖ is a unit vector orthogonal to all before.
 */
export function leftVectors(x: Tensor): Typed {
  const q = orthonormalize(x);
  const along = c.sum(c.mul(q, x), -1);
  return c.mul(q, c.where(c.greater(0, along), c.full(-1, along.shape), c.full(1, along.shape)));
}

/**
 * Singular value decomposition of square matrices `a [… , n, n]`: rows of `u` and `v` are singular vectors.
 * @example svd(array([0, 2, 1, 0], [2, 2])).s // [2, 1]
 */
export function svd(a: Tensor): { u: Typed; s: Typed; v: Typed } {
  const { s, v } = rightSvd(a);
  return { u: leftVectors(c.matmul(v, a, { transposeB: true })), s, v };
}
