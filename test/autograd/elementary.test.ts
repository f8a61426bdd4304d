import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { testGpu } from '../gpu/harness.ts';

const inf = Infinity;
const e85 = Math.exp(85);

/** Right values, beside which WGSL's own functions or formulas in their place went wrong on some adapter. */
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
