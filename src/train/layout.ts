import { DeviceArray } from '../autograd/array.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';

export interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Elements to which stretches are aligned: a binding may start at multiples of 256 bytes on any adapter. */
const ALIGNMENT = 64;

/** Many named arrays laid end to end in one, to be updated, copied or saved as one; gaps hold zeros. */
export class Layout {
  readonly entries: readonly (Entry & { readonly start: number; readonly size: number })[];
  /** Elements of the whole, gaps included. */
  readonly size: number;

  constructor(entries: readonly Entry[]) {
    let start = 0;
    this.entries = entries.map((entry) => {
      const size = entry.shape.reduce((a, b) => a * b, 1);
      const placed = { ...entry, start, size };
      start += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
      return placed;
    });
    this.size = Math.max(start, ALIGNMENT);
  }

  /** A zeroed array with room for all entries. */
  allocate(gpu: Gpu, label: string): DeviceArray {
    return DeviceArray.zeros(gpu, [this.size], 'f32', label);
  }

  /** The entries of an array with this layout, by name. */
  views(whole: DeviceArray): Record<string, DeviceArray> {
    return Object.fromEntries(this.entries.map((e) => [e.name, whole.view(e.start, e.shape)]));
  }

  /** Writes host data by name into such an array. Throws if an entry is missing or has the wrong size. */
  write(whole: DeviceArray, values: ReadonlyMap<string, Float32Array>): void {
    for (const { name, size, shape } of this.entries) {
      const data = values.get(name);
      if (data?.length !== size) {
        throw new CollimateError(
          `${name} has ${data?.length ?? 'no'} values, expected [${shape}]`,
          'Give the values of a network with the same settings.',
        );
      }
    }
    // One after another: packed into one array, they would be in host memory twice.
    for (const { name, start, shape } of this.entries) whole.view(start, shape).write(values.get(name)!);
  }

  /** The inverse, from what is read of it. */
  unpack(whole: Float32Array): Map<string, Float32Array> {
    return new Map(this.entries.map((e) => [e.name, whole.slice(e.start, e.start + e.size)]));
  }
}
