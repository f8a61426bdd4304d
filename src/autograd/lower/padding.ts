import type { AdapterTraits } from '../../gpu/traits.ts';
import { pad, roundUp } from '../../kernels/pad.ts';
import { type BufferRef, Memory } from './memory.ts';
import type { Step } from './texels.ts';

/** Puts padded copies in the place of what kernels want padded, each made once, in slots behind those that there are. */
export function withPadding(
  steps: readonly Step[],
  slots: readonly number[],
  traits: AdapterTraits,
): { steps: Step[]; slots: number[] } {
  const sidesOf = ({ kernel }: Step, binding: number) => kernel.padded?.[binding];
  // Copies by their value and their sides.
  const keys = new Map<BufferRef, Map<string, { to?: BufferRef; last: number }>>();
  const copyOf = (from: BufferRef, sides: readonly [number, number]) => {
    const known = keys.get(from) ?? new Map();
    keys.set(from, known);
    const copy = known.get(`${sides}`) ?? { last: 0 };
    known.set(`${sides}`, copy);
    return copy;
  };
  steps.forEach((step, i) => {
    step.buffers.forEach((from, b) => {
      const sides = sidesOf(step, b);
      if (sides) copyOf(from, sides).last = i;
    });
  });
  const memory = new Memory('slot');
  const all = steps.flatMap((step, i) => {
    const made: Step[] = [];
    const done = new Set<BufferRef>();
    const buffers = step.buffers.map((from, b) => {
      const sides = sidesOf(step, b);
      if (!sides) return from;
      const [rows, cols] = sides;
      const copy = copyOf(from, sides);
      if (!copy.to) {
        const taken = memory.take(4 * roundUp(rows) * roundUp(cols));
        copy.to = { ...taken, index: slots.length + taken.index };
        made.push({ kernel: pad(rows, cols, traits), buffers: [from, copy.to] });
      }
      if (copy.last === i) done.add(copy.to);
      return copy.to;
    });
    for (const to of done) memory.release({ ...to, index: to.index - slots.length });
    return [...made, { kernel: step.kernel, buffers }];
  });
  return { steps: all, slots: [...slots, ...memory.sizes] };
}
