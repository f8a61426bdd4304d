import { bind } from './bind.ts';
import { type DType, isInteger, type Numeric, type Tensor, type Typed } from './tensor.ts';
import { alignRanks, constant } from './views.ts';

/** An operand of arithmetic: a number is a constant of the other operand's type. */
export type Operand<D extends DType = DType> = Typed<D> | number;

/** Numbers as literals of the other's type. */
function literals(...pair: [Operand, Operand]): Tensor[] {
  const types = pair.map((x) => (typeof x === 'number' ? 'f32' : x?.dtype));
  return pair.map((x) => (typeof x === 'number' ? constant(x, types.find(isInteger) ?? 'f32') : x));
}

type Binary = 'add' | 'sub' | 'mul' | 'div' | 'rem' | 'max' | 'min' | 'pow';

const binary =
  (op: Binary) =>
  <D extends DType = 'f32'>(a: Operand<D>, b: Operand<D>): Typed<D> =>
    bind(op, alignRanks(op, literals(a, b)), {});

const comparison =
  (op: 'greater' | 'equal' | 'and' | 'or') =>
  (a: Operand, b: Operand): Typed<'bool'> =>
    bind(op, alignRanks(op, literals(a, b)), {});

/** Sum of f32, or of integers modulo 2³². @example add(array([1, 2]), 10) // [11, 12] */
export const add = binary('add');
/** Difference of f32, or of integers modulo 2³². @example sub(10, array([1, 2])) // [9, 8] */
export const sub = binary('sub');
/** Product of f32, or of integers modulo 2³². @example mul(array([1, 2]), array([3, 4])) // [3, 8] */
export const mul = binary('mul');
/**
 * Quotient; of integers it is rounded toward 0, division by zero gives the dividend, and −2³¹ / −1 is −2³¹.
 * @example div(array([7, 9]), 2) // [3.5, 4.5]; of u32, [3, 4]
 */
export const div = binary('div');
/** Integer remainder, signed like the dividend; x rem 0 = 0. @example rem(iota([4]), 3) // [0, 1, 2, 0] */
export const rem = binary('rem');
/** The larger; NaN if either is. Ties share the derivative. @example maximum(array([-1, 2]), 0) // [0, 2] */
export const maximum = binary('max');
/** The smaller; NaN if either is. Ties share the derivative. @example minimum(array([1, 3]), 2) // [1, 2] */
export const minimum = binary('min');
/** a > b, as bool; false if either is NaN. @example greater(array([1, 2]), 1) // [0, 1] */
export const greater = comparison('greater');
/** a = b, as bool; false if either is NaN, even `equal(x, x)`. @example equal(array([1, 2]), 1) // [1, 0] */
export const equal = comparison('equal');

/** a < b, as bool; false if either is NaN. @example less(array([1, 2]), 2) // [1, 0] */
export const less = (a: Operand, b: Operand): Typed<'bool'> => greater(b, a);
/** a ≥ b, as bool; false if either is NaN. @example greaterEqual(array([1, 2]), 2) // [0, 1] */
export const greaterEqual = (a: Operand, b: Operand): Typed<'bool'> => or(greater(a, b), equal(a, b));
/** a ≤ b, as bool; false if either is NaN. @example lessEqual(array([1, 2]), 1) // [1, 0] */
export const lessEqual = (a: Operand, b: Operand): Typed<'bool'> => greaterEqual(b, a);
/** a ≠ b, as bool; true if either is NaN. @example notEqual(array([1, 2]), 1) // [0, 1] */
export const notEqual = (a: Operand, b: Operand): Typed<'bool'> => not(equal(a, b));
type Logical = (a: Tensor, b: Tensor) => Typed<'bool'>;
/** Whether both bools are true. @example and(less(iota([4]), 3), greater(iota([4]), 0)) // [0, 1, 1, 0] */
export const and = comparison('and') as Logical;
/** Whether either bool is true. @example or(less(iota([4]), 1), greater(iota([4]), 2)) // [1, 0, 0, 1] */
export const or = comparison('or') as Logical;
/** The other bool. @example not(less(iota([3]), 1)) // [0, 1, 1] */
export const not = (x: Tensor): Typed<'bool'> => bind('not', [x], {});

