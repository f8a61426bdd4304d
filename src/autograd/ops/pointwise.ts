import { CollimateError } from '../../errors.ts';
import { EXP_WGSL, LOG_WGSL, TANH_WGSL } from '../../kernels/exponential.ts';
import { shuffleIndex, shuffleWgsl } from '../../kernels/shuffle.ts';
import { extreme, isNan, relu } from '../../kernels/special.ts';
import { SINE_WGSL } from '../../kernels/trigonometry.ts';
import {
  add,
  cos,
  div,
  greater,
  mul,
  neg,
  sin,
  square,
  sub,
  sumTo,
  where,
  zerosLike,
} from '../operations.ts';
import type { Params, Primitive } from '../primitives.ts';
import type { NdArray, Rule, Rules, Signature, Step } from '../rule.ts';
import { broadcastShapes, type DType, formatShape, holds, rangeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { broadcastIndex } from './indexing.ts';
import { selectTangent, tangentOf, total } from './tangents.ts';
import { expectNumbers } from './views.ts';

type Jvp<P extends Primitive> = Rule<P>['jvp'];
type Transpose<P extends Primitive> = Rule<P>['transpose'];

interface Pointwise<P extends Primitive> {
  /** dtypes of the operands; `same` stands for one common dtype, f32 or u32, which is also the result's. */
  operands: readonly (DType | 'same' | 'any')[];
  result?: DType | ((params: Params[P]) => DType);
  f64: (...args: number[]) => number;
  wgsl: (args: string[], params: Params[P], dtype: DType, step: Step) => string;
  cost?: number;
  helpers?: (params: Params[P]) => string[];
  scalarOnly?: boolean;
  /** The function in integers modulo 2³², where it is not `f64` wrapped around. */
  u32?: (...args: number[]) => number;
  /** What is wrong, beside types and shapes; and what to do. */
  check?: (inputs: readonly Tensor[], params: Params[P]) => readonly [string, string] | undefined;
  jvp: Jvp<P>;
  transpose?: Transpose<P>;
}

function pointwise<P extends Primitive>(op: P, spec: Pointwise<P>): Rule<P> {
  const { wgsl, cost = 1, helpers, scalarOnly = false } = spec;
  const lowering = { kind: 'pointwise', wgsl, cost, scalarOnly } as const;
  return {
    shape: (inputs, params) => {
      const dtype = resultType(op, spec, inputs, params);
      const wrong = spec.check?.(inputs, params);
      if (wrong) throw new CollimateError(`${op}: ${wrong[0]}`, wrong[1]);
      const shapes = inputs.map((t) => t.shape);
      return { shape: broadcastShapes(op, shapes), dtype };
    },
    reference: (inputs, params, out) => evaluate(spec, inputs, params, out),
    jvp: spec.jvp,
    transpose: spec.transpose ?? 'nonlinear',
    lowering: helpers ? { ...lowering, helpers } : lowering,
  };
}

function resultType<P extends Primitive>(
  op: P,
  spec: Pointwise<P>,
  inputs: readonly Tensor[],
  params: Params[P],
): DType {
  let common: DType | undefined;
  inputs.forEach((t, i) => {
    expectNumbers(op, t);
    const want = spec.operands[i]!;
    const wanted = want === 'same' ? (common ?? (t.dtype === 'u32' ? 'u32' : 'f32')) : want;
    if (want === 'same') common = wanted as DType;
    if (wanted !== 'any' && t.dtype !== wanted) {
      throw new CollimateError(
        `${op}: operand ${i} of shape ${formatShape(t.shape)} is ${t.dtype}, expected ${wanted}`,
        'Convert it with cast.',
      );
    }
  });
  if (typeof spec.result === 'function') return spec.result(params);
  return spec.result ?? common ?? 'f32';
}

function evaluate<P extends Primitive>(
  spec: Pointwise<P>,
  inputs: readonly NdArray[],
  params: Params[P],
  out: Signature,
): Float64Array {
  const u32 = out.dtype === 'u32';
  const f = u32 ? (spec.u32 ?? spec.f64) : spec.f64;
  const extra = 'n' in params ? [params.n as number] : [];
  const maps = inputs.map((t) => broadcastIndex(out.shape, t.shape));
  const size = out.shape.reduce((a, b) => a * b, 1);
  return Float64Array.from({ length: size }, (_, i) => {
    const value = f(...inputs.map((t, j) => t.data[maps[j]!(i)]!), ...extra);
    return u32 ? value >>> 0 : Number(value);
  });
}

/** A function of one f32, with its derivative by it. */
const elementary = <P extends Primitive>(
  op: P,
  {
    derivative,
    ...spec
  }: Omit<Pointwise<P>, 'operands' | 'jvp'> & { derivative: (x: Tensor, out: Tensor) => Tensor },
): Rule<P> =>
  pointwise<P>(op, {
    ...spec,
    operands: ['f32'],
    jvp: ([t], [x], out) => (t ? mul(t, derivative(x!, out)) : null),
  });

type PointwiseOp =
  | 'add' | 'sub' | 'mul' | 'div' | 'rem' | 'max' | 'min' | 'neg' | 'exp' | 'log' | 'sqrt' | 'rsqrt'
  | 'cos' | 'sin' | 'tanh' | 'relu' | 'normalize' | 'greater' | 'equal' | 'where' | 'cast' | 'shuffle' | 'copy' | 'stopGradient'; // biome-ignore format: a list

const asOperand = ([x]: readonly Tensor[]): Signature => ({ shape: x!.shape, dtype: x!.dtype });

const identity = {
  operands: ['any'],
  f64: (x: number) => x,
  wgsl: ([x]: string[]) => x!,
} as const;

export const pointwiseRules: Pick<Rules, PointwiseOp> = {
  copy: { ...pointwise('copy', { ...identity, jvp: ([t]) => t! }), shape: asOperand },
  stopGradient: { ...pointwise('stopGradient', { ...identity, jvp: 'zero' }), shape: asOperand },
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
    u32: Math.imul,
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
    u32: (a, b) => (b ? Math.floor(a / b) : a),
    wgsl: ([a, b]) => `${a} / ${b}`,
    cost: 4,
    // d(a / b) = da / b − (a / b) / b db
    jvp: ([ta, tb], [, b], out) =>
      total([ta ? div(ta, b!) : null, tb ? neg(mul(tb, div(out, b!))) : null], out),
    transpose: (ct, [a, b]) => [sumTo(div(ct, b!), a!.shape), null],
  }),
  rem: pointwise('rem', {
    operands: ['u32', 'u32'],
    result: 'u32',
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
    operands: ['f32'],
    f64: (x) => -x,
    wgsl: ([x]) => `-${x}`,
    jvp: ([t]) => (t ? neg(t) : null),
    transpose: (ct) => [neg(ct)],
  }),
  exp: elementary('exp', {
    f64: Math.exp,
    wgsl: ([x]) => `exponential(${x})`,
    helpers: () => [EXP_WGSL],
    cost: 20,
    // d eˣ = eˣ dx
    derivative: (_, out) => out,
  }),
  log: pointwise('log', {
    operands: ['f32'],
    f64: Math.log,
    wgsl: ([x]) => `logarithm(${x})`,
    helpers: () => [LOG_WGSL],
    cost: 20,
    // d ln x = dx / x
    jvp: ([t], [x]) => (t ? div(t, x!) : null),
  }),
  sqrt: elementary('sqrt', {
    f64: Math.sqrt,
    wgsl: ([x]) => `sqrt(${x})`,
    cost: 4,
    // d √x = dx / (2 √x)
    derivative: (_, out) => div(0.5, out),
  }),
  rsqrt: elementary('rsqrt', {
    f64: (x) => 1 / Math.sqrt(x),
    // Not inverseSqrt: its error is only bounded to 2 ulp and software adapters use estimates.
    wgsl: ([x]) => `F(1.0) / sqrt(${x})`,
    cost: 4,
    // d x^(−1/2) = −½ x^(−3/2) dx
    derivative: (_, out) => mul(mul(out, mul(out, out)), -0.5),
  }),
  cos: elementary('cos', {
    f64: Math.cos,
    wgsl: ([x]) => `sine(${x}, 1u)`,
    helpers: () => [SINE_WGSL],
    cost: 80,
    derivative: (x) => neg(sin(x)),
  }),
  sin: elementary('sin', {
    f64: Math.sin,
    wgsl: ([x]) => `sine(${x}, 0u)`,
    helpers: () => [SINE_WGSL],
    cost: 80,
    derivative: (x) => cos(x),
  }),
  tanh: elementary('tanh', {
    f64: Math.tanh,
    wgsl: ([x]) => `hyperbolicTangent(${x})`,
    helpers: () => [EXP_WGSL, TANH_WGSL],
    cost: 40,
    // d tanh(x) = (1 − tanh²x) dx
    derivative: (_, out) => sub(1, square(out)),
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
    // dx · rate · weight + (x − mean) · d(rate · weight) + (dbias − dmean · rate · weight): what statistics and parameters give is
    // put together before it is repeated over x, so that the transpose takes two sums over x, and not one for each of them.
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
  where: pointwise('where', {
    operands: ['bool', 'same', 'same'],
    f64: (c, a, b) => (c ? a : b),
    wgsl: ([c, a, b]) => `select(${b}, ${a}, ${c})`,
    jvp: ([, ta, tb], [c], out) => selectTangent(c!, [ta!, tb!], out),
    transpose: (ct, [c, a, b], [, la, lb]) => [
      null,
      la ? sumTo(where(c!, ct, zerosLike(ct)), a!.shape) : null,
      lb ? sumTo(where(c!, zerosLike(ct), ct), b!.shape) : null,
    ],
  }),
  cast: pointwise('cast', {
    operands: ['any'],
    result: ({ dtype }) => dtype,
    check: (_, { dtype }) =>
      dtype === 'f32' || dtype === 'u32'
        ? undefined
        : [`there is no conversion to ${dtype}`, 'Convert to f32 or u32; for a bool, compare.'],
    f64: (x) => x,
    // Of floats that are too large, the largest below 2³², as in WGSL; of NaN, 0.
    u32: (x) => (x < 2 ** 32 ? Math.max(x, 0) : x >= 2 ** 32 ? 2 ** 32 - 256 : 0),
    wgsl: ([x], { dtype }, from) =>
      dtype === 'f32' ? `F(${x})` : from === 'f32' ? `select(U(${x}), U(0u), ${isNan(x!)})` : `U(${x})`,
    jvp: 'zero',
  }),
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
