/**
 * What pointwise and reduction kernels share: a body of WGSL lines over an index space, with leaves that
 * read buffers through strides. The text depends on the structure only; sizes and strides are uniforms.
 */

import type { Access, AdapterTraits } from '../gpu/kernel.ts';
import { uniformBytes } from './storage.ts';

/** Element types: as stored (bool as a u32 of 0 or 1), and as the value type, a scalar or a vector. */
export const SCALARS = {
  f32: { stored: 'f32', value: 'F' },
  u32: { stored: 'u32', value: 'U' },
  i32: { stored: 'i32', value: 'I' },
  bool: { stored: 'u32', value: 'U' },
} as const;
export type Scalar = keyof typeof SCALARS;

/** The type of one element in a buffer, or of four. */
export const elementType = (dtype: Scalar, wide: boolean): string => {
  const { stored } = SCALARS[dtype];
  return wide ? `vec4<${stored}>` : stored;
};

export interface Leaf {
  readonly dtype: Scalar;
  /** Elements per step along each axis of the space. */
  readonly strides: readonly number[];
  /**
   * `buffer` reads a binding; the value of `index` is the offset itself (a coordinate times its stride), and
   * that of `value` a variable, `name`. A `place` has no value but says where one lies.
   */
  readonly source: 'buffer' | 'index' | 'literal' | 'value' | 'place';
  readonly name?: string;
  /** Where the space's first element lies; default: 0. It may precede the buffer, others may exceed it. */
  readonly start?: number;
  /** Elements of the buffer, if not those that the space spans. */
  readonly size?: number;
  /**
   * Of a literal. Kernels read it from their uniforms, since compilers compute with known values: they
   * reject non-finite ones, fold x · 0 to 0 and (x · 1e20) · 1e-20 to x, and lavapipe folds x / 0 to 0.
   */
  readonly bits?: number;
}

export const bitsOf = (x: number): number => new Uint32Array(Float32Array.of(x).buffer)[0]!;

/** `let name = expression;` */
export interface Line {
  readonly name: string;
  readonly expression: string;
  /** Names of the lines and leaves in the expression. */
  readonly uses: readonly string[];
}

export interface Result {
  readonly expression: string;
  readonly dtype: Scalar;
  /** Number of elements, if fewer than the space has: its first, or one that is the same everywhere. */
  readonly elements?: number;
}

