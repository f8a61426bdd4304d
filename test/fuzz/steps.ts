import { bind } from '../../src/autograd/bind.ts';
import * as c from '../../src/autograd/functions.ts';
import { orthonormalize } from '../../src/autograd/linalg.ts';
import { broadcastShapes, type Integer, isInteger, sizeOf } from '../../src/autograd/shape.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import type { Sides, Window } from '../../src/kernels/window.ts';
import { outputSides } from '../../src/kernels/window.ts';
import { type Builder, broadcastable, fitsBeside, LARGEST, MOST_WORK } from './builder.ts';

/** What is drawn for a step beside its operation. */
export interface Choices {
  /** Which operands, counted from the last that fits. */
  readonly at: readonly [number, number, number];
  /** Whatever else there is to choose. */
  readonly n: number;
}

const axesBy = (rank: number, n: number) =>
  Array.from({ length: rank }, (_, i) => i - rank).filter((_, i) => ((n % (2 ** rank - 1)) + 1) & (1 << i));

function permutation(rank: number, n: number): number[] {
  const left = Array.from({ length: rank }, (_, i) => i);
  return Array.from({ length: rank }, (_, i) => left.splice((n >> (2 * i)) % left.length, 1)[0]!);
}

/** Makes one tensor or several. */
export type Make = (b: Builder, step: Choices) => Tensor | readonly Tensor[];

const unary =
  (f: (x: Tensor) => Tensor): Make =>
  (b, { at }) =>
    f(b.float(at[0]));

const binary =
  (f: (x: Tensor, y: Tensor) => Tensor): Make =>
  (b, { at, n }) => {
    const x = b.float(at[0]);
    const y = b.partner(at[1], n, x);
    return n & 4096 ? f(y, x) : f(x, y);
  };

/** Integers: there are some by then, or coordinates. */
const integer = (b: Builder, nth: number, fits: (t: Tensor) => boolean = () => true): Tensor =>
  b.find(nth, (t) => isInteger(t.dtype) && fits(t)) ?? c.iota(b.shape(41 * nth + 6), -1);

const integers =
  (f: (x: Tensor, y: Tensor) => Tensor): Make =>
  (b, { at, n }) => {
    const x = integer(b, at[0]);
    return f(x, b.partner(at[1], n, x));
  };

/** Integers that have axes. */
const axial =
  (f: (x: Tensor, axes: number[], n: number) => Tensor): Make =>
  (b, { at, n }) => {
    const x = integer(b, at[0], (t) => t.rank > 0);
    return f(x, axesBy(x.rank, n), n);
  };

const typeOf = (n: number): Integer => (n & 1 ? 'u32' : 'i32');

const condition = (b: Builder, { at, n }: Choices): Tensor => {
  const known = b.find(at[2], (t) => t.dtype === 'bool');
  if (known && n % 3 > 0) return known;
  const x = n % 2 ? b.float(at[2]) : integer(b, at[2]);
  return (n & 16 ? c.greater : c.equal)(x, b.partner(at[0], n >> 2, x));
};

/** The last two axes of a tensor are a matrix. */
const matrix = (b: Builder, nth: number): Tensor => {
  const x = b.float(nth);
  return x.rank >= 2 ? x : c.reshape(x, [1, x.size]);
};

const matmul: Make = (b, { at, n }) => {
  const x = matrix(b, at[0]);
  const [transposeA, transposeB] = [(n & 1) > 0, (n & 2) > 0];
  const k = x.shape.at(transposeA ? -2 : -1)!;
  const m = x.size / k;
  const lead = x.shape.slice(0, -2);
  const fits = (t: Tensor) =>
    t.rank >= 2 &&
    t.shape.at(transposeB ? -1 : -2) === k &&
    broadcastable([lead, t.shape.slice(0, -2)]) &&
    sizeOf(broadcastShapes('fits', [lead, t.shape.slice(0, -2)])) * m * t.size <= MOST_WORK;
  const known = n & 4 ? b.find(at[1], (t) => t.dtype === 'f32' && fits(t)) : undefined;
  const columns = Math.max(1, Math.min(b.side(n >> 3), Math.floor(MOST_WORK / x.size)));
  const own = n & 32 ? lead.map((d, i) => ((n >> (6 + i)) & 1 ? 1 : d)) : [];
  const y = known ?? b.fresh([...own, ...(transposeB ? [columns, k] : [k, columns])]);
  return c.matmul(x, y, { transposeA, transposeB });
};

