/**
 * What pointwise and reduction kernels have in common: a body of WGSL lines over an index space, whose leaves read
 * buffers through strides. The text depends on the structure only; sizes and strides are uniforms.
 */

import type { Access } from '../gpu/kernel.ts';
import type { AdapterTraits } from '../gpu/traits.ts';
import { uniformBytes } from './storage.ts';

/** Storage types: bool is kept as a u32 of 0 or 1. */
export type Scalar = 'f32' | 'u32' | 'bool';

export interface Leaf {
  readonly dtype: Scalar;
  /** Elements to step for one step along each axis of the space. */
  readonly strides: readonly number[];
  /** `buffer` reads a binding; `index` has as its value the offset itself (a coordinate, times its stride). */
  readonly source: 'buffer' | 'index' | 'literal';
  /**
   * Of a literal. Kernels find it among their sizes, as compilers calculate with what they know: they refuse what is not finite,
   * take x · 0 for 0 and (x · 1e20) · 1e-20 for x, and lavapipe x / 0 too for 0.
   */
  readonly bits?: number;
}

export const bitsOf = (x: number): number => new Uint32Array(Float32Array.of(x).buffer)[0]!;

/** `let name = expression;` */
export interface Line {
  readonly name: string;
  readonly expression: string;
  /** Names of the lines and leaves that the expression mentions. */
  readonly uses: readonly string[];
}

export interface Body {
  /** Sides of the index space. */
  readonly space: readonly number[];
  readonly leaves: readonly Leaf[];
  /** WGSL over `x0 … ` (the leaves) that defines the results; `F`, `I`, `U`, `B` are the vector types. */
  readonly lines: readonly Line[];
  readonly results: readonly { readonly expression: string; readonly dtype: Scalar }[];
  /** WGSL functions used by the lines. */
  readonly helpers: readonly string[];
  /** True if the helpers take scalars only. */
  readonly scalarOnly: boolean;
  /** Arithmetic operations per element. */
  readonly cost: number;
}

/** An axis of the coalesced space. */
export interface Axis {
  size: number;
  reduced: boolean;
  /** For each leaf. */
  strides: number[];
}

/** Merges neighbouring axes that every leaf runs through as if they were one, and drops axes of size 1. */
export function coalesce(body: Body, reduced: readonly boolean[]): Axis[] {
  const axes: Axis[] = [];
  body.space.forEach((size, i) => {
    if (size === 1) return;
    const axis = { size, reduced: reduced[i]!, strides: body.leaves.map((leaf) => leaf.strides[i]!) };
    const outer = axes.at(-1);
    if (
      outer &&
      outer.reduced === axis.reduced &&
      outer.strides.every((s, j) => s === axis.strides[j]! * size)
    ) {
      axes[axes.length - 1] = { ...axis, size: outer.size * size };
    } else axes.push(axis);
  });
  return axes;
}

/** Whether four neighbours along the last axis can be handled as one vector. */
export function vectorizable(body: Body, axes: readonly Axis[]): boolean {
  const last = axes.at(-1);
  if (body.scalarOnly || !last || last.size % 4 !== 0) return false;
  return body.leaves.every((leaf, j) => {
    const step = last.strides[j]!;
    if (leaf.source !== 'buffer') return true;
    return step === 0 || (step === 1 && axes.slice(0, -1).every((a) => a.strides[j]! % 4 === 0));
  });
}

/** Collects the fields of a uniform struct of u32. */
export class Uniforms {
  readonly #names: string[] = [];
  readonly #values: number[] = [];
  readonly #variable: string;

  constructor(variable = 'params') {
    this.#variable = variable;
  }

  /** Adds a field and returns the expression that reads it. */
  add(name: string, value: number): string {
    this.#names.push(name);
    this.#values.push(value);
    return `${this.#variable}.${name}`;
  }

