import { describe, expect, it } from 'vitest';
import { input } from '../../src/autograd/bind.ts';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { ancestors } from '../../src/autograd/tensor.ts';
import { grad, vjp } from '../../src/autograd/transform.ts';
import { testGpu } from '../gpu/harness.ts';
import { expectDerivatives } from './derivatives.ts';
import {
  countOps,
  evaluate,
  expectAgreement,
  expectClose,
  numbers,
  type Operand,
  of,
  valuesOf,
} from './support.ts';

const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;
type Options = Parameters<typeof c.attention>[3];

/** Attention of one head, row by row: `bias(i, j)` is added to the scores. */
function byRows(
  [q, k, v]: readonly ArrayLike<number>[],
  [n, m, d, e]: readonly [number, number, number, number],
  bias: (i: number, j: number) => number = () => 0,
  scale = 1 / Math.sqrt(d),
): number[] {
  return Array.from({ length: n }, (_, i) => {
    const scores = Array.from({ length: m }, (_, j) => {
      let dot = 0;
      for (let l = 0; l < d; l++) dot += q![i * d + l]! * k![j * d + l]!;
      return scale * dot + bias(i, j);
    });
    const weights = scores.map((s) => Math.exp(s));
    const total = weights.reduce((a, b) => a + b) || 1;
    return Array.from({ length: e }, (_, l) => {
      let sum = 0;
      for (let j = 0; j < m; j++) if (weights[j]) sum += (weights[j]! / total) * v![j * e + l]!;
      return sum;
    });
  }).flat();
}

const operandsOf = (lead: number[], n: number, m: number, d: number, e: number): Operand[] => [
  of([...lead, n, d]),
  of([...lead, m, d]),
  of([...lead, m, e]),
];
const masked =
  (f: (...xs: Tensor[]) => Options) =>
  (q: Tensor, k: Tensor, v: Tensor, ...rest: Tensor[]) =>
    c.attention(q, k, v, f(...rest));
/** True where the coordinates' sum is no multiple of three. */
const thirds = (n: number, m: number) =>
  c.greater(c.rem(c.add(c.iota([n, m], -1), c.iota([n, 1], -2)), 3), 0);