/** A window over an image of some sides. */
function windowBy(image: Sides, n: number): Window {
  const along = (side: number, bits: number) => {
    const size = 1 + (bits % Math.min(3, side));
    return { size, padding: (bits >> 2) % size, stride: 1 + ((bits >> 4) % 2) };
  };
  const [h, w] = [along(image[0], n), along(image[1], n >> 5)];
  return { image, size: [h.size, w.size], padding: [h.padding, w.padding], stride: [h.stride, w.stride] };
}

/** An image [… , n, h, w, channels] (for pooling, without n): one that there is, or a new one. */
const imageOf = (b: Builder, nth: number, n: number): Tensor =>
  b.find(nth, (t) => t.dtype === 'f32' && t.rank >= 4 && t.size <= 1500) ??
  b.fresh([1 + (n % 2), 2 + (n % 5), 1 + ((n >> 3) % 6), Math.min(b.side(n), 8)]);

const conv: Make = (b, { at, n }) => {
  const x = imageOf(b, at[0], n);
  const [images, h, w, channels] = x.shape.slice(-4) as [number, number, number, number];
  const window = windowBy([h, w], n >> 1);
  const features = Math.min(b.side(n >> 4), 8);
  const lead = n & 2048 && x.rank > 4 ? x.shape.slice(0, -4) : [];
  const y = () => b.fresh([...lead, images, ...outputSides(window), features]);
  switch (n % 3) {
    case 0:
      return c.conv('forward', x, b.fresh([...lead, features, ...window.size, channels]), window);
    case 1:
      return c.conv('weightGradient', y(), x, window);
    default:
      return c.conv('inputGradient', y(), b.fresh([channels, ...window.size, features]), window);
  }
};

const maxPool: Make = (b, { at, n }) => {
  const x = imageOf(b, at[0], n);
  const [h, w, channels] = x.shape.slice(-3) as [number, number, number];
  const window = windowBy([h, w], n >> 1);
  const lead = x.shape.slice(0, -3);
  switch (n % 4) {
    case 0:
      return bind('maxPool', [b.fresh(x.shape), b.frozen(x)], { part: 'tangent', window });
    case 1: {
      const u = b.fresh([...lead, ...outputSides(window), channels]);
      return bind('maxPool', [u, b.frozen(x)], { part: 'cotangent', window });
    }
    default:
      return bind('maxPool', [x], { part: 'value', window });
  }
};

const take: Make = (b, { at, n }) => {
  const table = n % 2 ? b.float(at[0], (t) => t.rank >= 1) : b.fresh(b.shape(n >> 2), 'u8');
  const axis = table.dtype === 'u8' ? 0 : (n >> 9) % table.rank;
  const rows = table.shape[axis]!;
  const count = Math.max(1, Math.min(b.side(n >> 3), Math.floor(LARGEST / (table.size / rows))));
  const known = n & 4 ? b.find(at[1], (t) => isInteger(t.dtype) && t.rank === 1) : undefined;
  const scale = [1, 1 / 255, -2][(n >> 5) % 3]!;
  return c.take(table, known ? c.rem(c.cast(known, 'u32'), rows) : b.fresh([count], typeOf(n >> 8), rows), {
    axis,
    scale,
    shift: [0, 0.5][(n >> 7) % 2]!,
  });
};

