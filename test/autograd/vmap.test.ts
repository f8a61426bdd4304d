import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { svd } from '../../src/autograd/linalg.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad, jvp, linearize } from '../../src/autograd/transform.ts';
import { type Axes, vmap } from '../../src/autograd/vmap.ts';
import { testGpu } from '../gpu/harness.ts';
import { evaluate, expectAgreement, expectClose, indices, of, valuesOf } from './support.ts';

const shapes = (f: (...xs: Tensor[]) => unknown, ...operands: number[][]) =>
  trace(
    f,
    operands.map((shape) => of(shape)),
  ).outputs.map(({ shape }) => shape);

describe('axes', () => {
  // From the documentation of JAX: matrix products out of products of vectors.
  const vv = (x: Tensor, y: Tensor) => c.reshape(c.sum(c.mul(x, y)), []);
  const mv = vmap(vv, [0, null]);
  const mm = vmap(mv, [null, 1], 1);

  it('make products of matrices of products of vectors', () => {
    expect(shapes(mv, [4, 3], [3])).toEqual([[4]]);
    expect(shapes(mm, [4, 3], [3, 5])).toEqual([[4, 5]]);
    const operands = [of([4, 3]), of([3, 5])];
    const values = valuesOf(operands);
    const [got, want] = [mm, c.matmul].map((f) => evaluate((a, b) => f(a!, b!), operands, values)[0]!);
    expectClose(got!.data, want!.data, 1e-15);
  });

  it.each<[Axes, Axes, number[], number[]]>([
    [0, 0, [2, 3, 4], [2, 3, 4]],
    [1, 0, [3, 2, 4], [2, 3, 4]],
    [-1, 0, [3, 4, 2], [2, 3, 4]],
    [[2], -1, [3, 4, 2], [3, 4, 2]],
    [0, 1, [2, 3, 4], [3, 2, 4]],
  ])('%j of arguments, %j of results', (inAxes, outAxes, from, to) => {
    const f = vmap((x: Tensor) => c.mul(c.softmax(x), 2), inAxes, outAxes);
    expect(shapes(f, from)).toEqual([to]);
  });

  it('are those of structures', () => {
    const f = ({ w, b }: { w: Tensor; b: Tensor[] }, x: Tensor): Record<'y' | 'b' | 'one', Tensor> => ({
      y: c.add(c.matmul(x, w), b[0]!),
      b: b[0]!,
      one: c.full(1, [2]),
    });
    const axes: Axes[] = [{ w: 2, b: null }, 0];
    const { result } = trace(vmap(f, axes, { y: 1, b: null, one: 0 }), [
      { w: [3, 4, 5], b: [[4]] },
      [5, 2, 3],
    ]);
    expect([result.y, result.b, result.one].map(({ shape }) => shape)).toEqual([[2, 5, 4], [4], [5, 2]]);
  });
});

describe('nested', () => {
  it('maps over one axis within another, and over what is outside of it', () => {
    // y[i, j] = Σ_k tanh(x[i, k] + z[j, k])
    const f = (x: Tensor, z: Tensor) =>
      vmap((b: Tensor) => vmap((a: Tensor) => c.sum(c.tanh(c.add(a, b))))(x))(z);
    const operands = [of([4, 3]), of([5, 3])];
    const [x, z] = valuesOf(operands);
    const [got] = evaluate(f, operands, [x!, z!]);
    expect(got!.shape).toEqual([5, 4, 1]);
    const want = Array.from({ length: 20 }, (_, n) =>
      [0, 1, 2].reduce((s, k) => s + Math.tanh(x![3 * (n % 4) + k]! + z![3 * Math.floor(n / 4) + k]!), 0),
    );
    expectClose(got!.data, want, 1e-15);
  });

  it('gives gradients of each, and the gradient of all', () => {
    const loss = (w: Tensor, x: Tensor) => c.sum(c.square(c.tanh(c.matmul(x, w))));
    const operands = [of([3, 2]), of([5, 4, 3])];
    const values = valuesOf(operands);
    const each = (w: Tensor, x: Tensor) => vmap(grad(loss), [null, 0])(w, x);
    const all = grad((w: Tensor, x: Tensor) => c.sum(vmap(loss, [null, 0])(w, x)));
    const [one, sum] = evaluate((w, x) => [c.sum(each(w, x), 0), all(w, x)], operands, values);
    expectClose(one!.data, sum!.data, 1e-14);
    expect(shapes(each, [3, 2], [5, 4, 3])).toEqual([[5, 3, 2]]);
  });

  it('maps linear maps that are applied to batches', () => {
    const f = (x: Tensor, v: Tensor) => linearize((x: Tensor) => c.mul(c.sin(x), c.sum(x)), x).apply(v);
    const single = (x: Tensor, v: Tensor) => jvp((x: Tensor) => c.mul(c.sin(x), c.sum(x)), [x], [v])[1];
    const operands = [of([4, 3]), of([2, 3])];
    const values = valuesOf(operands);
    const [got, want] = [vmap(f, [0, null]), vmap(vmap(single, [null, 0]), [0, null])].map(
      (f) => evaluate((x, v) => f(x!, v!), operands, values)[0]!,
    );
    expect(got!.shape).toEqual([4, 2, 3]);
    expectClose(got!.data, want!.data, 1e-15);
  });
});

