import { describe, expect, it } from 'vitest';
import { DeviceArray } from '../../src/autograd/array.ts';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { hvp } from '../../src/autograd/jacobian.ts';
import { compile } from '../../src/autograd/program.ts';
import { Tensor } from '../../src/autograd/tensor.ts';
import { grad, jvp, linearize, vjp } from '../../src/autograd/transform.ts';
import { leavesLike, treeFlatten, treeMap } from '../../src/autograd/tree.ts';
import { withGpu } from '../gpu/harness.ts';
import { of } from './support.ts';

type Pair = { w: Tensor; b: Tensor };

/** 10·w + b: derivatives tell its two parts apart. */
const f = (p: Pair) => c.add(c.mul(p.w, 10), p.b);
const both = (p: Pair) => ({ sum: f(p), far: { w: c.mul(p.w, 3) } });
const one = () => c.constant(1);
const zero = () => c.constant(0);
const numbers = (result: unknown) =>
  interpret({ inputs: [], outputs: treeFlatten(result) }, []).map(({ data }) => data[0]);
const point = () => ({ w: one(), b: one() });

describe('what belongs together has one name, in whatever order', () => {
  it('of tangents', () => {
    expect(numbers(jvp(f, [point()], [{ b: zero(), w: one() }])[1])).toEqual([10]);
    expect(numbers(linearize(f, point()).apply({ b: zero(), w: one() }))).toEqual([10]);
  });

  it('of cotangents', () => {
    const u = { far: { w: zero() }, sum: one() };
    expect(numbers(linearize(both, point()).applyTranspose(u))).toEqual([10, 1]);
    expect(numbers(vjp(both, point())[1](u))).toEqual([10, 1]);
  });

  it('of gradients, which have the order of the argument', () => {
    const [b, w] = numbers(grad(f)({ b: one(), w: one() }));
    expect([w, b]).toEqual([10, 1]);
  });

  it('of arrays and numbers that a program runs on, and of arrays that it writes', () =>
    withGpu(async (gpu) => {
      const program = await compile(gpu, (p: Pair, [k]: [Tensor]) => ({ y: f(p), z: c.mul(k, p.w) }), [
        { w: of([2]), b: of([2]) },
        [of([2])],
      ]);
      const { y, z } = await program.run({ b: [1, 2], w: [3, 4] }, [[5, 6]]);
      expect([[...y.data], [...z.data]]).toEqual([
        [31, 42],
        [15, 24],
      ]);
      using w = DeviceArray.from(gpu, [3, 4], [2]);
      using b = DeviceArray.from(gpu, [1, 2], [2]);
      using first = DeviceArray.zeros(gpu, [2]);
      using second = DeviceArray.zeros(gpu, [2]);
      using bound = program.bind([{ b, w }, [w]], { z: second, y: first });
      bound.submit();
      expect([[...(await first.read())], [...(await second.read())]]).toEqual([
        [31, 42],
        [9, 16],
      ]);
    }));

  it('where names have dots, or are those of methods', () =>
    withGpu(async (gpu) => {
      const g = (p: { a: { b: Tensor }; 'a.b': Tensor; toString: Tensor }) =>
        c.sub(c.mul(p.a.b, p['a.b']), p.toString);
      const program = await compile(gpu, g as never, [
        { a: { b: of([1]) }, 'a.b': of([1]), toString: of([1]) },
      ]);
      const { data } = (await program.run({ toString: 1, 'a.b': 5, a: { b: 2 } })) as { data: Float32Array };
      expect([...data]).toEqual([9]);
      await expect(program.run({ 'a.b': 5, a: { b: 2 } } as never)).rejects.toThrow(
        'input 0.toString: expected f32[1], got nothing',
      );
    }));
});

