import { describe, expect, it } from 'vitest';
import { withTexels } from '../../src/autograd/lower/copies.ts';
import type { BufferRef, Step } from '../../src/autograd/lower/memory.ts';
import type { Access, Kernel } from '../../src/gpu/kernel.ts';

const kernelOf = (bindings: readonly Access[]): Kernel => ({
  ...{ name: 'k', wgsl: '', bindings, grid: [1, 1, 1], flops: 0, bytes: 0 },
});
const slot = (index: number, bytes: number): BufferRef => ({ kind: 'slot', index, bytes });

describe('copies into textures', () => {
  const x: BufferRef = { kind: 'input', index: 0, bytes: 4096 };

  it('are made once for a value, before its first reader', () => {
    const out = [slot(0, 64), slot(1, 64)];
    const product = (to: BufferRef): Step => ({
      kernel: kernelOf(['texels', 'read_write']),
      buffers: [x, to],
    });
    const { dispatches, textures } = withTexels([product(out[0]!), product(out[1]!)]);
    expect(textures).toEqual([4096]);
    const texture = { kind: 'texture', index: 0, bytes: 4096 };
    expect(dispatches.map(({ copies }) => copies)).toEqual([[{ from: x, to: texture }], []]);
    expect(dispatches.map(({ buffers }) => buffers[0])).toEqual([texture, texture]);
  });

  it('are made anew for the next value in a slot, in a texture that is free by then', () => {
    const [first, second] = [slot(0, 256), slot(0, 1024)];
    const read: Access[] = ['texels', 'read_write'];
    const { dispatches, textures } = withTexels([
      { kernel: kernelOf(['read', 'read_write']), buffers: [x, first] },
      { kernel: kernelOf(read), buffers: [first, slot(1, 16)] },
      { kernel: kernelOf(['read', 'read_write']), buffers: [x, second] },
      { kernel: kernelOf(read), buffers: [second, slot(1, 16)] },
    ]);
    expect(textures).toEqual([1024]);
    expect(dispatches.map(({ copies }) => copies.map(({ from }) => from))).toEqual([
      [],
      [first],
      [],
      [second],
    ]);
  });

  it('of two operands of one dispatch, or of one twice, do not share a texture unless they are one value', () => {
    const y = slot(0, 4096);
    const two = kernelOf(['texels', 'texels', 'read_write']);
    const apart = withTexels([{ kernel: two, buffers: [x, y, slot(1, 16)] }]);
    expect(apart.textures).toEqual([4096, 4096]);
    expect(apart.dispatches[0]!.copies).toHaveLength(2);
    const same = withTexels([{ kernel: two, buffers: [x, x, slot(1, 16)] }]);
    expect(same.textures).toEqual([4096]);
    expect(same.dispatches[0]!.copies).toHaveLength(1);
  });
});