describe('on the device', () => {
  it('takes, draws, pools and decomposes for each', async () => {
    const f = (x: Tensor, index: Tensor, key: Tensor, image: Tensor) => ({
      rows: vmap((x: Tensor, i: Tensor) => c.take(x, i))(x, index),
      shared: vmap((x: Tensor, i: Tensor) => c.take(x, i), [null, 0])(c.reshape(x, [8, 3]), index),
      drawn: vmap((key: Tensor) => c.random(key, [3, 50], { distribution: 'normal' }))(key),
      pooled: vmap(grad((x: Tensor) => c.sum(c.square(c.maxPool2d(x, 2)))))(image),
      s: vmap((x: Tensor) => svd(c.matmul(x, x, { transposeA: true })).s)(x),
    });
    const operands = [of([2, 4, 3]), indices([2, 5], 4), indices([2, 2], 2 ** 32), of([2, 1, 4, 4, 3])];
    await expectAgreement(await testGpu(), f, operands);
  });

  it('draws the same for one key, and for each key what it gives alone', async () => {
    const draw = (key: Tensor) => c.random(key, [70]);
    const same = (x: Tensor, key: Tensor) => vmap((x: Tensor) => c.add(c.mul(x, 0), draw(key)))(x);
    const [twice] = evaluate(
      same,
      [of([2, 1]), indices([2], 9)],
      [
        [1, 2],
        [3, 4],
      ],
    );
    const [alone] = evaluate(draw, [indices([2], 9)], [[3, 4]]);
    const [each] = evaluate(vmap(draw), [indices([2, 2], 9)], [[1, 2, 3, 4]]);
    expect([...twice!.data]).toEqual([...alone!.data, ...alone!.data]);
    expect([...each!.data.subarray(70)]).toEqual([...alone!.data]);
    expect([...each!.data.subarray(0, 70)]).not.toEqual([...alone!.data]);
    const program = await expectAgreement(await testGpu(), vmap(draw), [indices([300, 2], 2 ** 32)]);
    expect(program.plan.dispatches.length).toBe(1);
  });

  it('takes nothing from another table', () => {
    const f = vmap((x: Tensor, i: Tensor) => c.take(x, i));
    const [got] = evaluate(
      f,
      [of([2, 3]), indices([2, 2], 9)],
      [
        [1, 2, 3, 4, 5, 6],
        [3, 0, 2, 2 ** 32 - 1],
      ],
    );
    expect([...got!.data]).toEqual([Number.NaN, 1, 6, Number.NaN]);
  });
});

describe('mistakes', () => {
  const x = (...shape: number[]) => c.full(1, shape);
  const sum = (a: Tensor, b: Tensor) => c.add(a, b);
  it.each<[string, () => unknown, RegExp]>([
    [
      'sizes that differ',
      () => vmap(sum)(x(2, 3), x(4, 3)),
      /argument 1, f32\[4,3\], has 4 along axis 0, and argument 0 has 2/,
    ],
    ['an axis that is not there', () => vmap(c.sin, 2)(x(2, 3)), /argument 0 has no axis 2: it has 2/],
    ['half an axis', () => vmap(c.sin, 0.5)(x(2, 3)), /no axis 0\.5/],
    ['no mapped argument', () => vmap(sum, [null, null])(x(2), x(2)), /no argument is mapped/],
    [
      'axes of another number',
      () => vmap(sum, [0])(x(2), x(2)),
      /argument: the axes are a list of 1 for a list of 2/,
    ],
    ['axes of another structure', () => vmap(c.sin, [{ a: 0 }])(x(2)), /argument 0: the axes are \{a\}/],
    ['a result that differs', () => vmap(c.sin, 0, null)(x(2)), /result differs from one index to the next/],
    ['an axis that the result lacks', () => vmap(c.sin, 0, 3)(x(2)), /result has no axis 3/],
    ['no tensor', () => vmap((_: Tensor) => 3)(x(2)), /returns 3, and no tensor/],
    ['an error within', () => vmap((a: Tensor) => c.matmul(a, a))(x(2, 3, 4)), /inner sizes differ/],
  ])('%s', (_, f, message) => {
    expect(f).toThrow(message);
    expect(f).toThrow(expect.objectContaining({ remedy: expect.any(String) }));
  });
});
