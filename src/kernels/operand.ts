import type { Access, AdapterTraits } from '../gpu/kernel.ts';
import { TEXEL_FORMAT, TEXELS_PER_ROW } from '../gpu/texels.ts';
import { uniformBytes } from './storage.ts';

/** How a kernel reads an operand. */
export interface Operand {
  readonly access: Exclude<Access, 'read_write'>;
  /** Elements per load: neighbors, starting at a multiple of their number. */
  readonly width: 1 | 2 | 4;
  /** Elements it spans. */
  readonly size: number;
}

/** Bytes and operations above which copying an operand that a uniform buffer could hold pays off. */
const COPIED_FROM = { bytes: 2 ** 14, operations: 2 ** 22 };

/** With more lanes, lavapipe 25.0 loads wrong texels: see docs/rejected.md. */
const TEXEL_LANES = 8;

/**
 * The best way to read `size` elements, or a batch of as many each, `width` at a time, for a product of so
 * many `operations`. On lavapipe a storage load is a branch per lane and component, some 500 instructions
 * for a `vec4f` of eight lanes, which crowd the computation out of the caches. Uniform buffers are better
 * but hold only 64 KiB; a texture takes a copy, but loading from it is one function call. docs/adapters.md
 * has the gains. Batches avoid uniform buffers, since their lengths are part of the shader.
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

/** WGSL of the operand's binding `variable`, and of `fetch<name>(i)`: its i-th group of `width`. */
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

/** For variants' names: the operands not read from storage, as `, A texels, B uniform,`. */
export function accessWords({ a, b }: { readonly a: Operand; readonly b: Operand }): string {
  const words = Object.entries({ A: a, B: b }).flatMap(([name, { access }]) =>
    access === 'read' ? [] : [`, ${name} ${access}`],
  );
  return words.length > 0 ? `${words.join('')},` : '';
}
