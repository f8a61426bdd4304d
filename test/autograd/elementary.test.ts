import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { testGpu } from '../gpu/harness.ts';

const inf = Infinity;
const e85 = Math.exp(85);

/** Right values that WGSL's functions, or formulas replacing them, missed on some adapter. */
const known: [string, (x: Tensor) => Tensor, number[], number[]][] = [
  [
    'sin',
    c.sin,
    [657328, 6e8, 1e20, 3.4028234663852886e38],
    [657328, 6e8, 1e20].map((x) => Math.sin(Math.fround(x))).concat(-0.5218765),
  ],
  [
    'cos',
    c.cos,
    [657328, 6e8, -1e20, 1.5707963267948966],
    [657328, 6e8, 1e20, 1.5707963267948966].map((x) => Math.cos(Math.fround(x))),
  ],
  ['sin of no number', c.sin, [inf, -inf, Number.NaN, 0, -0], [Number.NaN, Number.NaN, Number.NaN, 0, -0]],
  ['cos of no number', c.cos, [inf, -inf, Number.NaN, 0], [Number.NaN, Number.NaN, Number.NaN, 1]],
  [
    'log',
    c.log,
    [-10, 0, -0, inf, Number.NaN, -inf, 1],
    [Number.NaN, -inf, -inf, inf, Number.NaN, Number.NaN, 0],
  ],
  [
    'log beside 1',
    c.log,
    [1 - 2 ** -24, 1 + 2 ** -23, 1.001],
    [-(2 ** -24), 2 ** -23, Math.log(Math.fround(1.001))],
  ],
  [
    'log of small numbers',
    c.log,
    [2 ** -126, 1e-30],
    [2 ** -126, 1e-30].map((x) => Math.log(Math.fround(x))),
  ],
  [
    'exp',
    c.exp,
    [85, -85, 1, 89, -110, inf, -inf, Number.NaN],
    [e85, 1 / e85, Math.E, inf, 0, inf, 0, Number.NaN],
  ],
  [
    'tanh',
    c.tanh,
    [50, -50, inf, -inf, Number.NaN, 1e-30, -0, 9],
    [1, -1, 1, -1, Number.NaN, 1e-30, -0, Math.tanh(9)],
  ],
  // By mpmath.
  [
    'erf',
    c.erf,
    [0.5, -0.92, 0.9200001, 3, 3.9, 4, inf, -inf, Number.NaN, -0, 1e-30],
    [
      0.5204998778130465,
      -0.80676773,
      0.8067678,
      0.9999779095030014,
      0.9999999652,
      1,
      1,
      -1,
      Number.NaN,
      -0,
      1.1283792e-30,
    ],
  ],
  [
    'sigmoid',
    c.sigmoid,
    [0, 1, -1, -20, -87, 20, 100, inf, -inf, Number.NaN],
    [
      0.5,
      0.7310585786300049,
      0.2689414213699951,
      2.0611536181902037e-9,
      1.6458115e-38,
      1,
      1,
      1,
      0,
      Number.NaN,
    ],
  ],
  [
    'round',
    c.round,
    [0.5, 1.5, 2.5, -0.5, -1.5, 8388607.5, 1e30, inf, Number.NaN, 0.49999997],
    [0, 2, 2, -0, -2, 8388608, Math.fround(1e30), inf, Number.NaN, 0],
  ],
  [
    'floor',
    c.floor,
    [0.5, -0.5, -1, 8388607.5, -1e-30, -0, inf, Number.NaN],
    [0, -1, -1, 8388607, -1, -0, inf, Number.NaN],
  ],
  ['sign', c.sign, [3, -1e-30, 0, -0, inf, -inf, Number.NaN], [1, -1, 0, -0, 1, -1, Number.NaN]],
  [
    'the cube',
    (x) => c.pow(x, 3),
    [-2, 0, -0, -inf, inf, Number.NaN, 1e-20],
    [-8, 0, -0, -inf, inf, Number.NaN, 0],
  ],
  [
    'the power −3',
    (x) => c.pow(x, -3),
    [-2, 0, -0, -inf, inf, Number.NaN],
    [-0.125, inf, -inf, -0, 0, Number.NaN],
  ],
  ['the power ½', (x) => c.pow(x, 0.5), [4, 0, -0, -inf, -1, inf], [2, 0, 0, inf, Number.NaN, inf]],
  ['the power 0', (x) => c.pow(x, 0), [4, 0, -inf, Number.NaN], [1, 1, 1, 1]],
  [
    'the power ∞',
    (x) => c.pow(x, inf),
    [4, 0.5, 1, -1, -2, -0.5, 0, Number.NaN],
    [inf, 0, 1, 1, inf, 0, 0, Number.NaN],
  ],
  ['the power −∞', (x) => c.pow(x, -inf), [4, 0.5, 1, -1, -2, -0.5, 0], [0, inf, 1, 1, 0, inf, inf]],
  ['powers of 1', (x) => c.pow(1, x), [Number.NaN, inf, -3], [1, 1, 1]],
  // An inexact logarithm errs in proportion to the base's distance from 1.
  [
    'powers beside 1',
    (x) => c.pow(1 + 2 ** -23, x),
    [2 ** 29, -(2 ** 29), 7e8],
    [
      Math.exp(2 ** 29 * Math.log1p(2 ** -23)),
      Math.exp(-(2 ** 29) * Math.log1p(2 ** -23)),
      Math.exp(7e8 * Math.log1p(2 ** -23)),
    ],
  ],
];

describe('elementary functions, as vectors and one by one', () => {
  it.each(known)('%s', async (_, f, xs, want) => {
    const gpu = await testGpu();
    for (const width of [xs.length, Math.ceil(xs.length / 4) * 4]) {
      const program = await compile(gpu, f, [{ shape: [width] }]);
      const { data } = await program.run([...xs, ...new Array<number>(width - xs.length).fill(0.5)]);
      want.forEach((w, i) => {
        const got = data[i]!;
        const close = Object.is(got, w) || Math.abs(got - w) <= 2 ** -22 * Math.abs(w);
        expect(close, `of ${xs[i]}: ${got}, not ${w}`).toBe(true);
      });
    }
  });

  it('tanh has its derivative everywhere', async () => {
    const program = await compile(
      await testGpu(),
      grad((x: Tensor) => c.sum(c.tanh(x))),
      [{ shape: [5] }],
    );
    const { data } = await program.run([0, 1, -1, 50, -inf]);
    const slope = 1 - Math.tanh(1) ** 2;
    [1, slope, slope, 0, 0].forEach((w, i) => {
      expect(Math.abs(data[i]! - w)).toBeLessThan(1e-6);
    });
  });
});
