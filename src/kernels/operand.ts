import type { Access, AdapterTraits } from '../gpu/kernel.ts';
import { TEXEL_FORMAT, TEXELS_PER_ROW } from '../gpu/texels.ts';
import { uniformBytes } from './storage.ts';

/** How a kernel reads an operand. */
export interface Operand {
  readonly access: Exclude<Access, 'read_write'>;
  /** Elements that a load gives: neighbours, from a multiple of their number on. */
  readonly width: 1 | 2 | 4;
  /** Elements from the first to the last. */
  readonly size: number;
}

/** Bytes and operations from which on a copy of an operand that has room in a uniform buffer costs less than it saves. */
const COPIED_FROM = { bytes: 2 ** 14, operations: 2 ** 22 };

/** With more lanes lavapipe 25.0 loads wrong texels: see docs/rejected.md. */
const TEXEL_LANES = 8;

/**
 * The best way to read `size` elements, or a batch of as many each, `width` at a time, for a product of so many operations. On
 * lavapipe a load from storage is a branch for each lane and component, some 500 instructions for a `vec4f` of eight lanes, which
 * crowd what is computed out of the caches. Uniform buffers are better but have room for 64 KiB; a texture takes a copy,
 * but a load from it is one call of a function. docs/adapters.md has what they gain. Batches do without uniform buffers, whose
 * lengths are part of the shader.
 */
export function operandOf(
  size: number,
  width: 1 | 2 | 4,
  batch: readonly { size: number; stride: number }[],
  operations: number,
  traits: AdapterTraits,
): Operand {
  const span = batch.reduce((span, { size, stride }) => span + (size - 1) * stride, size);
  const bytes = 4 * span;
  const most = uniformBytes(traits);
  const capacity = traits.subgroupSize <= TEXEL_LANES ? traits.maxTexelBytes : 0;
  const small = bytes < COPIED_FROM.bytes || operations < COPIED_FROM.operations;
  const access = (): Operand['access'] => {
    if (most === 0 || width < 4 || (bytes <= most && batch.length > 0)) return 'read';
    if (bytes <= most && (small || bytes > capacity)) return 'uniform';
    return bytes <= capacity ? 'texels' : 'read';
  };
  return { access: access(), width, size: span };
}

/**
 * WGSL of the operand's binding, called `variable`, and of `fetch<name>(i)`, which loads the i-th element, or the i-th `width` of them.
 */
export function declareOperand(
  binding: number,
  name: string,
  { access, width, size }: Operand,
  variable = name,
): string {
  const type = width === 1 ? 'f32' : `vec${width}f`;
  const declaration = {
    read: `var<storage, read> ${variable}: array<${type}>;`,
    uniform: `var<uniform> ${variable}: array<${type}, ${size / width}>;`,
    texels: `var ${variable}: texture_storage_2d<${TEXEL_FORMAT}, read>;`,
  }[access];
  const value =
    access === 'texels'
      ? `textureLoad(${variable}, vec2u(i % ${TEXELS_PER_ROW}u, i / ${TEXELS_PER_ROW}u))`
      : `${variable}[i]`;
  return `@group(0) @binding(${binding}) ${declaration}\nfn fetch${name}(i: u32) -> ${type} { return ${value}; }`;
}

/** For the names of variants: which operands are not read from storage, `, A texels, B uniform,`. */
export function accessWords({ a, b }: { readonly a: Operand; readonly b: Operand }): string {
  const words = Object.entries({ A: a, B: b }).flatMap(([name, { access }]) =>
    access === 'read' ? [] : [`, ${name} ${access}`],
  );
  return words.length > 0 ? `${words.join('')},` : '';
}
