/**
 * How far an adapter's pointwise primitives are from exact values: the numbers tried, what is allowed, and
 * the largest error found. `npm run ulp` prints the table; docs/numerics.md keeps it.
 */
import * as c from '../src/autograd/functions.ts';
import type { Primitive } from '../src/autograd/primitives.ts';
import { compile } from '../src/autograd/program.ts';
import { ARRAYS, type Numeric, wrap } from '../src/autograd/shape.ts';
import type { Tensor } from '../src/autograd/tensor.ts';
import type { Gpu } from '../src/gpu/device.ts';

/** A function of one or two numbers under test. */
export interface AccuracyCase {
  readonly name: string;
  readonly f: (...xs: Tensor[]) => Tensor;
  readonly dtype: Numeric;
  readonly exact: (...xs: number[]) => number;
  readonly arity: 1 | 2;
  /** Allowed error in units in the last place (ULP) of the exact result; a half is correct rounding. */
  readonly ulps: number;
  /** Or by this much, where that is more. */
  readonly absolute?: number;
  /** The second operand for a first, from a number in [0, 1]; used for every other pair. */
  readonly partner?: (a: number, t: number) => number;
  /** Magnitudes near which, on both sides of zero, points are denser. */
  readonly critical?: readonly number[];
}

/** What was found of a case. */
export interface Accuracy {
  readonly name: string;
  readonly points: number;
  /** Largest error in ULP, and where, among points without an absolute allowance. */
  readonly worst: number;
  readonly at: readonly number[];
  readonly allowed: string;
  /** The number of points with a wrong result, and the first. */
  readonly outside: number;
  readonly example: string;
  /** Whether any subnormal operand or result was flushed to zero. */
  readonly flushes: boolean;
}

const SMALLEST_NORMAL = 2 ** -126;
const LARGEST = (2 - 2 ** -23) * 2 ** 127;
const HALF = Math.PI / 2;

const unary = (
  name: Primitive,
  f: AccuracyCase['f'],
  exact: (x: number) => number,
  ulps: number,
  more: Partial<AccuracyCase> = {},
): AccuracyCase => ({ name, f, dtype: 'f32', exact, arity: 1, ulps, ...more });
const binary = (
  name: Primitive,
  f: AccuracyCase['f'],
  exact: (a: number, b: number) => number,
  ulps = 0.5,
  more: Partial<AccuracyCase> = {},
): AccuracyCase => ({ name, f, dtype: 'f32', exact, arity: 2, ulps, ...more });
/** A function of integers of both types, exact and then modulo 2³². */
const whole = (
  name: Primitive,
  f: AccuracyCase['f'],
  exact: (a: bigint, b: bigint) => bigint,
  arity: 1 | 2 = 2,
): AccuracyCase[] =>
  (['u32', 'i32'] as const).map((dtype) => ({
    ...{ name: `${name} ${dtype}`, f, dtype, arity, ulps: 0 },
    exact: (a, b = 0) =>
      Number(BigInt[dtype === 'u32' ? 'asUintN' : 'asIntN'](32, exact(BigInt(a!), BigInt(b)))),
  }));

const truth = (f: (a: Tensor, b: Tensor) => Tensor) => (a: Tensor, b: Tensor) => c.where(f(a, b), 1, 0);
const angles = [1, 2, 3, 4, 5, 100, 1e5].map((k) => k * HALF);

/** Powers by IEEE 754, whose 1 JavaScript has NaN for. */
function power(a: number, b: number): number {
  const one = a === 1 || (a === -1 && !Number.isFinite(b) && !Number.isNaN(b));
  return one ? 1 : a ** b;
}

/** The nearest integer, as float32 rounds where its unit in the last place is 1. */
const nearest = (x: number): number =>
  Math.abs(x) < 2 ** 22 ? Math.sign(x) * (Math.fround(Math.abs(x) + 2 ** 23) - 2 ** 23) : roundHalf(x);
/** Halves are all that there are between 2²² and 2²³. */
const roundHalf = (x: number): number => (Number.isInteger(x / 2 - 0.25) ? x - 0.5 : Math.round(x));

