import { expect, test } from 'vitest';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { evaluationBatch } from '../../src/train/evaluate.ts';
import { initialState } from '../../src/train/state.ts';

const options = { inputs: 6, depth: 2, width: 40, classes: 3, activation: 'relu', skip: true } as const;

test('options that no network can have are refused', () => {
  const refused = (changes: object, message: string) =>
    expect(() => new FcResNet({ ...options, ...changes })).toThrow(message);
  refused({ norm: 'layer' }, 'norm: expected "batch" or "none", got "layer"');
  refused({ branch: 'pre' }, 'branch: expected "post-norm" or "pre-norm" or "inception", got "pre"');
  refused({ norm: 'none', branch: 'pre-norm' }, 'branch is pre-norm in a network without BatchNorm');
  for (const dropout of [1, -0.1, Number.NaN]) refused({ dropout }, 'dropout: expected a rate from 0 up to');
  refused({ activation: 'tanh' }, 'activation: expected "relu" or "identity", got "tanh"');
  refused({ skip: 'no' }, 'skip: expected true or false, got "no"');
  refused({ depth: 4e8 }, 'depth: expected a whole number from 1 to 10000, got 400000000');
  refused({ branchScale: Number.NaN }, 'branchScale: expected "learned" or a number above 0');
  refused({ skip: false, branchScale: 'learned' }, 'branchScale is learned in a network without');
});

test('branches are to begin as nothing where their scale is learned, whatever else is drawn', () => {
  const [plain, scaled] = [{}, { branchScale: 'learned' as const }].map(
    (changes) => initialState(new FcResNet({ ...options, ...changes }), 1).parameters,
  );
  expect([...scaled!].slice(0, plain!.size)).toEqual([...plain!]);
  expect([...scaled!].slice(plain!.size)).toEqual(
    [0, 1].map((i) => [`blocks.${i}.scale`, Float32Array.of(0)]),
  );
});

test('evaluation makes room for layers without BatchNorm too', () => {
  const limits = { maxBindingBytes: 4 * 40 * 3 };
  expect(evaluationBatch(new FcResNet(options), limits)).toBe(3);
  expect(evaluationBatch(new FcResNet({ ...options, norm: 'none' }), limits)).toBe(3);
});