  get values(): Uint32Array {
    return Uint32Array.from(this.#values);
  }

  /** Members of the struct. */
  get fields(): string {
    return this.#names.map((name) => `${name}: u32`).join(', ');
  }

  declaration(binding: number): string {
    return `struct Params { ${this.fields} }\n@group(0) @binding(${binding}) var<uniform> ${this.#variable}: Params;`;
  }
}

const ELEMENT = { f32: ['f32', 'vec4f'], u32: ['u32', 'vec4u'], bool: ['u32', 'vec4u'] } as const;

/** Types of the body's values: `F`, `I`, `U` and `B` as scalars or as vectors of four. */
export function aliases(vector: boolean): string {
  return vector
    ? 'alias F = vec4f;\nalias I = vec4i;\nalias U = vec4u;\nalias B = vec4<bool>;'
    : 'alias F = f32;\nalias I = i32;\nalias U = u32;\nalias B = bool;';
}

/** Leaves that one kernel reads through uniform bindings; adapters have twelve, and sizes take one. */
const MOST_UNIFORM_LEAVES = 8;

/**
 * Declares bindings for the leaves that read buffers, `bound` being their numbers in binding order. Where reading storage is
 * slow, vectors of buffers that are small enough are read through uniform bindings.
 */
export function declareLeaves(
  body: Body,
  axes: readonly Axis[],
  vector: boolean,
  traits: AdapterTraits,
  bound = body.leaves.flatMap((leaf, j) => (leaf.source === 'buffer' ? [j] : [])),
): { text: string; bound: readonly number[]; access: readonly Access[] } {
  let uniforms = 0;
  const declared = bound.map((j, binding): { text: string; access: Access } => {
    const wide = vector && axes.at(-1)!.strides[j] === 1;
    const type = ELEMENT[body.leaves[j]!.dtype][Number(wide)];
    const last = body.space.reduce((at, size, i) => at + (size - 1) * body.leaves[j]!.strides[i]!, 0);
    const vectors = Math.floor(last / 4) + 1;
    const place = `@group(0) @binding(${binding})`;
    if (wide && 16 * vectors <= uniformBytes(traits) && uniforms++ < MOST_UNIFORM_LEAVES) {
      return { text: `${place} var<uniform> leaf${j}: array<${type}, ${vectors}>;`, access: 'uniform' };
    }
    return { text: `${place} var<storage, read> leaf${j}: array<${type}>;`, access: 'read' };
  });
  return {
    text: declared.map(({ text }) => text).join('\n'),
    bound,
    access: declared.map(({ access }) => access),
  };
}

export function declareResult(r: number, binding: number, dtype: Scalar, vector: boolean): string {
  return `@group(0) @binding(${binding}) var<storage, read_write> result${r}: array<${ELEMENT[dtype][Number(vector)]}>;`;
}

/** The expression that is stored for a result. */
export function stored(expression: string, dtype: Scalar): string {
  return dtype === 'bool' ? `select(U(0u), U(1u), ${expression})` : expression;
}

/**
 * WGSL statements that split the linear index named `index` into coordinates `c<number>` of the given axes. Integer
 * division is slow on software adapters: this is for once a thread, not for once an element.
 */
export function splitIndex(
  index: string,
  axes: readonly { number: number; size: number }[],
  uniforms: Uniforms,
): string[] {
  if (!axes.length) return [];
  const lines = [`var rest${axes[0]!.number} = ${index};`];
  for (const { number, size } of [...axes].reverse()) {
    const rest = `rest${axes[0]!.number}`;
    if (number === axes[0]!.number) lines.push(`let c${number} = ${rest};`);
    else {
      const side = uniforms.add(`side${number}`, size);
      lines.push(`let c${number} = ${rest} % ${side};`, `${rest} /= ${side};`);
    }
  }
  return lines;
}

/**
 * Parts a body's statements into those that come out the same for all elements of a thread's loop, to be computed
 * before it, and the others. `varies` says of a leaf whether it changes along the loop; `load` gives its value.
 */
export function hoist(
  body: Body,
  varies: (leaf: number) => boolean,
  load: (leaf: number) => string,
): { before: string[]; inside: string[] } {
  const varying = new Set<string>();
  const before: string[] = [];
  const inside: string[] = [];
  body.leaves.forEach((_, j) => {
    if (varies(j)) varying.add(`x${j}`);
    (varies(j) ? inside : before).push(`let x${j} = ${load(j)};`);
  });
  for (const { name, expression, uses } of body.lines) {
    const changes = uses.some((used) => varying.has(used));
    if (changes) varying.add(name);
    (changes ? inside : before).push(`let ${name} = ${expression};`);
  }
  return { before, inside };
}

/** Stride of leaf `j` along axis `k` in the unit in which the leaf is read: elements, or vectors of four. */
export function stepOf(body: Body, axes: readonly Axis[], j: number, k: number, vector: boolean): number {
  const stride = axes[k]!.strides[j]!;
  if (!vector) return stride;
  const last = k === axes.length - 1;
  const wide = body.leaves[j]!.source === 'buffer' && axes.at(-1)!.strides[j] === 1;
  // The last axis counts vectors: a wide leaf steps by one vector, any other by four elements.
  if (wide) return last ? 1 : stride / 4;
  return last ? 4 * stride : stride;
}

/** Uniform field with the stride of leaf `j` along axis `a`, or a literal where that is 0 or 1. */
export function strideOf(uniforms: Uniforms, j: number, a: number, stride: number): string {
  return stride === 1 || stride === 0 ? `${stride}u` : uniforms.add(`stride${j}_${a}`, stride);
}

/** Sum of coordinate · stride over axes, as WGSL; terms with stride 0 are left out. */
export function offset(terms: readonly { coordinate: string; stride: string }[]): string {
  const parts = terms
    .filter(({ stride }) => stride !== '0u')
    .map(({ coordinate, stride }) => (stride === '1u' ? coordinate : `${coordinate} * ${stride}`));
  return parts.length ? parts.join(' + ') : '0u';
}

/** The value of a literal, leaf `j`. */
export function literal({ dtype, bits }: Leaf, j: number, uniforms: Uniforms): string {
  const field = uniforms.add(`literal${j}`, bits!);
  return dtype === 'f32' ? `F(bitcast<f32>(${field}))` : `U(${field})`;
}

/** Loads leaf `j` from its buffer at an offset in elements (in vectors, for a leaf that is read as vectors). */
export function loadLeaf(
  leaf: Leaf,
  j: number,
  buffer: string,
  at: string,
  vector: boolean,
  lastStride: number,
  uniforms: Uniforms,
): string {
  if (leaf.source === 'literal') return literal(leaf, j, uniforms);
  if (leaf.source === 'index') {
    return vector && lastStride !== 0 ? `U(${at}) + U(0u, 1u, 2u, 3u) * ${lastStride}u` : `U(${at})`;
  }
  const value = `${buffer}[${at}]`;
  const wide = !vector || lastStride === 1 ? value : `${leaf.dtype === 'f32' ? 'F' : 'U'}(${value})`;
  return leaf.dtype === 'bool' ? `${wide} != U(0u)` : wide;
}
