import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { printGraph, trace } from '../../src/autograd/graph.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { vmap } from '../../src/autograd/vmap.ts';
import { testGpu, withGpu } from '../gpu/harness.ts';
import { evaluate, expectAgreement, of } from './support.ts';

const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;

describe('constant arrays', () => {
  const table = [1, -2, 3, 0.5, 5, -6];

  it('stand beside inputs, and are freed with what was bound', () =>
    withGpu(async (gpu) => {
      const f = (x: Tensor) => [c.matmul(c.array(table, [2, 3]), x), c.add(x, c.array([1, 2, 3], [3, 1]))];
      const program = await expectAgreement(gpu, f, [of([3, 4])]);
      expect(program.plan.constants).toHaveLength(2);
      const again = await program.run(new Float32Array(12));
      expect([...again[1].data.slice(0, 5)]).toEqual([1, 1, 1, 1, 2]);
    }));

  it('may be all that a program has, and its result', async () => {
    const gpu = await testGpu();
    const special = [NAN, INF, -INF, -0, 2 ** -126, 1e-3];
    const program = await compile(
      gpu,
      () => [c.array(special), c.array([7, 2 ** 32 - 1], [1, 2], 'u32')],
      [],
    );
    const [floats, whole] = await program.run();
    expect([...floats!.data]).toEqual(special.map(Math.fround));
    expect(whole).toEqual({ shape: [1, 2], dtype: 'u32', data: Uint32Array.of(7, 2 ** 32 - 1) });
    await expectAgreement(gpu, (i) => c.take(c.array([1, 2, 255, 4], [2, 2], 'u8'), i), [
      { shape: [3], dtype: 'u32', low: 0, high: 2 },
    ]);
  });

  it('do not change with the data', () => {
    const data = Float64Array.of(0.1, 2);
    const graph = trace(() => c.array(data), []);
    data.fill(0);
    const [got] = evaluate(() => graph.outputs[0]!, [], []);
    expect([...got!.data]).toEqual([Math.fround(0.1), 2]);
  });

  it('print by their shape', () => {
    expect(printGraph(trace((x) => c.mul(c.array([1, 2, 3], [3, 1]), x), [[3, 2]]))).toBe(
      'graph(%0: f32[3,2] 0)\n  %1: f32[3,1] = array()\n  %2: f32[3,2] = mul(%1, %0)\n  return %2',
    );
  });

  it('have no tangent, and are the same each time', async () => {
    const f = (x: Tensor) => c.sum(c.mul(c.square(x), c.array([1, 2, 3])));
    await expectAgreement(await testGpu(), vmap(grad(f)), [of([4, 3])]);
    const [slope] = evaluate(grad(f), [{ shape: [3] }], [[1, 1, 2]]);
    expect([...slope!.data]).toEqual([2, 4, 12]);
  });

  it('refuse what they cannot hold', () => {
    expect(() => c.array([1, 2, 3], [2, 2])).toThrow('array of shape [2,2] was given 3 numbers');
    expect(() => c.array([1, -2], [2], 'u32')).toThrow('element 1 is -2, which u32 does not hold');
    expect(() => c.array([])).toThrow('array: shape [0] has a side of 0');
  });
});

describe('functions under vmap', () => {
  it('give what they give of each element', async () => {
    const functions: ((x: Tensor) => Tensor)[] = [
      (x) => c.softmax(x, 0),
      (x) => c.argmax(x, 0, { keepDims: false }),
      (x) => c.oneHot(c.argmin(x), 3),
      (x) => c.layerNorm(x, { axes: [0, 1] }),
      (x) => c.einsum('ij,kj->ki', x, x),
      (x) => c.attention(x, x, x, { causal: true }),
      (x) => c.averagePool2d(c.reshape(x, [1, 2, -1, 1]), 2, { stride: 1 }),
    ];
    const data = Array.from({ length: 18 }, (_, i) => Math.sin(3 * i));
    for (const f of functions) {
      const [all] = evaluate(vmap(f), [{ shape: [3, 2, 3] }], [data]);
      for (let k = 0; k < 3; k++) {
        const [each] = evaluate(f, [{ shape: [2, 3] }], [data.slice(6 * k, 6 * k + 6)]);
        const size = all!.data.length / 3;
        expect([...all!.data.slice(k * size, (k + 1) * size)], `${f}`).toEqual([...each!.data]);
      }
    }
  });
});
