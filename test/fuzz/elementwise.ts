import { accuracyCases } from '../../scripts/accuracy.ts';
import type { DType, Numeric } from '../../src/autograd/shape.ts';

/** A unit in the last place, relative. */
export const ULP = 2 ** -23;
export const SMALLEST = 2 ** -149;
export const NORMAL = 2 ** -126;
export const LARGEST = (2 - 2 ** -23) * 2 ** 127;
/** The error of what may be anything, also infinite or NaN. */
export const ANYTHING = Number.POSITIVE_INFINITY;

/** What `npm run ulp` allows a function, in units in the last place. */
const ULPS = new Map(accuracyCases.map(({ name, ulps }) => [name, ulps]));

/** Largest rounding error of a result of some size. */
const rounded = (op: string, size: number): number =>
  Number.isFinite(size) ? ULPS.get(op)! * ULP * Math.abs(size) + SMALLEST : 0;

/** The error of a value `y` = f(`v`), given the errors `e` of its operands, which have the types `of`. */
type ErrorRule = (v: readonly number[], e: readonly number[], y: number, of: readonly DType[]) => number;

/** A value and its error. */
type Rounded = readonly [value: number, error: number];

/** An infinity where it is certain, as far as errors say. */
const overflow = (y: number, e: number): Rounded => {
  if (!Number.isFinite(y)) return [y, e];
  if (Math.abs(y) - e > LARGEST * (1 + ULP)) return [Math.sign(y) * Number.POSITIVE_INFINITY, 0];
  return [y, Math.abs(y) + e > LARGEST ? ANYTHING : Math.abs(y) < NORMAL ? e + NORMAL : e];
};

const isNaNForSure = (v: number, e: number) => Number.isNaN(v) && e === 0;
/** The distance of the values at an interval's ends, if there is one. */
const between = (e: number, low: number, high: number, y: number): number => {
  if (e === 0 || Number.isNaN(y)) return e;
  return Number.isFinite(high - low) ? high - low : ANYTHING;
};

const sum: (op: string) => ErrorRule =
  (op) =>
  (_, [ea, eb], y, [dtype]) =>
    ea! + eb! + (dtype === 'f32' ? rounded(op, y) : 0);
/** Slopes are at most 1, and so are values. */
const wave: (op: string) => ErrorRule =
  (op) =>
  ([x], [e], y) =>
    Number.isFinite(x!) && e! < ANYTHING ? Math.min(e!, 2) + rounded(op, Math.min(1, Math.abs(y) + e!)) : e!;
const exact: ErrorRule = (_, e) => e.reduce((a, b) => a + b);

/** A larger (or, with −1, smaller) operand that NaN takes part in. */
const extremum: (sign: 1 | -1) => ErrorRule =
  (sign) =>
  ([a, b], [ea, eb]) => {
    if (isNaNForSure(a!, ea!) || isNaNForSure(b!, eb!)) return 0;
    if (sign * (a! - b!) > ea! + eb!) return ea!;
    if (sign * (b! - a!) > ea! + eb!) return eb!;
    return Math.max(ea!, eb!);
  };

/** 0 where rounding cannot change how two numbers compare. */
const comparison: ErrorRule = ([a, b], [ea, eb]) => {
  if (isNaNForSure(a!, ea!) || isNaNForSure(b!, eb!) || (ea === 0 && eb === 0)) return 0;
  return Math.abs(a! - b!) > ea! + eb! ? 0 : 1;
};

const quotient: ErrorRule = ([a, b], [ea, eb], y, [dtype]) => {
  if (dtype !== 'f32') return ea! + eb!;
  if (isNaNForSure(a!, ea!) || isNaNForSure(b!, eb!)) return 0;
  if (ea === 0 && eb === 0) return rounded('div', y);
  const least = Math.abs(b!) - eb!;
  if (!(least > 0)) return b === 0 && eb === 0 && Math.abs(a!) > ea! ? 0 : ANYTHING;
  if (!Number.isFinite(b!)) return Number.isFinite(a!) && ea! < ANYTHING ? 0 : ANYTHING;
  if (!Number.isFinite(y)) return ea!;
  const change = (ea! + Math.abs(y) * eb!) / least;
  return change + rounded('div', Math.abs(y) + change);
};

/** Of a function that rises in steps. */
const steps =
  (f: (x: number) => number): ErrorRule =>
  ([x], [e]) =>
    e === 0 || Number.isNaN(x!) ? e! : between(e!, f(x! - e!), f(x! + e!), x!);

