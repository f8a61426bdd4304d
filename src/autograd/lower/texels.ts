import type { Kernel } from '../../gpu/kernel.ts';
import { type BufferRef, Memory } from './memory.ts';

/** A dispatch before it is known what is read from textures. */
export interface Step {
  readonly kernel: Kernel;
  readonly buffers: readonly BufferRef[];
}

/** Of a value, into a texture. */
export interface TexelCopy {
  readonly from: BufferRef;
  readonly to: BufferRef;
}

/**
 * Puts textures in the place of what kernels read as texels, and before the first of a value's readers the copy that fills its
 * texture. Each value has one {@link BufferRef} of its own, so that what is copied is known by it whatever else its slot held.
 */
export function withCopies(steps: readonly Step[]) {
  const readsTexels = ({ kernel }: Step, binding: number) => kernel.bindings[binding] === 'texels';
  const lastUse = new Map<BufferRef, number>();
  steps.forEach((step, i) => {
    step.buffers.forEach((ref, b) => {
      if (readsTexels(step, b)) lastUse.set(ref, i);
    });
  });
  const memory = new Memory('texture');
  const copied = new Map<BufferRef, BufferRef>();
  const dispatches = steps.map((step, i) => {
    const copies: TexelCopy[] = [];
    const buffers = step.buffers.map((from, b) => {
      if (!readsTexels(step, b)) return from;
      let to = copied.get(from);
      if (!to) {
        to = memory.take(from.bytes);
        copied.set(from, to);
        copies.push({ from, to });
      }
      return to;
    });
    for (const from of new Set(step.buffers)) {
      if (lastUse.get(from) !== i) continue;
      memory.release(copied.get(from)!);
      copied.delete(from);
    }
    return { kernel: step.kernel, buffers, copies };
  });
  return { dispatches, textures: memory.sizes };
}