const reshape: Make = (b, { at, n }) => {
  const x = b.find(at[0], () => true) ?? b.float(at[0]);
  const { shape, rank } = x;
  switch (n % 6) {
    case 0:
      return c.reshape(x, [x.size]);
    case 1:
      return rank < 2 ? c.reshape(x, [x.size, 1]) : c.reshape(x, [shape.at(-2)! * shape.at(-1)!], 2);
    case 2:
      return c.reshape(x, [1, ...shape]);
    case 3:
      return c.reshape(
        x,
        shape.filter((d) => d !== 1),
      );
    case 4:
      return rank < 2 ? c.reshape(x, [1, x.size, 1]) : c.reshape(x, [shape.at(-1)!, shape.at(-2)!], 2);
    default: {
      const side = b.sides.find((d) => rank > 0 && shape.at(-1)! % d === 0 && shape.at(-1)! > d);
      return side ? c.reshape(x, [side, shape.at(-1)! / side], 1) : c.reshape(x, [...shape, 1]);
    }
  }
};

const broadcast: Make = (b, { at, n }) => {
  const x = b.find(at[0], (t) => t.size <= 1000) ?? b.float(at[0]);
  const lead = n % 3 === 0 ? [1] : [];
  const from = [...lead, ...x.shape];
  const to = from.map((d, i) => (d === 1 && (n >> (i + 2)) & 1 ? b.side(n >> (i + 5)) : d));
  return sizeOf(to) <= LARGEST && to.length ? c.broadcast(c.reshape(x, from), to) : x;
};

