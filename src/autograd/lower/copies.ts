import type { AdapterTraits } from '../../gpu/kernel.ts';
import { pad, roundUp } from '../../kernels/pad.ts';
import { type BufferRef, Memory, type Step } from './memory.ts';

/** A value in another form, for kernels that read it so. */
interface Copy {
  readonly from: BufferRef;
  readonly to: BufferRef;
}

/** A step with the copies that have to be made before it. */
export interface CopyingStep extends Step {
  readonly copies: readonly Copy[];
}

/** A form in which a kernel wants a value; copies of it with equal keys are shared. */
interface Form {
  readonly key: string;
  readonly bytes: number;
}

/**
 * Replaces values by copies where kernels want another form, each made before its first reader, in memory
 * that is free after its last. A value is known by its {@link BufferRef}, whatever else its slot held.
 */
function shareCopies(
  steps: readonly Step[],
  memory: Memory,
  formOf: (step: Step, binding: number) => Form | undefined,
): CopyingStep[] {
  const known = new Map<BufferRef, Map<string, { last: number; to?: BufferRef }>>();
  const entryOf = (from: BufferRef, { key }: Form) => {
    const forms = known.get(from) ?? new Map();
    known.set(from, forms);
    const entry = forms.get(key) ?? { last: 0 };
    forms.set(key, entry);
    return entry;
  };
  steps.forEach((step, i) => {
    step.buffers.forEach((from, b) => {
      const form = formOf(step, b);
      if (form) entryOf(from, form).last = i;
    });
  });
  return steps.map((step, i) => {
    const copies: Copy[] = [];
    const done = new Set<BufferRef>();
    const buffers = step.buffers.map((from, b) => {
      const form = formOf(step, b);
      if (!form) return from;
      const entry = entryOf(from, form);
      if (!entry.to) {
        entry.to = memory.take(form.bytes);
        copies.push({ from, to: entry.to });
      }
      if (entry.last === i) done.add(entry.to);
      return entry.to;
    });
    for (const to of done) memory.release(to);
    return { kernel: step.kernel, buffers, copies };
  });
}

/** Replaces what kernels want padded by padded copies, in slots after those that there are. */
export function withPadding(
  steps: readonly Step[],
  slots: readonly number[],
  traits: AdapterTraits,
): { steps: Step[]; slots: number[] } {
  const memory = new Memory('slot', slots.length);
  const padded = shareCopies(steps, memory, ({ kernel }, binding) => {
    const sides = kernel.padded?.[binding];
    return sides && { key: `${sides}`, bytes: 4 * roundUp(sides[0]) * roundUp(sides[1]) };
  });
  const all = padded.flatMap(({ kernel, buffers, copies }) => [
    ...copies.map(({ from, to }): Step => {
      const [rows, cols] = kernel.padded![buffers.indexOf(to)]!;
      return { kernel: pad(rows, cols, traits), buffers: [from, to] };
    }),
    { kernel, buffers },
  ]);
  return { steps: all, slots: [...slots, ...memory.sizes] };
}

/** Replaces what kernels read as texels by textures. */
export function withTexels(steps: readonly Step[]): { dispatches: CopyingStep[]; textures: number[] } {
  const memory = new Memory('texture');
  const dispatches = shareCopies(steps, memory, ({ kernel, buffers }, binding) =>
    kernel.bindings[binding] === 'texels' ? { key: '', bytes: buffers[binding]!.bytes } : undefined,
  );
  return { dispatches, textures: memory.sizes };
}