/** erf x by its alternating series below 2, and by erfc's continued fraction beyond. */
function errorFunction(x: number): number {
  const a = Math.abs(x);
  if (!(a >= 2)) {
    let [sum, term] = [x, x];
    for (let n = 1; n < 60; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = a;
  for (let n = 120; n > 0; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction));
}

/**
 * The intervals. +, −, × and ÷ have WebGPU's, others narrower ones: the conformance tests let log lose all
 * digits near 1, and sine and cosine beyond π.
 */
export const accuracyCases: readonly AccuracyCase[] = [
  binary('add', c.add, (a, b) => a + b),
  binary('sub', c.sub, (a, b) => a - b),
  binary('mul', c.mul, (a, b) => a * b),
  binary('div', c.div, (a, b) => a / b, 2.5),
  binary('max', c.maximum, Math.max),
  binary('min', c.minimum, Math.min),
  binary('greater', truth(c.greater), (a, b) => Number(a > b)),
  binary('equal', truth(c.equal), (a, b) => Number(a === b)),
  binary(
    'where',
    (a, b) => c.where(c.greater(a, b), a, b),
    (a, b) => (a > b ? a : b),
  ),
  binary(
    'and',
    truth((a, b) => c.and(c.greater(a, 1), c.greater(b, a))),
    (a, b) => Number(a > 1 && b > a),
  ),
  binary(
    'or',
    truth((a, b) => c.or(c.greater(a, 1), c.greater(b, a))),
    (a, b) => Number(a > 1 || b > a),
  ),
  binary('not', truth(c.notEqual), (a, b) => Number(a !== b)),
  // Exponents whose powers cover float32's range; integers for half of the bases.
  binary('pow', c.pow, power, 3, {
    partner: (a, t) => {
      const b = (320 * t - 160) / Math.log2(Math.abs(a));
      return a < 0 || t * 4096 - Math.floor(t * 4096) < 0.25 ? Math.round(b) : b;
    },
  }),
  unary('abs', c.abs, Math.abs, 0.5),
  unary('floor', c.floor, Math.floor, 0.5, { critical: [1, 2, 2 ** 22, 2 ** 23] }),
  unary('round', c.round, nearest, 0.5, { critical: [0.5, 1.5, 2.5, 2 ** 22, 2 ** 23] }),
  unary('neg', c.neg, (x) => -x, 0.5),
  unary('relu', c.relu, (x) => Math.max(x, 0), 0.5),
  unary('sqrt', c.sqrt, Math.sqrt, 2.5, { critical: [1, 2, 4] }),
  unary('rsqrt', c.rsqrt, (x) => 1 / Math.sqrt(x), 2, { critical: [1, 2, 4] }),
  unary('exp', c.exp, Math.exp, 2, {
    critical: [...[0.5, 1.5, 10.5, 126.5, 127.5, 149].map((n) => n * Math.LN2), 1, 85, 88.72284, 103.97],
  }),
  unary('log', c.log, Math.log, 2, { critical: [1, Math.SQRT1_2, Math.SQRT2, 2, 0.5, 10] }),
  unary('sin', c.sin, Math.sin, 2.5, { critical: [HALF / 2, ...angles, 657328, 6e8, 1e20] }),
  unary('cos', c.cos, Math.cos, 2.5, { critical: [HALF / 2, ...angles, 657328, 6e8, 1e20] }),
  unary('tanh', c.tanh, Math.tanh, 3, { critical: [0.55, 1, 9.01, 50] }),
  unary('sigmoid', c.sigmoid, (x) => 1 / (1 + Math.exp(-x)), 4, { critical: [1, 17, 88, 103] }),
  unary('erf', c.erf, errorFunction, 2, { critical: [0.92, 1, 2, 4] }),
  {
    // Both ways: whole numbers of f32 up to 2³² are exact in u32, and back.
    ...unary(
      'cast',
      (x) => c.cast(c.cast(x, 'u32'), 'f32'),
      (x) => (Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), 0), 2 ** 32 - 256)),
      0.5,
      { critical: [1, 2 ** 24, 2 ** 31, 2 ** 32] },
    ),
    name: 'cast f32',
  },
  {
    ...unary(
      'cast',
      (x) => c.cast(c.cast(x, 'i32'), 'f32'),
      (x) => Math.trunc(Math.min(Math.max(x || 0, -(2 ** 31)), 2 ** 31 - 128)),
      0.5,
      { critical: [1, 2 ** 24, 2 ** 31] },
    ),
    name: 'cast f32 i32',
  },
  ...whole('add', c.add, (a, b) => a + b),
  ...whole('sub', c.sub, (a, b) => a - b),
  ...whole('mul', c.mul, (a, b) => a * b),
  ...whole('div', c.div, (a, b) => (b ? a / b : a)),
  ...whole('rem', c.rem, (a, b) => (b ? a % b : 0n)),
  ...whole('max', c.maximum, (a, b) => (a > b ? a : b)),
  ...whole('min', c.minimum, (a, b) => (a < b ? a : b)),
  ...whole('greater', truth(c.greater), (a, b) => BigInt(a > b)),
  ...whole('equal', truth(c.equal), (a, b) => BigInt(a === b)),
  whole('neg', c.neg, (a) => -a, 1)[1]!,
  whole('abs', c.abs, (a) => (a < 0n ? -a : a), 1)[1]!,
  ...whole(
    'cast',
    (x) => c.cast(x, 'f32'),
    (a) => a,
    1,
  ).map((x) => ({ ...x, ulps: 1 })),
];

