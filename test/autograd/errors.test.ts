import { expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { input } from '../../src/autograd/tensor.ts';
import { CollimateError } from '../../src/errors.ts';

const x = input('x', [2, 3]);
const k = input('k', [4], 'u32');

it.each<[string, () => unknown, string]>([
  [
    'shapes',
    () => c.add(x, input('y', [2, 4])),
    'add: operands of shapes [2,3] and [2,4] do not broadcast: axis -1 is 3 in one and 4 in another',
  ],
  ['types', () => c.mul(input('y', [4]), k), 'mul: operand 1 of shape [4] is u32, but f32 is wanted'],
  ['a condition', () => c.where(x, x, 0), 'where: operand 0 of shape [2,3] is f32, but bool is wanted'],
  ['integers in a float function', () => c.exp(k), 'exp: operand 0 of shape [4] is u32, but f32 is wanted'],
  [
    'floats in an integer function',
    () => c.rem(x, 2),
    'rem: operand 0 of shape [2,3] is f32, but u32 is wanted',
  ],
  ['a reshape', () => c.reshape(x, [4, 2]), 'reshape: [2,3] has 6 elements, [4,2] has 8'],
  [
    'a permutation',
    () => c.transpose(x, [0, 2]),
    'transpose: [0,2] does not permute the last axes of shape [2,3]',
  ],
  ['a broadcast', () => c.broadcast(x, [4, 3]), 'broadcast: shape [2,3] cannot be repeated to [4,3]'],
  ['an axis', () => c.sum(x, -3), 'sum: axis -3 is not in shape [2,3]'],
  ['an axis given twice', () => c.amax(x, [1, -1]), 'max: axis -1 is not in shape [2,3], or given twice'],
  ['integers to reduce', () => c.sum(k), 'sum: operand is u32'],
  ['an index', () => c.take(x, x), 'take: table is f32[2,3], index is f32[2,3]'],
  ['a key', () => c.random(k, [2]), 'random: the key is u32[4]'],
  ['a literal', () => c.add(x, Number.POSITIVE_INFINITY), 'constant: Infinity is not a finite float32'],
  ['a literal beyond float32', () => c.mul(x, 1e39), 'constant: 1e+39 is not a finite float32'],
  ['a side', () => trace(c.neg, [{ shape: [2, 0] }]), 'input 0: shape [2,0] has a side of 0'],
  [
    'values',
    () => interpret({ inputs: [x], outputs: [x] }, [[1]]),
    'interpret: x of shape [2,3] was given 1 values',
  ],
])('names what is wrong with %s, and what to do', (_, f, message) => {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(CollimateError);
    expect((error as CollimateError).message).toContain(message);
    expect((error as CollimateError).remedy).toMatch(/\.$/);
    return;
  }
  expect.unreachable('it was accepted');
});
