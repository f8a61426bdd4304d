import { expect, it } from 'vitest';
import { input } from '../../src/autograd/bind.ts';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { orthonormalize, svd } from '../../src/autograd/linalg.ts';
import { grad, jvp } from '../../src/autograd/transform.ts';
import { CollimateError } from '../../src/errors.ts';

const x = input('x', [2, 3]);
const k = input('k', [4], 'u32');
const i = input('i', [4], 'i32');
const bytes = input('bytes', [4, 2], 'u8');
const flag = c.greater(x, 0);
const image = input('image', [1, 5, 5, 2]);
const weight = input('weight', [3, 2, 3, 3]);
const key = input('key', [2], 'u32');
/** Arguments that untyped code might pass. */
const anything = (value: unknown) => value as never;

it.each<[string, () => unknown, string]>([
  [
    'shapes',
    () => c.add(x, input('y', [2, 4])),
    'add: operands of shapes [2,3] and [2,4] do not broadcast: axis -1 is 3 in one and 4 in another',
  ],
  ['types', () => c.mul(input('y', [4]), k), 'mul: operand 1 of shape [4] is u32, expected f32'],
  ['a condition', () => c.where(x, x, 0), 'where: operand 0 of shape [2,3] is f32, expected bool'],
  ['integers in a float function', () => c.exp(k), 'exp: operand 0 of shape [4] is u32, expected f32'],
  ['floats in an integer function', () => c.rem(x, 2), 'rem: operand 0 of shape [2,3] is f32, expected u32'],
  ['a reshape', () => c.reshape(x, [4, 2]), 'reshape: [2,3] has 6 elements, [4,2] has 8'],
  [
    'a permutation',
    () => c.transpose(x, [0, 2]),
    'transpose: [0,2] does not permute the last axes of shape [2,3]',
  ],
  ['a broadcast', () => c.broadcast(x, [4, 3]), 'broadcast: shape [2,3] cannot be repeated to [4,3]'],
  ['an axis', () => c.sum(x, -3), 'sum: axis -3 is not in shape [2,3]'],
  ['an axis of a number', () => c.sum(c.full(1, []), 0), 'sum: axis 0 is not in shape []'],
  ['an axis given twice', () => c.amax(x, [1, -1]), 'max: axis -1 is not in shape [2,3], or given twice'],
  ['bools to reduce', () => c.sum(c.greater(x, 0)), 'sum: the operand is bool'],
  ['integers to average', () => c.mean(k), 'mean: the operand is u32'],
  ['numbers without a sign', () => c.neg(k), 'neg: operand 0 of shape [4] is u32, expected f32'],
  ['integers of two types', () => c.add(i, k), 'add: operand 1 of shape [4] is u32, expected i32'],
  ['integers to multiply', () => c.matmul(c.reshape(i, [2, 2]), c.reshape(i, [2, 2])), 'i32[2,2]'],
  ['a literal beyond i32', () => c.sub(2 ** 31, i), 'constant: 2147483648 is not a i32 literal'],
  ['a negative row', () => c.take(x, c.constant(-1, 'i32')), 'take: row -1 is beyond the table f32[2,3]'],
  ['an index', () => c.take(x, x), 'take: table is f32[2,3], index is f32[2,3]'],
  ['a key', () => c.random(k, [2]), 'random: the key is u32[4]'],
  ['a literal', () => c.add(k, Number.POSITIVE_INFINITY), 'constant: Infinity is not a u32 literal'],
  ['a literal beyond float32', () => c.mul(x, 1e39), 'constant: 1e+39 is not a f32 literal'],
  ['a negative literal beside u32', () => c.greater(k, -1), 'constant: -1 is not a u32 literal'],
  ['a fraction beside u32', () => c.equal(1.5, k), 'constant: 1.5 is not a u32 literal'],
  ['a literal beyond u32', () => c.add(k, 2 ** 32), 'constant: 4294967296 is not a u32 literal'],
  ['NaN beside u32', () => c.minimum(k, Number.NaN), 'constant: NaN is not'],
  [
    'a fraction chosen beside u32',
    () => c.where(c.equal(k, 1), k, 0.5),
    'constant: 0.5 is not a u32 literal',
  ],
  ['a text for a literal', () => c.full(anything('3'), [2]), 'constant: "3" is not a f32 literal'],
  ['a text for a scale', () => c.take(x, k, { scale: anything('2') }), 'take: the scale is 2'],
  ['a record for axes', () => c.sum(x, anything({ axis: 0 })), 'sum: axis '],
  ['a number for a permutation', () => c.transpose(x, anything(1)), 'transpose: [1] does not permute'],
  [
    'a vector to orthonormalize',
    () => orthonormalize(input('y', [3])),
    'orthonormalize: the operand is f32[3]',
  ],
  ['a number to orthonormalize', () => orthonormalize(anything(3)), 'orthonormalize: operand 0 is 3'],
  ['what is no function', () => grad(anything(3))(x), 'cannot differentiate'],
  [
    'arguments outside of a list',
    () => jvp(c.neg, anything(x), [x]),
    'cannot differentiate a function at f32[2,3]',
  ],
  ['a bool literal', () => c.constant(1, 'bool'), 'constant: 1 is not a bool literal'],
  ['a byte literal', () => c.constant(1, 'u8'), 'constant: 1 is not a u8 literal'],
  ['a number beside a bool', () => c.equal(flag, 1), 'equal: operand 0 of shape [2,3] is bool'],
  ['a side', () => trace(c.neg, [{ shape: [2, 0] }]), 'input 0: shape [2,0] has a side of 0'],
  ['a type', () => trace(c.neg, [{ shape: [2], dtype: 'f64' }]), 'input 0: there is no type f64'],
  ['a slice', () => c.slice(x, 1, 4), 'slice: there are no elements 1 to 3 along axis -1 of shape [2,3]'],
  [
    'an empty slice',
    () => c.slice(x, 1, 1, 0),
    'slice: there are no elements 1 to 0 along axis -2 of shape [2,3]',
  ],
  [
    'an axis of a slice',
    () => c.slice(x, 0, 1, 2),
    'slice: there are no elements 0 to 0 along axis 2 of shape [2,3]',
  ],
  [
    'a concatenation',
    () => c.concat([x, c.full(1, [2, 2])], 0),
    'concat: operands of shapes [1,3] and [1,2] do not broadcast: axis -1 is 3 in one and 2 in another',
  ],
  [
    'a concatenation of types',
    () => c.concat([x, c.iota([2, 3])]),
    'concat: operands are f32[2,3] and u32[2,3], axis -1',
  ],
  ['a concatenation of nothing', () => c.concat([]), 'concat: there is no tensor'],
  ['negative sides', () => c.reshape(x, [-2, -3]), 'reshape: shape [-2,-3] has a side of -2'],
  ['two sides to be found out', () => c.reshape(x, [-1, -1]), 'reshape: shape [-1,-1] has a side of -1'],
  ['sides that are no list', () => c.full(1, anything(3)), 'full: the shape is 3'],
  ['a number of axes', () => c.reshape(x, [6], 1.5), 'reshape: '],
  ['a number of axes below 0', () => c.reshape(x, [2, 3], -1), 'reshape: '],
  [
    'a fractional side',
    () => c.broadcast(input('y', [1]), [2.5]),
    'broadcast: shape [2.5] has a side of 2.5',
  ],
  ['a value of no side', () => c.full(0, [0]), 'full: shape [0] has a side of 0'],
  ['coordinates of no side', () => c.iota([0]), 'iota: shape [0] has a side of 0'],
  ['coordinates along no axis', () => c.iota([3], 1), 'iota: axis 1 is not in shape [3]'],
  ['coordinates along a fraction', () => c.iota([3], -0.5), 'iota: axis -0.5 is not in shape [3]'],
  ['random numbers of no side', () => c.random(key, [2, 0]), 'random: shape [2,0] has a side of 0'],
  ['a stream', () => c.random(key, [2], { stream: -1 }), 'random: stream -1'],
  ['a fractional stream', () => c.random(key, [2], { stream: 0.5 }), 'random: stream 0.5'],
  [
    'a distribution',
    () => c.random(key, [2], { distribution: anything('poisson') }),
    'random: stream 0 of the distribution poisson',
  ],
  ['a key of floats', () => c.random(input('y', [2]), [2]), 'random: the key is f32[2]'],
  ['a permutation of none', () => c.shuffle(k, c.iota([1]), 0), 'shuffle: there are no permutations of 0'],
  [
    'a permutation of a fraction',
    () => c.shuffle(k, c.iota([1]), 2.5),
    'shuffle: there are no permutations of 2.5',
  ],
  ['a fractional axis', () => c.sum(x, 0.5), 'sum: axis 0.5 is not in shape [2,3]'],
  ['an axis beyond', () => c.mean(x, [2]), 'mean: axis 2 is not in shape [2,3]'],
  ['an axis that is none', () => c.variance(x, Number.NaN), 'variance: axis NaN is not in shape [2,3]'],
  ['an axis permuted twice', () => c.transpose(x, [1, 1]), 'transpose: [1,1] does not permute'],
  ['fractional axes', () => c.transpose(x, [0.5, 1]), 'transpose: [0.5,1] does not permute'],
  ['bytes in arithmetic', () => c.add(bytes, 1), 'add: an operand is u8[4,2]'],
  ['bytes to convert', () => c.cast(bytes, 'f32'), 'cast: an operand is u8[4,2]'],
  ['bytes to permute', () => c.transpose(bytes), 'transpose: an operand is u8[4,2]'],
  ['bytes to repeat', () => c.broadcast(bytes, [3, 4, 2]), 'broadcast: an operand is u8[1,4,2]'],
  ['bytes to sum', () => c.sum(bytes), 'sum: the operand is u8'],
  ['a conversion', () => c.cast(x, anything('bool')), 'cast: there is no conversion to bool'],
  ['a row beyond the table', () => c.take(x, c.iota([3])), 'take: row 2 is beyond the table f32[2,3]'],
  [
    'a computed row beyond the table',
    () => c.take(bytes, c.add(c.iota([2]), 3)),
    'take: row 4 is beyond the table u8[4,2]',
  ],
  ['a scale', () => c.take(x, k, { scale: Number.NaN }), 'take: the scale is NaN'],
  ['a shift', () => c.take(x, k, { shift: 1e39 }), 'take: the scale is 1, the shift 1e+39'],
  ['a table without rows', () => c.take(c.full(1, []), k), 'take: table is f32[]'],
  ['vectors', () => c.matmul(x, input('y', [3])), 'matmul: operands are f32[2,3] and f32[3]'],
  ['inner sizes', () => c.matmul(x, x), 'matmul: the inner sizes differ: 3 ([2,3]) and 2 ([2,3])'],
  [
    'integers to orthonormalize',
    () => orthonormalize(c.iota([2, 2])),
    'orthonormalize: the operand is u32[2,2]',
  ],
  ['integers to factorize', () => svd(c.iota([2, 2])), 'svd: the operand is u32[2,2]'],
  ['a stride', () => c.conv2d(image, weight, { stride: 0 }), "conv: the stride's height is 0"],
  [
    'a fractional stride',
    () => c.maxPool2d(image, 2, { stride: [1, 1.5] }),
    "maxPool: the stride's width is 1.5",
  ],
  [
    'three strides',
    () => c.conv2d(image, weight, { stride: anything([1, 1, 2]) }),
    'conv: the stride is 1,1,2',
  ],
  ['a padding', () => c.conv2d(image, weight, { padding: -1 }), "conv: the padding's height is -1"],
  ['too large a window', () => c.maxPool2d(image, 6), "maxPool: the window's height is 6, the image's 5"],
  ['no window', () => c.maxPool2d(image, 0), "maxPool: the window's height is 0"],
  ['a weight', () => c.conv2d(image, x), 'conv: an operand is f32[2,3]'],
  ['channels', () => c.conv2d(image, input('w', [3, 4, 3, 3])), 'conv: '],
  ['a number for a tensor', () => c.exp(anything(2)), 'exp: operand 0 is 2, not a tensor'],
  ['nothing for a tensor', () => c.reshape(anything(undefined), [1]), 'reshape: operand 0 is nothing'],
  [
    'data for a tensor',
    () => c.add(x, anything(Float32Array.of(1))),
    'add: operand 1 is a Float32Array of 1, not a tensor',
  ],
  [
    'nothing for a matrix',
    () => c.matmul(x, anything(undefined)),
    'matmul: operand 1 is nothing, not a tensor',
  ],
  [
    'a padding as large as the window',
    () => c.maxPool2d(image, [3, 2], { padding: [1, 2] }),
    "a padding of 2 is as large as the window's width, 2",
  ],
  ['a list for a tensor', () => c.mul(anything([1, 2]), x), 'mul: operand 0 is a list of 2, not a tensor'],
  ['a truth for a condition', () => c.where(anything(true), x, 0), 'where: operand 0 is true, not a tensor'],
  ['a string for an operand', () => c.sub(x, anything('1')), 'sub: operand 1 is "1", not a tensor'],
  [
    'a comparison in JavaScript',
    () => (anything(x) > 0 ? 1 : 2),
    'a tensor, f32[2,3] from input, was used as a number',
  ],
  ['arithmetic in JavaScript', () => anything(x) * 2, 'was used as a number or a string'],
  ['text in JavaScript', () => `${anything(x)}`, 'was used as a number or a string'],
  [
    'labels',
    () => c.softmaxCrossEntropy(x, input('y', [3])),
    'softmaxCrossEntropy: logits are f32[2,3], labels f32[3]',
  ],
  ['integer labels', () => c.softmaxCrossEntropy(x, c.iota([2])), 'logits are f32[2,3], labels u32[2]'],
  ['logits', () => c.softmaxCrossEntropy(input('y', [3]), x), 'logits are f32[3], labels f32[2,3]'],
  [
    'too many elements',
    () => c.full(1, [1e5, 1e5]),
    'broadcast: the result of shape [100000,100000] has 10000000000 elements',
  ],
  [
    'values',
    () => interpret({ inputs: [x], outputs: [x] }, [[1]]),
    'interpret: input x of shape [2,3] was given 1 numbers',
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

it('counts axes from either end', () => {
  expect(c.iota([2, 3], 0).params).toEqual(c.iota([2, 3], -2).params);
  expect(c.sum(x, 0).shape).toEqual(c.sum(x, -2).shape);
});
