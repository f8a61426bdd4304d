import type { AdapterTraits } from '../../gpu/traits.ts';
import { pad, roundUp } from '../../kernels/pad.ts';
import { type BufferRef, Memory } from './memory.ts';
import type { Step } from './texels.ts';

/** A padded copy of a value, and the last step that reads it. */
interface Copy {
  readonly from: BufferRef;
  readonly rows: number;
  readonly cols: number;
  readonly to: BufferRef;
  last: number;
}

/** Puts padded copies in the place of what kernels want padded, each made once, in slots behind those that there are. */
export function withPadding(
  steps: readonly Step[],
  slots: readonly number[],
  traits: AdapterTraits,
): { steps: Step[]; slots: number[] } {
  const wanted = steps.flatMap(({ kernel, buffers }, step) =>
    buffers.flatMap((from, b) => {
      const sides = kernel.padded?.[b];
      return sides ? [{ from, rows: sides[0], cols: sides[1], step }] : [];
    }),
  );
  const memory = new Memory('slot');
  const copies: Copy[] = [];
  const all = steps.flatMap((step, i) => {
    const made: Step[] = [];
    const buffers = step.buffers.map((from, b) => {
      const sides = step.kernel.padded?.[b];
      if (!sides) return from;
      const [rows, cols] = sides;
      const same = (c: { from: BufferRef; rows: number; cols: number }) =>
        c.from === from && c.rows === rows && c.cols === cols;
      const known = copies.find(same);
      if (known) return known.to;
      const taken = memory.take(4 * roundUp(rows) * roundUp(cols));
      const to = { ...taken, index: slots.length + taken.index };
      copies.push({ from, rows, cols, to, last: Math.max(...wanted.filter(same).map(({ step }) => step)) });
      made.push({ kernel: pad(rows, cols, traits), buffers: [from, to] });
      return to;
    });
    for (const { to, last } of copies) {
      if (last === i) memory.release({ ...to, index: to.index - slots.length });
    }
    return [...made, { kernel: step.kernel, buffers }];
  });
  return { steps: all, slots: [...slots, ...memory.sizes] };
}
