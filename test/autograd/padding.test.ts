import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { withPadding } from '../../src/autograd/lower/copies.ts';
import type { BufferRef } from '../../src/autograd/lower/memory.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { testGpu, withGpu } from '../gpu/harness.ts';
import { expectAgreement, of } from './support.ts';

describe('padded operands', () => {
  it('are copied once for each shape they are read in, into slots of their own', async () => {
    const { traits } = await testGpu();
    const x: BufferRef = { kind: 'input', index: 0, bytes: 4 * 30 };
    const out: BufferRef = { kind: 'slot', index: 0, bytes: 16 };
    const reading = (rows: number, cols: number) => {
      const kernel: Kernel = {
        ...{ name: 'k', wgsl: '', bindings: ['read', 'read_write'], grid: [1, 1, 1], flops: 0, bytes: 0 },
        padded: [[rows, cols]],
      };
      return { kernel, buffers: [x, out] };
    };
    const { steps, slots } = withPadding([reading(5, 6), reading(5, 6), reading(3, 10)], [16], traits);
    expect(steps.map(({ kernel }) => kernel.name)).toEqual(['pad', 'k', 'k', 'pad', 'k']);
    // The first copy is not needed any more when the second is made.
    expect(slots).toEqual([16, 4 * 8 * 8]);
    const first = { kind: 'slot', index: 1, bytes: 4 * 8 * 8 };
    expect(steps.map(({ buffers }) => buffers[0])).toEqual([
      x,
      first,
      first,
      x,
      { ...first, bytes: 4 * 4 * 12 },
    ]);
  });

  it('give the same products', () =>
    withGpu(async (gpu) => {
      const f = (x: Tensor, w: Tensor) => {
        const y = c.matmul(x, w);
        return [
          c.sin(c.mul(y, 0.01)),
          c.matmul(w, x, { transposeA: true, transposeB: true }),
          c.matmul(x, y, { transposeA: true }),
        ];
      };
      const { plan } = await expectAgreement(gpu, f, [of([131, 257]), of([257, 255])]);
      const pads = plan.dispatches.filter(({ kernel }) => kernel.name === 'pad').length;
      // x, w and y once each, on adapters where that is faster.
      expect(pads).toBe(gpu.traits.kind === 'software' && gpu.traits.subgroupSize >= 8 ? 3 : 0);
    }));
});
