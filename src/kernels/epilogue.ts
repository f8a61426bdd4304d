import { type Body, elementType, type Leaf, literal, offset, SCALARS, strideOf, Uniforms } from './fused.ts';

/** A computation on a product's elements, with elements of other tensors, before they are stored. */
export interface Epilogue {
  /** Over the space `[batch…, rows, columns]`, with one f32 result and no scalar-only helpers. */
  readonly body: Body;
  /** The leaf that stands for the product; its strides do not matter. */
  readonly product: number;
}

/** An epilogue as parts of a product's shader. */
export interface EpilogueCode {
  /** WGSL of types, functions, and the leaves' bindings from `binding` on. */
  readonly declarations: (binding: number) => string;
  /** Leaves that are bound, in order. */
  readonly bound: readonly number[];
  /** Fields in addition to the product's sizes. */
  readonly uniforms: Uniforms;
  /** For each field of `Place` but the first: where a leaf's elements for product i0, i1, i2 start. */
  readonly starts: readonly { readonly field: string; readonly value: string }[];
  /** Statements that compute `result` from `sum`, four neighbors of C in the columns `columns`. */
  readonly statements: readonly string[];
}

/** The shader's part for an epilogue; `vecC`: vectors of C always start at multiples of four. */
export function epilogueCode({ body, product }: Epilogue, vecC: boolean): EpilogueCode {
  const uniforms = new Uniforms('s');
  const { leaves, lines, results, helpers } = body;
  const batch = body.space.length - 2;
  const [rowAxis, colAxis] = [batch, batch + 1];
  // Batch dimensions of the shader count from the innermost.
  const outer = Array.from({ length: batch }, (_, axis) => ({ axis, coordinate: `i${axis + 3 - batch}` }));
  const bound = leaves.flatMap((leaf, j) => (leaf.source === 'buffer' && j !== product ? [j] : []));
  const wide = ({ source, strides, start = 0 }: Leaf) =>
    vecC &&
    source === 'buffer' &&
    strides[colAxis] === 1 &&
    [start, ...strides.slice(0, -1)].every((s) => s % 4 === 0);

  const starts: { field: string; value: string }[] = [];
  const values = leaves.map((leaf, j) => {
    if (j === product) return 'sum';
    if (leaf.source === 'literal') return literal(leaf, j, uniforms);
    const term = (axis: number, coordinate: string) => ({
      coordinate,
      stride: strideOf(uniforms, j, axis, leaf.strides[axis]!),
    });
    const origin = leaf.start ? [{ coordinate: uniforms.add(`start${j}`, leaf.start), stride: '1u' }] : [];
    const start = offset([...origin, ...outer.map(({ axis, coordinate }) => term(axis, coordinate))]);
    const within = [term(rowAxis, 'row')];
    if (start !== '0u') {
      starts.push({ field: `leaf${j}`, value: start });
      within.push({ coordinate: `at.leaf${j}`, stride: '1u' });
    }
    const { stride } = term(colAxis, '');
    const at = offset(within);
    if (leaf.source === 'index') return `U(${at}) + columns * ${stride}`;
    const element = (c: number) => `leaf${j}[${at} + columns[${c}] * ${stride}]`;
    const value = wide(leaf)
      ? `leaf${j}[(${at} + col) >> 2u]`
      : `${SCALARS[leaf.dtype].value}(${stride === '0u' ? `leaf${j}[${at}]` : [0, 1, 2, 3].map(element).join(', ')})`;
    return leaf.dtype === 'bool' ? `${value} != U(0u)` : value;
  });
  return {
    declarations: (binding) =>
      [
        'alias F = vec4f;\nalias I = vec4i;\nalias U = vec4u;',
        ...bound.map((j, i) => {
          const element = elementType(leaves[j]!.dtype, wide(leaves[j]!));
          return `@group(0) @binding(${binding + i}) var<storage, read> leaf${j}: array<${element}>;`;
        }),
        ...helpers,
      ].join('\n'),
    bound,
    uniforms,
    starts,
    statements: [
      ...values.map((value, j) => `let x${j} = ${value};`),
      ...lines.map(({ name, expression }) => `let ${name} = ${expression};`),
      `let result = ${results[0]!.expression};`,
    ],
  };
}

/** Number of distinct elements of a leaf that an epilogue reads. */
export const leafSize = ({ body }: Epilogue, j: number): number =>
  body.space.reduce((count, size, axis) => (body.leaves[j]!.strides[axis] === 0 ? count : count * size), 1);

/** The struct of where a product's matrix and the leaves start: `fields`, then the leaves'. */
export const placeStruct = (fields: readonly string[], epilogue?: EpilogueCode): string =>
  `struct Place { ${[...fields, ...(epilogue?.starts ?? []).map(({ field }) => field)].map((f) => `${f}: u32`).join(', ')} }`;

/**
 * Statements that store the vector `v` at `start + col` and on, or add it to what is there. `columns` is C's
 * number of columns; at least the first of the four exists, and those beyond the end store the first again:
 * SwiftShader compiles for minutes if each has its own condition, or if `&&` joins two.
 */
export function storeFour(vec: boolean, start: string, columns: string, epilogue?: EpilogueCode): string[] {
  const finish = epilogue ? [...epilogue.statements, 'let stored = select(sum, result, last);'] : [];
  const stored = epilogue ? 'stored' : 'sum';
  const four = (f: (c: number) => string, separator = ', ') => [0, 1, 2, 3].map(f).join(separator);
  if (vec) {
    return [
      `let i = (${start} + col) >> 2u;`,
      'let columns = col + vec4u(0u, 1u, 2u, 3u);',
      'let sum = select(v, v + C[i], add);',
      ...finish,
      `C[i] = ${stored};`,
    ];
  }
  return [
    `let inside = col + vec4u(0u, 1u, 2u, 3u) < vec4u(${columns});`,
    'let columns = select(vec4u(col), col + vec4u(0u, 1u, 2u, 3u), inside);',
    `let to = ${start} + columns;`,
    `let before = vec4f(${four((c) => `C[to[${c}]]`)});`,
    'let sum = select(vec4f(v.x), v, inside) + select(vec4f(), before, add);',
    ...finish,
    four((c) => `C[to[${c}]] = ${stored}[${c}];`, ' '),
  ];
}
