import { EXP_WGSL, LOG_WGSL, TANH_WGSL } from '../../kernels/exponential.ts';
import { SINE_WGSL } from '../../kernels/trigonometry.ts';
import { cos, div, mul, neg, sin, square, sub } from '../operations.ts';
import type { Rules } from '../rule.ts';
import { elementary, pointwise } from './pointwise-rule.ts';

/** Functions of one f32. */
export const elementaryRules: Pick<Rules, 'exp' | 'log' | 'sqrt' | 'rsqrt' | 'cos' | 'sin' | 'tanh'> = {
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
};