/** Every operation, and some idioms that passes of the compiler look for. */
export const STEPS = {
  input: (b, { n }) => b.fresh(b.shape(n)),
  integers: (b, { n }) => b.fresh(b.shape(n >> 1), typeOf(n)),
  constant: (b, { n }) =>
    c.broadcastLike(b.literal(n, n & 64 ? typeOf(n >> 7) : 'f32'), b.fresh(b.shape(n >> 2))),
  full: (b, { n }) => c.full(b.extreme ? (n % 7) - 3 : (n % 3) + 1, b.shape(n >> 3)),
  iota: (b, { n }) => c.iota(b.shape(n), -1 - ((n >> 3) % b.shape(n).length)),
  copy: (b, { at }) => bind('copy', [b.find(at[0], () => true) ?? b.float(0)], {}),
  stopGradient: unary(c.stopGradient),
  add: binary(c.add),
  sub: binary(c.sub),
  mul: binary(c.mul),
  div: binary(c.div),
  maximum: binary(c.maximum),
  minimum: binary(c.minimum),
  square: unary(c.square),
  neg: unary(c.neg),
  exp: unary(c.exp),
  log: unary(c.log),
  sqrt: unary(c.sqrt),
  rsqrt: unary(c.rsqrt),
  cos: unary(c.cos),
  sin: unary(c.sin),
  tanh: unary(c.tanh),
  sigmoid: unary(c.sigmoid),
  erf: unary(c.erf),
  pow: binary(c.pow),
  abs: unary(c.abs),
  sign: unary(c.sign),
  floor: unary(c.floor),
  round: unary(c.round),
  relu: unary(c.relu),
  normalize: (b, { at, n }) => {
    const x = b.float(at[0]);
    const [mean, rate, weight] = [0, 1, 2].map((i) => b.partner(at[1] + i, n >> i, x)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    return c.normalize(x, mean, rate, weight, b.partner(at[2], n >> 3, x));
  },
  greater: binary(c.greater),
  equal: binary(c.equal),
  logic: (b, step) => {
    const [p, q] = [condition(b, step), condition(b, { ...step, n: step.n >> 1 })];
    const other = fitsBeside(q, [p.shape]) ? q : c.not(p);
    return [c.and, c.or, (x: Tensor, y: Tensor) => c.where(c.not(x), y, x)][step.n % 3]!(p, other);
  },
  orders: binary((x, y) => c.or(c.lessEqual(x, y), c.notEqual(x, y))),
  where: (b, step) => {
    const when = condition(b, step);
    const x = b.float(step.at[0], (t) => fitsBeside(t, [when.shape]));
    const choice = fitsBeside(x, [when.shape]) ? when : c.greater(x, 0);
    const y = b.partner(step.at[1], step.n, x, choice);
    return step.n & 4096 ? c.where(choice, y, x) : c.where(choice, x, y);
  },
  uWhere: (b, step) => {
    const x = integer(b, step.at[0]);
    return c.where(c.greater(x, b.partner(step.at[1], step.n, x)), x, b.partner(step.at[2], step.n >> 3, x));
  },
  uAdd: integers(c.add),
  uSub: integers(c.sub),
  uMul: integers(c.mul),
  uDiv: integers(c.div),
  uRem: integers(c.rem),
  uMax: integers(c.maximum),
  uMin: integers(c.minimum),
  uGreater: integers(c.greater),
  uEqual: integers(c.equal),
  uSign: (b, { at, n }) => {
    const x = b.find(at[0], (t) => t.dtype === 'i32') ?? b.fresh(b.shape(n), 'i32');
    return [c.neg, c.abs, c.sign][n % 3]!(x);
  },
  uSum: axial((x, axes) => c.sum(x, axes)),
  uProd: axial((x, axes) => c.prod(x, axes)),
  uExtreme: axial((x, axes, n) => [c.amax, c.amin][n % 2]!(x, axes)),
  uCumsum: axial((x, _, n) => c.cumsum(x, n % x.rank, { reverse: (n & 64) > 0 })),
  shuffle: (b, { at, n }) => {
    const x = integer(b, at[0]);
    const size = [1, 2, 5, 16, 100][n % 5]!;
    return c.shuffle(c.rem(c.cast(x, 'u32'), size), n & 8 ? b.fresh([1], 'u32') : c.constant(n, 'u32'), size);
  },
  castToInteger: (b, { at, n }) => {
    const x = b.find(at[0], (t) => t.dtype !== typeOf(n)) ?? b.float(at[0]);
    return c.cast(x, typeOf(n));
  },
  castToFloat: (b, { at }) => c.cast(b.find(at[0], (t) => t.dtype !== 'f32') ?? integer(b, at[0]), 'f32'),
  reshape,
  transpose: (b, { at, n }) => {
    const x = b.find(at[0], (t) => t.rank >= 2) ?? matrix(b, at[0]);
    const rank = 2 + ((n >> 8) % (x.rank - 1));
    return c.transpose(x, permutation(rank, n));
  },
  broadcast,
  slice: (b, { at, n }) => {
    const x = b.find(at[0], (t) => t.rank > 0) ?? b.float(at[0], (t) => t.rank > 0);
    const axis = n % x.rank;
    const side = x.shape[axis]!;
    const start = ((n >> 3) % 3 === 0 ? 4 * ((n >> 5) % 2) : n >> 5) % side;
    return c.slice(x, start, start + 1 + ((n >> 8) % (side - start)), axis);
  },
  concat: (b, { at, n }) => {
    const x =
      b.find(at[0], (t) => t.rank > 0 && t.size <= LARGEST / 3 && t.dtype !== 'u8') ?? b.fresh([3, 4]);
    const axis = -1 - (n % x.rank);
    const fits = (t: Tensor) =>
      t.dtype === x.dtype &&
      t.rank === x.rank &&
      t.size <= LARGEST / 3 &&
      x.shape.every((d, i) => i === x.rank + axis || d === t.shape[i]);
    const [y, z] = [b.find(at[1], fits) ?? x, b.find(at[2], fits) ?? x];
    return c.concat(n & 64 ? [x, y] : [x, y, z], axis);
  },
  pad: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0 && t.size <= LARGEST / 5);
    const widths = x.shape.slice(-2).map((_, i) => [(n >> (2 * i)) & 3, (n >> (4 + 2 * i)) & 3] as const);
    const shape = x.shape.map(
      (d, i) => d + (widths[i - x.rank + widths.length] ?? [0, 0]).reduce((p, q) => p + q),
    );
    return sizeOf(shape) <= LARGEST ? c.pad(x, widths, b.extreme ? Number.NEGATIVE_INFINITY : n & 1) : x;
  },
  sum: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0);
    return c.sum(x, axesBy(x.rank, n));
  },
  mean: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0);
    return c.mean(x, axesBy(x.rank, n));
  },
  amax: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0);
    return c.amax(x, axesBy(x.rank, n));
  },
  amin: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0);
    return c.amin(x, axesBy(x.rank, n));
  },
  prod: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0);
    return c.prod(x, axesBy(x.rank, n));
  },
  cumsum: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0);
    return c.cumsum(x, n % x.rank, { reverse: (n & 64) > 0 });
  },
  variance: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0);
    return c.variance(x, axesBy(x.rank, n));
  },
  /** Scaled within a sum: factors move out of it. */
  weightedSum: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank > 0);
    const axes = axesBy(x.rank, n);
    const scale =
      n & 64 ? b.literal(n >> 7, 'f32') : b.fresh(x.shape.map((d, i) => (axes.includes(i - x.rank) ? 1 : d)));
    return c.sum(c.mul(c.neg(x), scale), axes);
  },
  /** Literals meet in products of products. */
  scaledTwice: (b, { at, n }) => {
    const [p, q] = [b.literal(n, 'f32'), b.literal(n >> 4, 'f32')];
    return c.mul(c.mul(b.float(at[0]), p), q);
  },
  matmul,
  /** Unit vectors times a matrix: its rows. */
  rows: (b, { at, n }) => {
    const x = matrix(b, at[0]);
    const d = x.shape.at(-2)!;
    if (d > 40) return x;
    const unit = c.cast(c.equal(c.iota([d, d]), c.iota([d, d], -2)), 'f32');
    return n % 2 ? c.matmul(unit, x) : c.matmul(c.mT(x), unit, { transposeB: true });
  },
  conv,
  maxPool,
  take,
  scatterAdd: (b, { at, n }) => {
    const x = b.float(at[0], (t) => t.rank >= 1);
    const axis = (n >> 9) % x.rank;
    const count = x.shape[axis]!;
    const rows = Math.max(1, Math.min(b.side(n >> 3), Math.floor((LARGEST * count) / x.size)));
    return c.scatterAdd(x, b.fresh([count], typeOf(n >> 5), rows + (n % 2)), rows, axis);
  },
  random: (b, { n }) =>
    c.random(b.fresh([2], 'u32'), b.shape(n >> 1), {
      distribution: n % 2 ? 'normal' : 'uniform',
      stream: n % 3,
    }),
  logsumexp: (b, { at }) => c.logsumexp(b.float(at[0], (t) => t.rank > 0)),
  argmax: (b, { at }) => c.argmax(b.float(at[0], (t) => t.rank > 0)),
  orthonormalize: (b, { at }) => {
    const x = matrix(b, at[0]);
    const [r, d] = x.shape.slice(-2) as [number, number];
    return x.size <= 2000 ? orthonormalize(b.frozen(r > d ? c.mT(x) : x)) : x;
  },
  svd: (b, { at, n }) => {
    const x = matrix(b, at[0]);
    const size = Math.min(...x.shape.slice(-2), 12);
    const square =
      x.shape.at(-1) === x.shape.at(-2) && size < 12 && x.size <= 500 ? x : b.fresh([size, size]);
    const parts = (['s', 'v'] as const).map((part) => bind('svd', [b.frozen(square)], { part }));
    return n % 3 === 0 ? parts : parts[n % 2]!;
  },
} satisfies Record<string, Make>;

/** How often each operation is drawn, but once. */
const OFTEN: Partial<Record<keyof typeof STEPS, number>> = {
  input: 3,
  add: 4,
  mul: 4,
  sub: 2,
  div: 3,
  relu: 2,
  where: 3,
  sum: 3,
  amax: 2,
  reshape: 3,
  transpose: 3,
  broadcast: 3,
  matmul: 2,
};

export const OPERATIONS = Object.keys(STEPS) as (keyof typeof STEPS)[];
/** All of them, each as often as it is to be drawn. */
export const DRAWN = OPERATIONS.flatMap((op) => new Array<keyof typeof STEPS>(OFTEN[op] ?? 1).fill(op));
