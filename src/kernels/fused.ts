/**
 * What pointwise and reduction kernels have in common: a body of WGSL lines over an index space, whose leaves read
 * buffers through strides. The text depends on the structure only; sizes and strides are uniforms.
 */

/** Storage types: bool is kept as a u32 of 0 or 1. */
export type Scalar = 'f32' | 'u32' | 'bool';

export interface Leaf {
  readonly dtype: Scalar;
  /** Elements to step for one step along each axis of the space. */
  readonly strides: readonly number[];
  /** `buffer` reads a binding; `index` has as its value the offset itself (a coordinate, times its stride). */
  readonly source: 'buffer' | 'index';
}

export interface Body {
  /** Sides of the index space. */
  readonly space: readonly number[];
  readonly leaves: readonly Leaf[];
  /** WGSL statements over `x0 … ` (the leaves) that define the results; `F`, `U`, `B` are the vector types. */
  readonly lines: readonly string[];
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
    if (leaf.source === 'index') return true;
    return step === 0 || (step === 1 && axes.slice(0, -1).every((a) => a.strides[j]! % 4 === 0));
  });
}

/** Collects the fields of a uniform struct of u32. */
export class Uniforms {
  readonly #names: string[] = [];
  readonly #values: number[] = [];

  /** Adds a field and returns the expression that reads it. */
  add(name: string, value: number): string {
    this.#names.push(name);
    this.#values.push(value);
    return `params.${name}`;
  }

  get values(): Uint32Array {
    return Uint32Array.from(this.#values);
  }

  declaration(binding: number): string {
    const fields = this.#names.map((name) => `${name}: u32`).join(', ');
    return `struct Params { ${fields} }\n@group(0) @binding(${binding}) var<uniform> params: Params;`;
  }
}

const ELEMENT = { f32: ['f32', 'vec4f'], u32: ['u32', 'vec4u'], bool: ['u32', 'vec4u'] } as const;

/** Types of the body's values: `F`, `U` and `B` as scalars or as vectors of four. */
export function aliases(vector: boolean): string {
  return vector
    ? 'alias F = vec4f;\nalias U = vec4u;\nalias B = vec4<bool>;'
    : 'alias F = f32;\nalias U = u32;\nalias B = bool;';
}

/** Declares the bindings of the leaves that read buffers and returns those leaves' numbers in binding order. */
export function declareLeaves(
  body: Body,
  axes: readonly Axis[],
  vector: boolean,
): { text: string; bound: number[] } {
  const bound = body.leaves.flatMap((leaf, j) => (leaf.source === 'buffer' ? [j] : []));
  const text = bound
    .map((j, binding) => {
      const wide = vector && axes.at(-1)!.strides[j] === 1;
      return `@group(0) @binding(${binding}) var<storage, read> leaf${j}: array<${ELEMENT[body.leaves[j]!.dtype][Number(wide)]}>;`;
    })
    .join('\n');
  return { text, bound };
}

export function declareResult(r: number, binding: number, dtype: Scalar, vector: boolean): string {
  return `@group(0) @binding(${binding}) var<storage, read_write> result${r}: array<${ELEMENT[dtype][Number(vector)]}>;`;
}

/** The expression that is stored for a result. */
export function stored(expression: string, dtype: Scalar): string {
  return dtype === 'bool' ? `select(U(0u), U(1u), ${expression})` : expression;
}

/**
 * WGSL statements that split the linear index named `index` into coordinates `<prefix><axis number>` of the given
 * axes; in a vectorized space the last axis counts vectors.
 */
export function splitIndex(
  index: string,
  prefix: string,
  axes: readonly { axis: number; size: number }[],
  uniforms: Uniforms,
): string[] {
  if (axes.length === 1) return [`let ${prefix}${axes[0]!.axis} = ${index};`];
  const lines = [`var ${prefix}rest = ${index};`];
  for (const { axis, size } of [...axes].reverse()) {
    if (axis === axes[0]!.axis) lines.push(`let ${prefix}${axis} = ${prefix}rest;`);
    else {
      const side = uniforms.add(`side${axis}`, size);
      lines.push(`let ${prefix}${axis} = ${prefix}rest % ${side};`, `${prefix}rest /= ${side};`);
    }
  }
  return lines;
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

/** Loads leaf `j` at an offset in elements (in vectors, for a leaf that is read as vectors). */
export function loadLeaf(leaf: Leaf, j: number, at: string, vector: boolean, lastStride: number): string {
  if (leaf.source === 'index') {
    return vector && lastStride !== 0 ? `U(${at}) + U(0u, 1u, 2u, 3u) * ${lastStride}u` : `U(${at})`;
  }
  const value = `leaf${j}[${at}]`;
  const wide = !vector || lastStride === 1 ? value : `${leaf.dtype === 'f32' ? 'F' : 'U'}(${value})`;
  return leaf.dtype === 'bool' ? `${wide} != U(0u)` : wide;
}
