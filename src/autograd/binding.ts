import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { DeviceArray } from './array.ts';
import type { Graph } from './graph.ts';
import type { Plan } from './lower/plan.ts';
import { describe, formatType, sameShape, type Tensor } from './tensor.ts';
import { leavesLike, type Matched, treeUnflatten } from './tree.ts';

/** The input that each output replaces, by number, from `[result, argument]` pairs of positions. */
export function replacements(
  { inputs, outputs, args, result }: Graph,
  pairs: unknown = [],
): Map<number, number> {
  const numbered = treeUnflatten(result, [...outputs.keys()]);
  const results = outputs.includes(result as Tensor) ? [numbered] : Object.values(numbered as object);
  const isPair = (x: unknown) => Array.isArray(x) && x.length === 2 && x[0] in results && x[1] in args;
  const list = Array.isArray(pairs) && pairs.every(isPair) ? (pairs as [number, number][]) : undefined;
  if (!list || new Set(list.map(([r]) => r)).size < list.length) {
    throw new CollimateError(
      `inPlace is ${Array.isArray(pairs) ? `[${pairs.join('; ')}]` : describe(pairs)}`,
      `Give a list of pairs [result, argument], one for each of the ${results.length} results that replaces one of the ${args.length} arguments.`,
    );
  }
  const places = new Map<Tensor, number>(inputs.map((x, i) => [x, i]));
  const isNumber = (x: unknown) => typeof x === 'number';
  return new Map(
    list.flatMap(([r, a]) =>
      leavesLike(`inPlace: result ${r}`, args[a], results[r], isNumber).map(
        ({ value, model }) => [value, places.get(model)!] as const,
      ),
    ),
  );
}

/** The array, if it can be bound there; throws otherwise. */
export function fitting(gpu: Gpu, { value: array, model: t, name: what }: Matched<DeviceArray>): DeviceArray {
  if (!gpu.memory.holds(array.buffer)) {
    const other = array.gpu.memory.holds(array.buffer);
    throw new CollimateError(
      other
        ? `${what} lies in the memory of another device, ${array.gpu.info.name}`
        : `${what} was disposed of`,
      other ? 'Bind arrays of the device that the program was compiled for.' : 'Bind an array that is alive.',
    );
  }
  if (!sameShape(array.shape, t.shape) || array.dtype !== t.dtype) {
    throw new CollimateError(
      `${what}: expected ${formatType(t)}, got ${formatType(array)}`,
      'Bind an array of that type and shape.',
    );
  }
  const alignment = array.gpu.traits.offsetAlignment;
  if (array.byteOffset % alignment !== 0) {
    throw new CollimateError(
      `${what} starts at byte ${array.byteOffset} of its buffer, which is not a multiple of ${alignment}`,
      'Let views start where the adapter can bind them.',
    );
  }
  return array;
}

/** Throws where an output overlaps another, or an input that it does not replace in place. */
export function expectApart(
  label: string,
  { dispatches, inPlace }: Plan,
  inputs: readonly DeviceArray[],
  outputs: readonly (DeviceArray | undefined)[],
): void {
  const refuse = (o: number, other: string, how: string): never => {
    throw new CollimateError(
      `${label}: output ${o} and ${other} ${how}`,
      'Bind the output to an array of its own, or compile with inPlace to replace the input.',
    );
  };
  outputs.forEach((out, o) => {
    if (!out) return;
    inputs.forEach((x, i) => {
      if (inPlace.get(o) !== i) {
        if (overlap(out, x)) refuse(o, `input ${i}`, 'overlap');
      } else if (out.buffer !== x.buffer || out.byteOffset !== x.byteOffset) {
        refuse(o, `input ${i}`, 'are two arrays, where one replaces the other in place');
      }
    });
    const twin = outputs.slice(0, o).findIndex((y) => y && overlap(out, y));
    if (twin >= 0) refuse(o, `output ${twin}`, 'overlap');
  });
  // What one dispatch writes, it may not read through another part of the buffer.
  for (const { kernel, buffers } of dispatches) {
    const bound = (kind: 'input' | 'output', writes: boolean) =>
      buffers.filter((ref, b) => ref.kind === kind && (kernel.bindings[b] === 'read_write') === writes);
    for (const { index: o } of bound('output', true)) {
      const shares = (array: DeviceArray | undefined) => array?.buffer === outputs[o]?.buffer;
      const read = bound('input', false).find(({ index }) => outputs[o] && shares(inputs[index]));
      if (read) refuse(o, `input ${read.index}`, `lie in one buffer, and ${kernel.name} needs both`);
    }
  }
}

const overlap = (a: DeviceArray, b: DeviceArray): boolean =>
  a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.bytes && b.byteOffset < a.byteOffset + a.bytes;