export interface Body {
  /** Sides of the index space. */
  readonly space: readonly number[];
  readonly leaves: readonly Leaf[];
  /** WGSL over `x0 … ` (the leaves) that defines the results; `F`, `I`, `U`, `B` are the vector types. */
  readonly lines: readonly Line[];
  readonly results: readonly Result[];
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

/** Merges neighboring axes that every leaf traverses as if they were one, and drops axes of size 1. */
export function coalesce(body: Body, reduced: readonly boolean[] = []): Axis[] {
  const axes: Axis[] = [];
  body.space.forEach((size, i) => {
    if (size === 1) return;
    const axis = { size, reduced: reduced[i] ?? false, strides: body.leaves.map((leaf) => leaf.strides[i]!) };
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

/** Whether four neighbors along the last axis can be handled as one vector. */
export function vectorizable(body: Body, axes: readonly Axis[]): boolean {
  const last = axes.at(-1);
  if (body.scalarOnly || !last || last.size % 4 !== 0) return false;
  return body.leaves.every((leaf, j) => {
    const step = last.strides[j]!;
    if (leaf.source !== 'buffer' && leaf.source !== 'place') return true;
    const aligned = [leaf.start ?? 0, ...axes.slice(0, -1).map((a) => a.strides[j]!)];
    return step === 0 || (step === 1 && aligned.every((s) => s % 4 === 0));
  });
}

/** Elements from one position to the next along each axis of a dense space. */
export function denseStrides(space: readonly number[]): number[] {
  return space.map((_, axis) => space.slice(axis + 1).reduce((a, b) => a * b, 1));
}

/** Names of the leaves and lines that these results need. */
export function neededFor({ lines, results }: Body, which: readonly number[]): ReadonlySet<string> {
  const needed = new Set(which.map((r) => results[r]!.expression));
  for (const { name, expression } of lines.toReversed()) {
    if (needed.has(name)) for (const used of expression.match(/\b[tx]\d+\b/g) ?? []) needed.add(used);
  }
  return needed;
}

/** Collects the fields of a uniform struct of u32. */
export class Uniforms {
  readonly #fields = new Map<string, number>();

  constructor(private readonly variable = 'params') {}

  /** Adds a field, if it is missing, and returns the expression that reads it. */
  add(name: string, value: number): string {
    this.#fields.set(name, value);
    return `${this.variable}.${name}`;
  }

  get values(): Uint32Array {
    return Uint32Array.from(this.#fields.values());
  }

  /** Members of the struct. */
  get fields(): string {
    return [...this.#fields.keys()].map((name) => `${name}: u32`).join(', ');
  }

  declaration(binding: number): string {
    return `struct Params { ${this.fields} }\n@group(0) @binding(${binding}) var<uniform> ${this.variable}: Params;`;
  }
}

/** Leaves that a kernel may read as uniforms: adapters allow twelve bindings, and sizes take one. */
const MOST_UNIFORM_LEAVES = 8;

/** The expression stored for a result. */
export function stored(expression: string, dtype: Scalar): string {
  return dtype === 'bool' ? `select(U(0u), U(1u), ${expression})` : expression;
}

/** Uniform field with the stride of leaf `j` along axis `a`, or a literal 0 or 1. */
export function strideOf(uniforms: Uniforms, j: number, a: number, stride: number): string {
  return stride === 1 || stride === 0 ? `${stride}u` : uniforms.add(`stride${j}_${a}`, stride);
}

/** WGSL of the sum of coordinate · stride over axes, without terms of stride 0. */
export function offset(terms: readonly { coordinate: string; stride: string }[]): string {
  const parts = terms
    .filter(({ stride }) => stride !== '0u')
    .map(({ coordinate, stride }) => (stride === '1u' ? coordinate : `${coordinate} * ${stride}`));
  return parts.length ? parts.join(' + ') : '0u';
}

/** The value of a literal, leaf `j`. */
export function literal({ dtype, bits }: Leaf, j: number, uniforms: Uniforms): string {
  const field = uniforms.add(`literal${j}`, bits!);
  const { stored, value } = SCALARS[dtype];
  return `${value}(bitcast<${stored}>(${field}))`;
}

/** A body over its coalesced axes in a shader, by single elements or vectors of four on the last axis. */
export class Shader {
  readonly uniforms = new Uniforms();
  /** Leaves that read buffers. */
  readonly bound: readonly number[];

  constructor(
    readonly body: Body,
    readonly axes: readonly Axis[],
    readonly vector: boolean,
  ) {
    this.bound = body.leaves.flatMap((leaf, j) => (leaf.source === 'buffer' ? [j] : []));
  }

  /** Types of the body's values: `F`, `I`, `U` and `B` as scalars or as vectors of four. */
  get aliases(): string {
    return this.vector
      ? 'alias F = vec4f;\nalias I = vec4i;\nalias U = vec4u;\nalias B = vec4<bool>;'
      : 'alias F = f32;\nalias I = i32;\nalias U = u32;\nalias B = bool;';
  }

  /** Declares leaves that read buffers, from `first` on: small vectors as uniforms where storage is slow. */
  declareLeaves(
    traits: AdapterTraits,
    bound = this.bound,
    first = 0,
  ): { text: string; access: readonly Access[] } {
    const { body, axes } = this;
    let uniforms = 0;
    const declared = bound.map((j, binding): { text: string; access: Access } => {
      const wide = this.vector && axes.at(-1)!.strides[j] === 1;
      const type = elementType(body.leaves[j]!.dtype, wide);
      const last = body.space.reduce((at, size, i) => at + (size - 1) * body.leaves[j]!.strides[i]!, 0);
      const vectors = Math.ceil((body.leaves[j]!.size ?? last + 1) / 4);
      const place = `@group(0) @binding(${first + binding})`;
      if (wide && 16 * vectors <= uniformBytes(traits) && uniforms++ < MOST_UNIFORM_LEAVES) {
        return { text: `${place} var<uniform> leaf${j}: array<${type}, ${vectors}>;`, access: 'uniform' };
      }
      return { text: `${place} var<storage, read> leaf${j}: array<${type}>;`, access: 'read' };
    });
    return {
      text: declared.map(({ text }) => text).join('\n'),
      access: declared.map(({ access }) => access),
    };
  }

  /** Declares bindings for results, from `first` on. */
  declareResults(first: number, results: readonly { dtype: Scalar; wide: boolean }[]): string {
    const declare = ({ dtype, wide }: (typeof results)[number], r: number) =>
      `@group(0) @binding(${first + r}) var<storage, read_write> result${r}: array<${elementType(dtype, wide)}>;`;
    return results.map(declare).join('\n');
  }

  /** Number of distinct elements of the leaves that read buffers. */
  get elementsRead(): number {
    const touched = (j: number) => this.axes.reduce((n, a) => (a.strides[j] === 0 ? n : n * a.size), 1);
    const most = (j: number) => this.body.leaves[j]!.size ?? Number.POSITIVE_INFINITY;
    return this.bound.reduce((sum, j) => sum + Math.min(touched(j), most(j)), 0);
  }

  /**
   * WGSL statements that split the linear index `index` into coordinates `c<number>` of the given axes.
   * Integer division is slow on software adapters: do this once per thread, not per element.
   */
  split(index: string, axes: readonly { number: number; size: number }[]): string[] {
    if (!axes.length) return [];
    const rest = `rest${axes[0]!.number}`;
    const lines = [`var ${rest} = ${index};`];
    for (const { number, size } of [...axes].reverse()) {
      if (number === axes[0]!.number) lines.push(`let c${number} = ${rest};`);
      else {
        const side = this.uniforms.add(`side${number}`, size);
        lines.push(`let c${number} = ${rest} % ${side};`, `${rest} /= ${side};`);
      }
    }
    return lines;
  }

  /**
   * Splits the statements into those that do not change in a thread's loop, to run before it, and the rest.
   * `varies`: whether a leaf changes in the loop; `load`: its value; `needed`: only these names.
   */
  hoist(varies: (leaf: number) => boolean, load: (leaf: number) => string, needed?: ReadonlySet<string>) {
    const varying = new Set<string>();
    const before: string[] = [];
    const inside: string[] = [];
    this.body.leaves.forEach(({ source }, j) => {
      if (source === 'place' || !(needed?.has(`x${j}`) ?? true)) return;
      if (varies(j)) varying.add(`x${j}`);
      (varies(j) ? inside : before).push(`let x${j} = ${load(j)};`);
    });
    for (const { name, expression, uses } of this.body.lines) {
      if (!(needed?.has(name) ?? true)) continue;
      const changes = uses.some((used) => varying.has(used));
      if (changes) varying.add(name);
      (changes ? inside : before).push(`let ${name} = ${expression};`);
    }
    return { before, inside };
  }

  /** Where leaf `j` starts, as a term of its offset; no term if at 0. */
  origin(j: number): { coordinate: string; stride: string }[] {
    const { start = 0, source } = this.body.leaves[j]!;
    if (start === 0) return [];
    const wide = this.vector && source === 'buffer' && this.axes.at(-1)!.strides[j] === 1;
    return [{ coordinate: this.uniforms.add(`start${j}`, wide ? start / 4 : start), stride: '1u' }];
  }

  /** A coordinate along axis `k`, and leaf `j`'s stride along it, in elements or in vectors of four. */
  term(j: number, k: number, coordinate: string): { coordinate: string; stride: string } {
    const { axes, body } = this;
    const stride = axes[k]!.strides[j]!;
    const last = k === axes.length - 1;
    const wide = ['buffer', 'place'].includes(body.leaves[j]!.source) && axes.at(-1)!.strides[j] === 1;
    // The last axis counts vectors: a wide leaf steps by one vector, any other by four elements.
    const scale = last ? (wide ? 1 : 4) : wide ? 1 / 4 : 1;
    return { coordinate, stride: strideOf(this.uniforms, j, k, this.vector ? stride * scale : stride) };
  }

  /** Loads leaf `j` from its buffer at an offset in elements, or in vectors if it is read as vectors. */
  load(j: number, at: string, buffer = `leaf${j}`): string {
    const { vector } = this;
    const leaf = this.body.leaves[j]!;
    const step = this.axes.at(-1)?.strides[j] ?? 0;
    if (leaf.source === 'literal') return literal(leaf, j, this.uniforms);
    if (leaf.source === 'value') return leaf.name!;
    if (leaf.source === 'index') {
      return vector && step !== 0 ? `U(${at}) + U(0u, 1u, 2u, 3u) * ${step}u` : `U(${at})`;
    }
    const { start = 0, size = Infinity } = leaf;
    const end = this.body.space.reduce((i, side, axis) => i + (side - 1) * leaf.strides[axis]!, start);
    const last = Math.ceil(size / (vector && step === 1 ? 4 : 1)) - 1;
    // What lies beyond is not used, but not every device guards its memory.
    const place = start < 0 || end >= size ? `min(${at}, ${this.uniforms.add(`last${j}`, last)})` : at;
    const value = `${buffer}[${place}]`;
    const wide = !vector || step === 1 ? value : `${SCALARS[leaf.dtype].value}(${value})`;
    return leaf.dtype === 'bool' ? `${wide} != U(0u)` : wide;
  }
}