/** −x, of f32 or i32. @example neg(array([1, -2])) // [-1, 2] */
export const neg = <D extends DType>(x: Typed<D>): Typed<D> => bind('neg', [x], {});
/** eˣ. @example exp(array([0, 1])) // [1, 2.718282] */
export const exp = (x: Tensor): Typed => bind('exp', [x], {});
/** Natural logarithm; NaN for negative x. @example log(array([1, Math.E])) // [0, 1] */
export const log = (x: Tensor): Typed => bind('log', [x], {});
/** √x; NaN for negative x. @example sqrt(array([4, 9])) // [2, 3] */
export const sqrt = (x: Tensor): Typed => bind('sqrt', [x], {});
/** 1/√x. @example rsqrt(array([4, 25])) // [0.5, 0.2] */
export const rsqrt = (x: Tensor): Typed => bind('rsqrt', [x], {});
/** Cosine of an angle in radians. @example cos(array([0, Math.PI])) // [1, -1] */
export const cos = (x: Tensor): Typed => bind('cos', [x], {});
/** Sine of an angle in radians. @example sin(array([0, Math.PI / 2])) // [0, 1] */
export const sin = (x: Tensor): Typed => bind('sin', [x], {});
/** Hyperbolic tangent. @example tanh(array([0, 1])) // [0, 0.761594] */
export const tanh = (x: Tensor): Typed => bind('tanh', [x], {});
/** The logistic function 1 / (1 + e⁻ˣ). @example sigmoid(array([0, 1])) // [0.5, 0.731059] */
export const sigmoid = (x: Tensor): Typed => bind('sigmoid', [x], {});
/** The error function, 2/√π ∫ e^(−t²) dt from 0 to x. @example erf(array([0, 1])) // [0, 0.842701] */
export const erf = (x: Tensor): Typed => bind('erf', [x], {});
/** |x| of f32 or i32 (−2³¹ stays); the derivative is 0 at 0. @example abs(array([-2, 3])) // [2, 3] */
export const abs = <D extends DType>(x: Typed<D>): Typed<D> => bind('abs', [x], {});
/** −1, 0 or 1; ±0 and NaN stay. The derivative is 0. @example sign(array([-2, 0, 3])) // [-1, 0, 1] */
export const sign = <D extends DType>(x: Typed<D>): Typed<D> =>
  stopGradient(where(greater(x, 0), 1, where(greater(0, x), -1, x)));
/** The largest integer ≤ x; the derivative is 0. @example floor(array([1.5, -1.5])) // [1, -2] */
export const floor = (x: Tensor): Typed => bind('floor', [x], {});
/** The nearest integer, ties to even; the derivative is 0. @example round(array([2.5, -0.6])) // [2, -1] */
export const round = (x: Tensor): Typed => bind('round', [x], {});
/** max(x, 0), NaN of NaN; the derivative is 0 at 0 and at NaN. @example relu(array([-1, 2])) // [0, 2] */
export const relu = (x: Tensor): Typed => bind('relu', [x], {});
/** x². @example square(array([-3, 4])) // [9, 16] */
export const square = <D extends DType>(x: Typed<D>): Typed<D> => mul(x, x);
const power = binary('pow');
/**
 * aᵇ with the special values of IEEE 754: 1 if b is 0 or a is 1, even with NaN; NaN for a < 0 unless b is
 * whole. The derivative by b is 0 at a = 0 and NaN for a < 0; a literal b has none.
 * @example pow(array([2, 9]), array([3, 0.5])) // [8, 3]
 */
export const pow = (a: Operand, b: Operand): Typed =>
  b === 2 && typeof a !== 'number' ? square(a as Typed) : power(a as Operand<'f32'>, b as Operand<'f32'>);

/**
 * (x − mean) · rate · weight + bias, all of which broadcast. Where the others are repeated over x, its
 * derivative takes two sums over x, however many of them depend on the variable.
 */
export const normalize = (x: Tensor, mean: Tensor, rate: Tensor, weight: Tensor, bias: Tensor): Typed =>
  bind('normalize', alignRanks('normalize', [x, mean, rate, weight, bias]), {});

/** `a` where `condition` (bool) is true, else `b`. @example where(less(iota([3]), 1), 5, 6) // [5, 6, 6] */
export function where<D extends DType = 'f32'>(condition: Tensor, a: Operand<D>, b: Operand<D>): Typed<D> {
  return bind('where', alignRanks('where', [condition, ...literals(a, b)]), {});
}

/**
 * Converts. f32 to integers rounds toward 0 and clamps to 0 … 2³² − 256 (u32) or −2³¹ … 2³¹ − 128 (i32); NaN
 * becomes 0. Between u32 and i32, the bits stay.
 * @example cast(array([2.7, -1]), 'u32') // [2, 0]
 */
export const cast = <D extends Numeric>(x: Tensor, dtype: D): Typed<D> =>
  x?.dtype === dtype ? (x as Typed<D>) : bind('cast', [x], { dtype });
/** Identity with derivative 0. @example grad((x: Tensor) => mul(x, stopGradient(x)))(full(3, [])) // 3 */
export const stopGradient = <D extends DType>(x: Typed<D>): Typed<D> => bind('stopGradient', [x], {});
/**
 * Position of `index` (u32) in the pseudorandom permutation of 0 … n−1 for `key` (u32); n and above stay.
 * @example shuffle(iota([4]), constant(1, 'u32'), 4) // [2, 3, 1, 0]
 */
export const shuffle = (index: Tensor, key: Tensor, n: number): Typed<'u32'> =>
  bind('shuffle', alignRanks('shuffle', [index, key]), { n });