describe('a structure is refused', () => {
  const x = () => c.full(1, [2]);
  it.each<[string, () => unknown, string]>([
    [
      'with a name that is not there',
      () => jvp(f, [point()], [{ w: one(), c: one() } as never]),
      'jvp: tangent 0: expected {b, w}, got {c, w}',
    ],
    [
      'with a name too many',
      () => linearize(f, point()).apply({ ...point(), v: one() } as Pair),
      'linearize: tangent 0: expected {w, b}, got {v, w, b}',
    ],
    [
      'without a name',
      () => jvp(f, [point()], [{ w: one() } as never]),
      'jvp: tangent 0.b: expected f32[], got nothing',
    ],
    [
      'that is flat where it should be nested',
      () => vjp(both, point())[1]({ sum: one(), far: one() } as never),
      'vjp: cotangent far: expected {w}, got the tensor f32[]',
    ],
    [
      'that is nested where it should be flat',
      () => vjp(f, point())[1]({ w: one() } as never),
      'vjp: cotangent: expected f32[], got {w}',
    ],
    [
      'that is a list where it should be a record',
      () => jvp(f, [point()], [[one(), one()] as never]),
      'jvp: tangent 0: expected {w, b}, got a list of 2',
    ],
    [
      'that is a record where it should be a list',
      () => jvp((xs: Tensor[]) => xs[0]!, [[one()]], [{ 0: one() } as never]),
      'jvp: tangent 0: expected a list of 1, got {0}',
    ],
    [
      'that is too short',
      () => jvp((a: Tensor, b: Tensor) => c.add(a, b), [x(), x()], [x()] as never),
      'jvp: tangent 1: expected f32[2], got nothing',
    ],
    [
      'that is no vector to multiply a Hessian by',
      () => hvp((p: Pair) => f(p), [point()], { w: one() } as never),
      'hvp: v b: expected f32[], got nothing',
    ],
    [
      'that is too long',
      () => jvp((a: Tensor) => a, [x()], [x(), x()] as never),
      'jvp: tangent: expected a list of 1, got a list of 2',
    ],
    [
      'of numbers',
      () => jvp((a: Tensor) => a, [x()], [[1, 1] as never]),
      'jvp: tangent 0: expected f32[2], got a list of 2',
    ],
    [
      'of typed arrays, which are no lists',
      () => jvp((a: Tensor[]) => a[0]!, [[x()]], [new Float32Array(1) as never]),
      'a structure holds a Float32Array of 1 at 0',
    ],
    [
      'with another number than the function was traced with',
      () => jvp((a: Tensor, k: number) => c.mul(a, k), [x(), 2], [x(), 3 as never]),
      'jvp: tangent 1: expected 2, got 3',
    ],
    [
      'whose contents would be ignored',
      () => trace((a: Tensor) => ({ all: new Map([['a', a]]) }), [of([2])]),
      'a structure holds a Map at all',
    ],
  ])('%s', (_, g, message) => {
    expect(g).toThrow(message);
    expect(g).toThrow(expect.objectContaining({ remedy: expect.any(String) }));
  });

  it('names first what differs among many', () => {
    const names = Array.from({ length: 5000 }, (_, i) => `p${i}`);
    const record = (list: readonly string[]) => Object.fromEntries(list.map((name) => [name, one()]));
    const sum = (p: Record<string, Tensor>) => c.add(p.p0!, p.p4999!);
    const tangent = record([...names.slice(0, 4999), 'q']);
    expect(() => jvp(sum, [record(names)], [tangent])).toThrow(
      /expected \{p4999, p0, .* … \(5000 names\)\}, got \{q, p0, /,
    );
  });

  it('by a program, for inputs and for outputs', () =>
    withGpu(async (gpu) => {
      const program = await compile(gpu, both, [{ w: of([1]), b: of([1]) }]);
      using a = DeviceArray.zeros(gpu, [1]);
      const inputs = [{ w: a, b: a }] as const;
      expect(() => program.bind([{ w: a, B: a } as never])).toThrow(
        'both: input 0: expected {b, w}, got {B, w}',
      );
      expect(() => program.bind({ w: a, b: a } as never)).toThrow(
        'both: input: expected a list of 1, got {w, b}',
      );
      expect(() => program.bind(inputs, { sum: a, far: a } as never)).toThrow(
        'both: output far: expected {w}, got a DeviceArray f32[1]',
      );
      expect(() => program.bind(inputs, [a, a] as never)).toThrow(
        'both: output: expected {sum, far}, got a list of 2',
      );
      expect(() => program.bind(inputs, { sum: a } as never)).toThrow(
        'both: output far.w: expected f32[1], got nothing',
      );
      await expect(program.run({ w: 1, b: { w: 1 } } as never)).rejects.toThrow(
        'both: input 0.b: expected f32[1], got {w}',
      );
    }));
});

describe('what is no tensor', () => {
  it('may be left out, where it was nothing or is the same', () => {
    const g = (x: Tensor, options: { scale: number; name: string | undefined }) => [
      c.mul(x, options.scale),
      undefined,
    ];
    const args = (scale: number) => [one(), { scale, name: undefined }] as const;
    expect(numbers(jvp(g, [...args(2)], [one()] as never)[1])).toEqual([2]);
    expect(numbers(jvp(g, [...args(2)], [...args(2)])[1])).toEqual([2]);
    const map = linearize(g, ...args(3));
    expect(numbers(map.applyTranspose([one()] as never))).toEqual([3]);
    expect(map.applyTranspose([one(), undefined])[1]).toEqual({ scale: 3, name: undefined });
  });

  it('keeps its place among many leaves', () => {
    const list = Array.from({ length: 200_000 }, (_, i) => (i % 2 ? one() : i));
    expect(treeFlatten(list)).toHaveLength(100_000);
    const isTensor = (x: unknown): x is Tensor => x instanceof Tensor;
    expect(leavesLike('list', list, list, isTensor)).toHaveLength(100_000);
    expect((treeMap(list, isTensor, (_, path) => path) as unknown[]).slice(0, 4)).toEqual([0, '1', 2, '3']);
  });
});