describe('attention', () => {
  const sizes = [3, 5, 4, 2] as const;
  const data = operandsOf([], ...sizes).map(({ shape }, i) => numbers(shape[0]! * shape[1]!, 20 + i));
  const cases: [string, Options | (() => Options), ((i: number, j: number) => number)?, scale?: number][] = [
    ['of all', {}],
    ['of another scale', { scale: 0.3 }, () => 0, 0.3],
    ['causal', { causal: true }, (i, j) => (j > i ? -INF : 0)],
    ['by a mask', () => ({ mask: thirds(3, 5) }), (i, j) => ((i + j) % 3 ? 0 : -INF)],
    [
      'by a bias',
      () => ({ mask: c.cast(c.iota([3, 5]), 'f32'), causal: true }),
      (i, j) => (j > i ? -INF : j),
    ],
    ['of nothing in some rows', () => ({ mask: c.greater(c.iota([3, 1], -2), 0) }), (i) => (i ? 0 : -INF)],
  ];
  it.each(cases)('is the formula: %s', (_, options, bias, scale) => {
    const f = masked(() => (typeof options === 'function' ? options() : options));
    const [got] = evaluate(f, operandsOf([], ...sizes), data);
    expectClose(got!.data, byRows(data, sizes, bias, scale), 1e-13);
  });

  it.each<[string, Operand[], (...xs: Tensor[]) => Options]>([
    ['of heads', operandsOf([2, 3], 4, 5, 4, 3), () => ({})],
    ['by a mask', operandsOf([2], 6, 7, 3, 8), () => ({ mask: thirds(6, 7), causal: true })],
    ['by a bias', [...operandsOf([2], 3, 4, 2, 2), of([3, 4])], (mask) => ({ mask })],
    ['of one key', operandsOf([], 1, 1, 1, 1), () => ({})],
  ])('has its derivatives: %s', async (_, operands, options) => {
    await expectDerivatives(await testGpu(), masked(options), operands, 3e-5);
  });

  it('lets queries share keys and values', async () => {
    const shared = [of([2, 3, 4, 5]), of([1, 6, 5]), of([2, 1, 6, 3])];
    await expectAgreement(
      await testGpu(),
      masked(() => ({})),
      shared,
    );
  });

  it('is zero, with zero gradients, where a query sees nothing', async () => {
    const f = (q: Tensor, k: Tensor, v: Tensor) =>
      c.attention(q, k, v, { mask: c.greater(c.iota([2, 1], -2), 0) });
    const gradients = grad((xs: Tensor[]) => c.sum(f(...(xs as [Tensor, Tensor, Tensor]))));
    const operands = operandsOf([], 2, 3, 2, 2);
    const both = (q: Tensor, k: Tensor, v: Tensor) => [f(q, k, v), gradients([q, k, v])[0]!];
    const program = await expectAgreement(await testGpu(), both, operands);
    const [y, dq] = (await program.run(...valuesOf(operands))) as unknown as {
      data: Float32Array;
    }[];
    expect([...y!.data.slice(0, 2), ...dq!.data.slice(0, 2)]).toEqual([0, 0, 0, 0]);
  });

  it('keeps NaN in its rows, and survives huge scores', async () => {
    const q = [NAN, 1e19, 1.5e38, -INF];
    const values = [q, [1, 2], [5, 7]];
    const program = await expectAgreement(
      await testGpu(),
      masked(() => ({ scale: 1 })),
      operandsOf([], 4, 2, 1, 1),
      { values },
    );
    const got = (await program.run(...values)) as unknown as { data: Float32Array };
    expect([...got.data]).toEqual([NAN, 7, 7, 0]);
  });

  it('gives in blocks of queries what a mask gives at once', async () => {
    const [n, m] = [700, 650];
    const below = () => c.greaterEqual(c.iota([n, 1], -2), c.iota([1, m], -1));
    const thirds = c.greater(c.rem(c.add(c.iota([n, m], -1), c.iota([n, 1], -2)), 3), 0);
    const both = (...xs: Tensor[]) =>
      [
        masked(() => ({ causal: true, mask: thirds })),
        masked(() => ({ mask: c.and(below(), thirds) })),
      ].flatMap((f) => {
        const [y, pull] = vjp(f, xs[0]!, xs[1]!, xs[2]!);
        return [y, ...pull(xs[3]!)];
      });
    const operands = [...operandsOf([2], n, m, 4, 3), of([2, n, 3])];
    const program = await compile(await testGpu(), both, operands);
    const results = (await program.run(...valuesOf(operands))) as unknown as { data: Float32Array }[];
    for (let i = 0; i < 4; i++) expectClose(results[i]!.data, results[4 + i]!.data, 3e-6, `result ${i}`);
    expect(
      countOps(
        trace(
          masked(() => ({ causal: true })),
          operands.slice(0, 3),
        ),
      ).concat,
    ).toBe(1);
  });

  it('takes no more scores at a time than a binding spans', () => {
    const { outputs } = trace(
      masked(() => ({})),
      operandsOf([8], 4096, 4096, 64, 64),
    );
    expect(outputs[0]!.shape).toEqual([8, 4096, 64]);
    const sizes = ancestors(outputs).map(({ size }) => size);
    expect(Math.max(...sizes)).toBe(2 ** 25);
  });

  it('says what does not fit', () => {
    const at =
      (...shapes: number[][]) =>
      () =>
        trace((q, k, v) => c.attention(q, k, v), shapes);
    expect(at([4, 3], [5, 2], [5, 2])).toThrow('the inner sizes differ: 3');
    expect(at([4, 3], [5, 3], [6, 2])).toThrow('the inner sizes differ: 5');
    expect(at([4], [5, 3], [6, 2])).toThrow('operands are f32[4] and f32[5,3]');
    const mask = input('mask', [6, 5]);
    expect(() => c.attention(input('q', [4, 3]), input('k', [5, 3]), input('v', [5, 2]), { mask })).toThrow(
      'axis -2 is 4 in one and 6 in another',
    );
  });
});
