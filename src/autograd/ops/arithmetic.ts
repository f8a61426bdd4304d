import { SCALARS } from '../../kernels/fused.ts';
import { shuffleIndex, shuffleWgsl } from '../../kernels/shuffle.ts';
import { extreme, isNan, relu } from '../../kernels/special.ts';
import { add, div, greater, mul, neg, sub, sumTo, where, zerosLike } from '../operations.ts';
import type { Rules } from '../rule.ts';
import { holds, isInteger, isNumeric, rangeOf, type Tensor, wrap } from '../tensor.ts';
import { pointwise } from './pointwise-rule.ts';
import { selectTangent, tangentOf, total } from './tangents.ts';

type ArithmeticOp =
  | 'add' | 'sub' | 'mul' | 'div' | 'rem' | 'max' | 'min' | 'neg' | 'relu' | 'normalize' | 'greater' | 'equal' | 'and' | 'or' | 'not' | 'where'
  | 'cast' | 'shuffle' | 'copy' | 'stopGradient'; // biome-ignore format: a list

const identity = {
  operands: ['alike'],
  f64: (x: number) => x,
  wgsl: ([x]: string[]) => x!,
} as const;

const logical = <P extends 'and' | 'or'>(op: P, operator: string, f64: (a: number, b: number) => number) =>
  pointwise(op, {
    operands: ['bool', 'bool'],
    result: 'bool',
    f64,
    wgsl: ([a, b]) => `${a} ${operator} ${b}`,
    jvp: 'zero',
  });