/** Words in a fixed, scattered order. */
const scatter = (i: number): number => {
  let x = Math.imul(i + 1, 0x9e3779b9);
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
};

const floatOf = (word: number) => new Float32Array(Uint32Array.of(word).buffer)[0]!;
const wordOf = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0]!;

const special = [0, SMALLEST_NORMAL, 2 ** -149, 2 ** -127, 1, 2, LARGEST, 2 ** 127, Infinity].flatMap((x) => [
  x,
  -x,
]);

/** `count` points: special values, neighbors of critical ones, then numbers of all and usual exponents. */
export function operandsOf(
  { arity, dtype, critical = [], partner }: AccuracyCase,
  count: number,
): Float64Array[] {
  if (dtype !== 'f32') {
    const edge = [0, 1, 2, 3, 2 ** 24 - 1, 2 ** 24 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
    return Array.from({ length: arity }, (_, j) =>
      Float64Array.from({ length: count }, (_, i) => {
        if (i < edge.length ** 2)
          return wrap(dtype, edge[j ? Math.floor(i / edge.length) : i % edge.length]!);
        // Every other pair has a small and a large number.
        const [word, fewer] = [wrap(dtype, scatter(2 * i + j)), i % 2 && j ? 16 + (scatter(i) % 16) : 0];
        return dtype === 'u32' ? word >>> fewer : word >> fewer;
      }),
    );
  }
  const edge = [...special, Number.NaN];
  if (arity === 2) {
    const [a, b] = [new Float64Array(count), new Float64Array(count)];
    for (let i = 0; i < count; i++) {
      if (i < edge.length ** 2) {
        a[i] = edge[i % edge.length]!;
        b[i] = edge[Math.floor(i / edge.length)]!;
        continue;
      }
      a[i] = floatOf(scatter(2 * i));
      // A third have nearly equal sizes, where sums cancel.
      const beside = wordOf(a[i]!) ^ (scatter(2 * i + 1) & 0x80ffffff);
      b[i] = floatOf(i % 3 ? scatter(2 * i + 1) : beside);
      if (partner && i % 2) b[i] = Math.fround(partner(a[i]!, scatter(2 * i + 1) / 2 ** 32));
    }
    return [a, b];
  }
  const x = new Float64Array(count);
  const near = Math.floor(count / 4 / Math.max(1, critical.length));
  let i = 0;
  for (const value of edge) x[i++] = value;
  for (const place of critical) {
    const word = wordOf(place);
    for (let k = 0; k < near && i < count; k++) {
      // The nearest numbers, then ever fewer of those farther away.
      const step = k < near / 2 ? k >> 2 : scatter(k) >>> (9 + (scatter(k + 1) % 20));
      x[i++] = floatOf((k & 1 ? word + step : word - step) ^ (k & 2 ? 0x80000000 : 0));
    }
  }
  const rest = count - i;
  for (let k = 0; i < count; i++, k++) {
    const word = k < rest / 2 ? Math.floor((k / rest) * 2 * 2 ** 32) + (scatter(k) % 64) : scatter(k);
    // Every fourth between 2^−12 and 2^12.
    const usual = (word & 0x807fffff) | ((115 + (scatter(k + 7) % 24)) << 23);
    x[i] = floatOf((k % 4 ? word : usual) >>> 0);
  }
  return [x];
}

const ulpOf = (x: number) => 2 ** (Math.max(exponentOf(Math.abs(x)), -126) - 23);

function exponentOf(x: number): number {
  if (!(x > 0) || x === Infinity) return -1000;
  const e = Math.floor(Math.log2(x));
  return 2 ** e > x ? e - 1 : 2 ** (e + 1) <= x ? e + 1 : e;
}

/** How an adapter may read a number: a subnormal may be zero. */
const readings = (x: number): number[] =>
  x !== 0 && Math.abs(x) < SMALLEST_NORMAL ? [x, x < 0 ? -0 : 0, x < 0 ? 0 : -0] : [x];

/** A result's error in ULP against an exact value; 0 if it is the very infinity or NaN that it must be. */
function errorOf(got: number, exact: number): number {
  if (Number.isNaN(exact)) return Number.isNaN(got) ? 0 : Infinity;
  // An exact value beyond the largest float may be rounded to it or to infinity.
  const overflow = Math.abs(exact) >= LARGEST + 2 ** 103;
  if (Number.isNaN(got)) return Infinity;
  if (!Number.isFinite(got) || overflow) {
    if (overflow) return got === Math.sign(exact) * Infinity ? 0 : Math.abs(got - exact) / 2 ** 104;
    // Infinity in place of a number near the largest is as far off as the next float would be.
    return Math.sign(got) === Math.sign(exact) ? (2 ** 128 - Math.abs(exact)) / 2 ** 104 : Infinity;
  }
  return Math.abs(got - exact) / ulpOf(exact);
}

export async function measureAccuracy(gpu: Gpu, test: AccuracyCase, count: number): Promise<Accuracy> {
  const operands = operandsOf(test, count);
  const spec = { shape: [count], dtype: test.dtype };
  const program = await compile(
    gpu,
    test.f,
    operands.map(() => spec),
  );
  const typed = operands.map((x) => ARRAYS[test.dtype].from(x));
  const { data } = (await program.run(...typed)) as { data: ArrayLike<number> };
  let [worst, outside, example, flushes] = [0, 0, '', false];
  let at: number[] = [];
  for (let i = 0; i < count; i++) {
    const xs = typed.map((x) => x[i]!);
    const got = data[i]!;
    const want = test.exact(...xs);
    const plain = errorOf(got, want);
    let [error, flushed] = [plain, false];
    if (error > Math.min(0.5, test.ulps) && test.dtype === 'f32') {
      const sets = xs.reduce<number[][]>(
        (all, x) => all.flatMap((s) => readings(x).map((r) => [...s, r])),
        [[]],
      );
      for (const set of sets) {
        const value = test.exact(...set);
        const tiny = Math.abs(value) < SMALLEST_NORMAL * (1 + test.ulps * 2 ** -23) && got === 0;
        const other = tiny ? 0 : Math.min(...readings(got).map((g) => errorOf(g, value)));
        if (other < error) [error, flushed] = [other, true];
      }
    }
    flushes ||= flushed && plain > test.ulps && error <= test.ulps;
    const allowed = error <= test.ulps || Math.abs(got - want) <= (test.absolute ?? 0);
    if (!allowed && !outside++) example = `${test.name}(${xs.join(', ')}) = ${got}, not ${Math.fround(want)}`;
    if (error > worst) [worst, at] = [error, xs];
  }
  const allowed = test.ulps === 0 ? 'exact' : test.ulps === 0.5 ? 'rounded' : `${test.ulps} ULP`;
  return { name: test.name, points: count, worst, at, allowed, outside, example, flushes };
}