/** If the base keeps its sign, powers are monotonic in both operands between their intervals' corners. */
const powers: ErrorRule = ([a, b], [ea, eb], y) => {
  if (ea === 0 && eb === 0) return rounded('pow', y);
  if (eb === 0 && b === 0) return 0;
  if (!(Math.abs(a!) > ea!) || (a! < 0 && eb! > 0) || !Number.isFinite(y)) return ANYTHING;
  const corners = [a! - ea!, a! + ea!].flatMap((p) => [b! - eb!, b! + eb!].map((q) => p ** q));
  const off = Math.max(...corners.map((corner) => Math.abs(corner - y)));
  return off + rounded('pow', Math.abs(y) + off);
};

const toInteger =
  (least: number, most: number): ErrorRule =>
  ([x], [e], _, [dtype]) => {
    if (dtype !== 'f32') return e!;
    const whole = (t: number) => Math.trunc(Math.min(Math.max(t, least), most));
    return e === 0 || whole(x! - e!) === whole(x! + e!) ? 0 : 1;
  };

/** A function that rises from `from` on, and is NaN below. */
const rising =
  (op: string, f: (x: number) => number): ErrorRule =>
  ([x], [e], y) => {
    if (x! + e! < 0) return 0;
    if (x! - e! < 0 || (x === e && e! > 0 && op === 'log')) return ANYTHING;
    return (
      between(e!, f(x! - e!), y, y) + rounded(op, Math.max(Math.abs(y), e === 0 ? 0 : Math.abs(f(x! + e!))))
    );
  };

/** A product of two numbers with errors, as one with an error. */
function times([a, ea]: Rounded, [b, eb]: Rounded): Rounded {
  const y = a * b;
  if (Number.isFinite(a) && Number.isFinite(b))
    return overflow(y, Math.abs(a) * eb + (Math.abs(b) + eb) * ea + rounded('mul', y));
  return [y, ea === 0 && eb === 0 ? 0 : ANYTHING];
}

function plus([a, ea]: Rounded, [b, eb]: Rounded): Rounded {
  return overflow(a + b, ea + eb + rounded('add', a + b));
}

const normalized: ErrorRule = ([x, mean, rate, weight, bias], [ex, em, er, ew, eb], y) => {
  const scaled = times(times(plus([x!, ex!], [-mean!, em!]), [rate!, er!]), [weight!, ew!]);
  const [all, error] = plus(scaled, [bias!, eb!]);
  // What overflows on the way is infinite in float32 alone.
  return Object.is(all, y) || Number.isFinite(all) ? error : ANYTHING;
};

/** Errors of the operations that work element by element. */
export const ELEMENTWISE = {
  add: sum('add'),
  sub: sum('sub'),
  div: quotient,
  rem: exact,
  shuffle: exact,
  exp: ([x], [e], y) => between(e!, y, Math.exp(x! + e!), y) + rounded('exp', y * Math.exp(e!)),
  log: rising('log', Math.log),
  sqrt: rising('sqrt', Math.sqrt),
  rsqrt: ([x], [e], y) => {
    if (x! + e! < 0) return 0;
    if (x! - e! <= 0 && e! > 0) return ANYTHING;
    const most = 1 / Math.sqrt(x! - e!);
    return between(e!, y, most, y) + rounded('rsqrt', most);
  },
  normalize: normalized,
  sin: wave('sin'),
  cos: wave('cos'),
  tanh: ([x], [e], y) =>
    Number.isNaN(x!) || e === ANYTHING
      ? e!
      : Math.min(e!, 2) + rounded('tanh', Math.min(1, Math.abs(y) + e!)),
  sigmoid: ([x], [e], y) =>
    Number.isNaN(x!) || e === ANYTHING
      ? e!
      : y * Math.min(Math.expm1(e!), 1 / y) + rounded('sigmoid', Math.min(1, y * Math.exp(e!))),
  erf: ([x], [e], y) =>
    Number.isNaN(x!) || e === ANYTHING
      ? e!
      : Math.min(2 * e!, 2) + rounded('erf', Math.min(1, Math.abs(y) + 2 * e!)),
  pow: powers,
  abs: exact,
  floor: steps(Math.floor),
  round: steps(Math.round),
  and: exact,
  or: exact,
  not: exact,
  relu: ([x], [e]) => (x! + e! < 0 ? 0 : e!),
  max: extremum(1),
  min: extremum(-1),
  greater: comparison,
  equal: comparison,
  where: ([c, a, b], [ec, ea, eb]) => {
    if (ec === 0) return c ? ea! : eb!;
    return Math.max(ea!, eb!) + (Object.is(a, b) ? 0 : Math.abs(a! - b!));
  },
} satisfies Partial<Record<string, ErrorRule>>;

export const castTo: Record<Numeric, ErrorRule> = {
  f32: (_, [e], y, [dtype]) => e! + (dtype !== 'f32' && Math.abs(y) > 2 ** 24 ? ULP * Math.abs(y) : 0),
  u32: toInteger(0, 2 ** 32 - 256),
  i32: toInteger(-(2 ** 31), 2 ** 31 - 128),
};

export type { ErrorRule };
