import { ERF_WGSL, EXP_WGSL, LOG_WGSL, TANH_WGSL } from '../../kernels/exponential.ts';
import { lateKernels } from '../late.ts';
import * as c from '../operations.ts';
import type { Rules } from '../rule.ts';
import type { Tensor } from '../tensor.ts';
import { elementary, pointwise } from './pointwise-rule.ts';
import { total } from './tangents.ts';

type ElementaryOp =
  | 'exp' | 'log' | 'sqrt' | 'rsqrt' | 'cos' | 'sin' | 'tanh' | 'sigmoid' | 'erf' | 'pow' | 'abs' | 'floor' | 'round'; // biome-ignore format: a list

/** erf x = 2/√π e^(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 ⋯ (2n + 1)), whose terms have one sign; it is ±1 from 6 on. */
function erf64(x: number): number {
  if (!(Math.abs(x) <= 6)) return Math.sign(x);
  let [sum, term] = [0, x];
  for (let n = 1; sum + term !== sum; n++) [sum, term] = [sum + term, (term * 2 * x * x) / (2 * n + 1)];
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** As in IEEE 754: JavaScript has NaN for powers of 1 and −1 that IEEE has 1 for. */
const pow64 = (a: number, b: number): number =>
  a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b;

const roundEven = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** b − 1, or 1 where that would be −1: aᵇ⁻¹ then meets the factor b = 0. */
const oneLess = (b: Tensor): Tensor =>
  b.is('constant')
    ? c.constant(b.params.value === 0 ? 1 : b.params.value - 1)
    : c.where(c.equal(b, 0), 1, c.sub(b, 1));

/** sin(x + quarter · π/2) */
const sinusoid = <P extends 'cos' | 'sin'>(op: P, quarter: 0 | 1, derivative: (x: Tensor) => Tensor) =>
  elementary(op, {
    late: lateKernels.trigonometry,
    f64: Math[op],
    wgsl: ([x]) => `sine(${x}, ${quarter}u)`,
    helpers: () => [lateKernels.trigonometry.module.SINE_WGSL],
    cost: 80,
    derivative,
  });

/** Functions of one f32, and powers. */
export const elementaryRules: Pick<Rules, ElementaryOp> = {
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
    jvp: ([t], [x]) => (t ? c.div(t, x!) : null),
  }),
  sqrt: elementary('sqrt', {
    f64: Math.sqrt,
    wgsl: ([x]) => `sqrt(${x})`,
    cost: 4,
    // d √x = dx / (2 √x)
    derivative: (_, out) => c.div(0.5, out),
  }),
  rsqrt: elementary('rsqrt', {
    f64: (x) => 1 / Math.sqrt(x),
    // Not inverseSqrt: its error is only bounded to 2 ulp and software adapters use estimates.
    wgsl: ([x]) => `F(1.0) / sqrt(${x})`,
    cost: 4,
    // d x^(−1/2) = −½ x^(−3/2) dx
    derivative: (_, out) => c.mul(c.mul(out, c.mul(out, out)), -0.5),
  }),
  // d cos x = −sin x dx, d sin x = cos x dx
  cos: sinusoid('cos', 1, (x) => c.neg(c.sin(x))),
  sin: sinusoid('sin', 0, (x) => c.cos(x)),
  tanh: elementary('tanh', {
    f64: Math.tanh,
    wgsl: ([x]) => `hyperbolicTangent(${x})`,
    helpers: () => [EXP_WGSL, TANH_WGSL],
    cost: 40,
    // d tanh(x) = (1 − tanh²x) dx
    derivative: (_, out) => c.sub(1, c.square(out)),
  }),
  sigmoid: elementary('sigmoid', {
    f64: (x) => 1 / (1 + Math.exp(-x)),
    wgsl: ([x]) => `F(1.0) / (F(1.0) + exponential(-${x}))`,
    helpers: () => [EXP_WGSL],
    cost: 25,
    // d σ(x) = σ(x) (1 − σ(x)) dx
    derivative: (_, out) => c.mul(out, c.sub(1, out)),
  }),
  erf: elementary('erf', {
    f64: erf64,
    wgsl: ([x]) => `errorFunction(${x})`,
    helpers: () => [EXP_WGSL, ERF_WGSL],
    cost: 50,
    // d erf(x) = 2/√π e^(−x²) dx
    derivative: (x) => c.mul(c.exp(c.neg(c.square(x))), 2 / Math.sqrt(Math.PI)),
  }),
  pow: pointwise('pow', {
    operands: ['f32', 'f32'],
    late: lateKernels.power,
    f64: pow64,
    wgsl: ([a, b]) => `power(${a}, ${b})`,
    helpers: () => [EXP_WGSL, lateKernels.power.module.POWER_WGSL],
    cost: 100,
    // d aᵇ = b aᵇ⁻¹ da + aᵇ ln a db
    jvp: ([ta, tb], [a, b], out) => {
      const first = ta ? c.mul(ta, c.mul(b!, c.pow(a!, oneLess(b!)))) : null;
      const second = tb ? c.mul(tb, c.mul(out, c.log(c.where(c.equal(a!, 0), 1, a!)))) : null;
      return total([first, second], out);
    },
  }),
  abs: elementary('abs', {
    operands: ['signed'],
    f64: Math.abs,
    wgsl: ([x]) => `abs(${x})`,
    derivative: (x) => c.sign(x),
  }),
  floor: pointwise('floor', {
    operands: ['f32'],
    f64: Math.floor,
    wgsl: ([x]) => `floor(${x})`,
    jvp: 'zero',
  }),
  round: pointwise('round', { operands: ['f32'], f64: roundEven, wgsl: ([x]) => `round(${x})`, jvp: 'zero' }),
};