/** Arithmetic, comparisons, choices and conversions, element by element. */
export const arithmeticRules: Pick<Rules, ArithmeticOp> = {
  copy: pointwise('copy', { ...identity, jvp: ([t]) => t! }),
  stopGradient: pointwise('stopGradient', { ...identity, jvp: 'zero' }),
  add: pointwise('add', {
    operands: ['same', 'same'],
    f64: (a, b) => a + b,
    wgsl: ([a, b]) => `${a} + ${b}`,
    // d(a + b) = da + db
    jvp: (t, _, out) => total(t, out),
    transpose: (ct, [a, b], [la, lb]) => [la ? sumTo(ct, a!.shape) : null, lb ? sumTo(ct, b!.shape) : null],
  }),
  sub: pointwise('sub', {
    operands: ['same', 'same'],
    f64: (a, b) => a - b,
    wgsl: ([a, b]) => `${a} - ${b}`,
    // d(a − b) = da − db, recorded as a sum: a difference need not be transposed
    jvp: ([ta, tb], _, out) => total([ta!, tb ? neg(tb) : null], out),
  }),
  mul: pointwise('mul', {
    operands: ['same', 'same'],
    f64: (a, b) => a * b,
    integer: Math.imul,
    wgsl: ([a, b]) => `${a} * ${b}`,
    // d(a b) = da b + a db
    jvp: ([ta, tb], [a, b], out) => total([ta ? mul(ta, b!) : null, tb ? mul(a!, tb) : null], out),
    transpose: (ct, [a, b], [la, lb]) => [
      la ? sumTo(mul(ct, b!), a!.shape) : null,
      lb ? sumTo(mul(ct, a!), b!.shape) : null,
    ],
  }),
  div: pointwise('div', {
    operands: ['same', 'same'],
    f64: (a, b) => a / b,
    // As in WGSL, x / 0 = x and x mod 0 = 0.
    integer: (a, b) => (b ? Math.trunc(a / b) : a),
    wgsl: ([a, b]) => `${a} / ${b}`,
    cost: 4,
    // d(a / b) = da / b − (a / b) / b db
    jvp: ([ta, tb], [, b], out) =>
      total([ta ? div(ta, b!) : null, tb ? neg(mul(tb, div(out, b!))) : null], out),
    transpose: (ct, [a, b]) => [sumTo(div(ct, b!), a!.shape), null],
  }),
  rem: pointwise('rem', {
    operands: ['integer', 'integer'],
    f64: (a, b) => (b ? a % b : 0),
    wgsl: ([a, b]) => `${a} % ${b}`,
    cost: 4,
    jvp: 'zero',
  }),
  max: pointwise('max', {
    operands: ['same', 'same'],
    f64: Math.max,
    wgsl: ([a, b], _, dtype) => (dtype === 'f32' ? extreme('max', a!, b!) : `max(${a}, ${b})`),
    // d max(a, b) = da where a > b, db where b > a, else half of each
    jvp: (t, [a, b], out) => tangentOf(t, greater(a!, b!), greater(b!, a!), out),
  }),
  min: pointwise('min', {
    operands: ['same', 'same'],
    f64: Math.min,
    wgsl: ([a, b], _, dtype) => (dtype === 'f32' ? extreme('min', a!, b!) : `min(${a}, ${b})`),
    // d min(a, b) = da where b > a, db where a > b, else half of each
    jvp: (t, [a, b], out) => tangentOf(t, greater(b!, a!), greater(a!, b!), out),
  }),
  neg: pointwise('neg', {
    operands: ['signed'],
    f64: (x) => -x,
    wgsl: ([x]) => `-${x}`,
    jvp: ([t]) => (t ? neg(t) : null),
    transpose: (ct) => [neg(ct)],
  }),
  relu: pointwise('relu', {
    operands: ['f32'],
    f64: (x) => Math.max(x, 0),
    wgsl: ([x]) => relu(x!),
    // d relu(x) = dx where x > 0. The output has the same sign and is more often in memory already.
    jvp: ([t], _, out) => (t ? where(greater(out, 0), t, zerosLike(t)) : null),
  }),
  normalize: pointwise('normalize', {
    operands: ['f32', 'f32', 'f32', 'f32', 'f32'],
    f64: (x, mean, rate, weight, bias) => (x - mean) * rate * weight + bias,
    wgsl: ([x, mean, rate, weight, bias], _, __, step) =>
      step('+', step('*', step('*', step('-', x!, mean!), rate!), weight!), bias!),
    cost: 4,
    // dx · rate · weight + (x − mean) · d(rate · weight) + (dbias − dmean · rate · weight): terms of
    // statistics and parameters are added before they broadcast: so the transpose takes two sums over x.
    jvp: ([tx, tm, tr, tw, tb], [x, mean, rate, weight], out) => {
      const sumOf = (...terms: (Tensor | null)[]) =>
        terms.reduce((a, b) => (a && b ? add(a, b) : (a ?? b)), null);
      const slope = sumOf(tr ? mul(tr, weight!) : null, tw ? mul(tw, rate!) : null);
      const shift = sumOf(tb!, tm ? neg(mul(mul(tm, weight!), rate!)) : null);
      const own = tx ? mul(mul(tx, rate!), weight!) : null;
      return total([own, slope ? mul(sub(x!, mean!), slope) : null, shift], out);
    },
  }),
  greater: pointwise('greater', {
    operands: ['same', 'same'],
    result: 'bool',
    f64: (a, b) => Number(a > b),
    wgsl: ([a, b]) => `${a} > ${b}`,
    jvp: 'zero',
  }),
  equal: pointwise('equal', {
    operands: ['same', 'same'],
    result: 'bool',
    f64: (a, b) => Number(a === b),
    wgsl: ([a, b]) => `${a} == ${b}`,
    jvp: 'zero',
  }),
  and: logical('and', '&', (a, b) => a && b),
  or: logical('or', '|', (a, b) => a || b),
  not: pointwise('not', {
    operands: ['bool'],
    result: 'bool',
    f64: (x) => 1 - x,
    wgsl: ([x]) => `!${x}`,
    jvp: 'zero',
  }),
  where: pointwise('where', {
    operands: ['bool', 'alike', 'alike'],
    f64: (c, a, b) => (c ? a : b),
    wgsl: ([c, a, b]) => `select(${b}, ${a}, ${c})`,
    jvp: ([, ta, tb], [c], out) => selectTangent(c!, [ta!, tb!], out),
    transpose: (ct, [c, a, b], [, la, lb]) => [
      null,
      la ? sumTo(where(c!, ct, zerosLike(ct)), a!.shape) : null,
      lb ? sumTo(where(c!, zerosLike(ct), ct), b!.shape) : null,
    ],
  }),
  cast: {
    ...pointwise('cast', {
      operands: ['alike'],
      result: ({ dtype }) => dtype,
      check: (_, { dtype }) =>
        isNumeric(dtype)
          ? undefined
          : [`there is no conversion to ${dtype}`, 'Convert to f32, u32 or i32; for a bool, compare.'],
      f64: (x) => x,
      wgsl: ([x], { dtype }, from) => {
        const type = SCALARS[dtype].value;
        const value = `${type}(${x})`;
        return from === 'f32' && isInteger(dtype) ? `select(${value}, ${type}(), ${isNan(x!)})` : value;
      },
      jvp: 'zero',
    }),
    // Of floats beyond an integer's range, the nearest float within, as in WGSL; of NaN, 0.
    reference: ([x], { dtype }) => {
      if (x!.dtype !== 'f32' || !isInteger(dtype)) return x!.data.map((v) => wrap(dtype, v));
      const [least, most] = dtype === 'u32' ? [0, 2 ** 32 - 256] : [-(2 ** 31), 2 ** 31 - 128];
      return x!.data.map((v) => Math.trunc(Math.min(Math.max(v, least), most)) || 0);
    },
  },
  shuffle: pointwise('shuffle', {
    operands: ['u32', 'u32'],
    result: 'u32',
    f64: shuffleIndex,
    wgsl: ([i, key], { n }) => `shuffle${n}(${i}, ${key})`,
    cost: 100,
    helpers: ({ n }) => [shuffleWgsl(n)],
    scalarOnly: true,
    check: (_, { n }) =>
      n !== 0 && holds('u32', n)
        ? undefined
        : [`there are no permutations of ${n} elements`, `Give ${rangeOf('u32')}, but 0.`],
    jvp: 'zero',
  }),
};
