import { expect, test } from 'vitest';
import { operandOf } from '../../src/kernels/operand.ts';
import { softwareTraits } from '../gpu/traits.ts';

const lavapipe = {
  ...softwareTraits,
  ...{ subgroupSize: 8, maxStorageBuffersPerStage: 16, maxTexelBytes: 2 ** 28, offsetAlignment: 16 },
};
const [few, many] = [2 ** 20, 2 ** 22];
const access = (size: number, operations: number, traits = lavapipe, width: 1 | 4 = 4, batch = 1) =>
  operandOf(size, width, batch > 1 ? [{ size: batch, stride: size }] : [], operations, traits).access;

test('operands are read where their adapter reads them fastest', () => {
  expect(access(128 * 128, few)).toBe('uniform');
  expect(access(128 * 128, many)).toBe('texels');
  expect(access(32 * 32, many)).toBe('uniform');
  expect(access(129 * 128, few)).toBe('texels');
  expect(access(128 * 128, many, lavapipe, 1)).toBe('read');
  expect(access(32 * 32, few, lavapipe, 4, 5)).toBe('read');
  expect(access(64 * 64, many, lavapipe, 4, 5)).toBe('texels');
  expect(access(128 * 128, many, { ...lavapipe, maxTexelBytes: 0 })).toBe('uniform');
  expect(access(512 * 512, many, { ...lavapipe, maxTexelBytes: 0 })).toBe('read');
});

test('subgroups of 16 lanes, with which lavapipe loads wrong texels, read none', () => {
  const wide = { ...lavapipe, subgroupSize: 16 };
  expect(access(512 * 512, many, wide)).toBe('read');
  expect(access(128 * 128, many, wide)).toBe('uniform');
});

test('adapters that read storage well read nothing else', () => {
  for (const traits of [
    { ...lavapipe, subgroupSize: 4 },
    { ...lavapipe, kind: 'hardware' as const, subgroupSize: 32 },
  ]) {
    expect(access(512 * 512, many, traits)).toBe('read');
    expect(access(16, few, traits)).toBe('read');
  }
});
