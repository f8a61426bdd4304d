import { openBlocks, range, type Tile } from './product.ts';

/** A product as its loads and stores, which hide how its operands lie in memory. */
export interface TiledProblem {
  /** WGSL of the bindings, and of `storeC(place, row, col, v, add, last)`: see `matmulMemory`. */
  readonly memory: string;
  /**
   * WGSL of `originA(at, row, k) -> vec4u`, what a thread keeps of the operand at element `at` and of its
   * place in a slice, and `loadA(origin, ahead, u) -> vec4f`, four values of the slice at `ahead`: rows from
   * `row` on at step `k + u`, or steps from `k` on, u being 0. `originB` and `loadB` do so for columns. Rows
   * and columns past the end may hold anything, as their results are not stored; k past the end gives zeros.
   */
  readonly loads: string;
  /**
   * Whether `keptA` and `keptB`, of the same arguments, say which values to keep; zeros replace the others.
   * Asked when values are used: a load that nothing waits for proceeds while a slice is multiplied.
   */
  readonly kept: boolean;
  /** Whether the slices of all teams end where k does; loads past its end must not be issued. */
  readonly whole: boolean;
  /** WGSL that finds the workgroup's tile: `row0`, `col0`, `place`, `length` of k, and `atA`, `atB`. */
  readonly locate: (tile: Tile) => string;
  /** Whether four rows or columns are loaded at a time, rather than four k. */
  readonly acrossA: boolean;
  readonly acrossB: boolean;
  /** WGSL that all threads run after the tile is stored. */
  readonly finish?: string;
}

/** How slices lie in workgroup memory: of a row or column every k in turn if `alongK`, else the reverse. */
export interface SliceLayout {
  readonly strideA: number;
  readonly strideB: number;
  readonly alongK?: boolean;
  /** What vectors of four are rounded to, if not to `vec4f`. */
  readonly half: boolean;
}

/** WGSL that finds a thread's share of slices, loads it to registers, and stores it to workgroup memory. */
export function copying(
  { acrossA, acrossB, kept }: TiledProblem,
  { rows, cols, depth }: Tile & { readonly depth: number },
  threads: number,
  { strideA, strideB, alongK = false, half }: SliceLayout,
) {
  const operands = [
    { name: 'A', x: 'row0', across: acrossA, quads: rows / 4, stride: strideA },
    { name: 'B', x: 'col0', across: acrossB, quads: cols / 4, stride: strideB },
  ].map((operand) => ({ ...operand, blocks: (operand.quads * depth) / 4 }));
  const blocksA = operands[0]!.blocks;
  const blocks = blocksA + operands[1]!.blocks;
  const count = Math.ceil(blocks / threads);

  /** `text` for the operand of this thread's copy `i`, whose number among all copies is `all`. */
  const copy = (i: number, text: (operand: (typeof operands)[number]) => string[]): string => {
    const [first, last] = [i * threads, Math.min((i + 1) * threads, blocks) - 1];
    const [a, b] = operands.map((operand) => text(operand).join('\n    '));
    const either = a === b ? a : `if (all < ${blocksA}u) { ${a} } else { ${b} }`;
    const guard = (i + 1) * threads > blocks ? `if (all < ${blocks}u) ` : '';
    return `{ let all = member + ${first}u;\n    ${guard}{ ${last < blocksA ? a : first >= blocksA ? b : either} } }`;
  };
  const at = (i: number, u: number, across: boolean) => `origin${i}_${across ? 0 : u}`;

  const origins = range(count, (i) => [
    `var to${i} = 0u;`,
    ...range(acrossA && acrossB ? 1 : 4, (u) => `var origin${i}_${u} = vec4u();`),
    copy(i, ({ name, x, across, quads, stride }) => {
      // Threads run along the operand's rows in memory.
      const [quad, k] = across
        ? [`block % ${quads}u`, `block / ${quads}u * 4u`]
        : [`block / ${depth / 4}u`, `block % ${depth / 4}u * 4u`];
      return [
        `let block = all - ${name === 'A' ? 0 : blocksA}u; let quad = ${quad}; let k = ${k};`,
        `to${i} = slice${name} + ${alongK ? `quad * ${4 * stride}u + (k >> 2u)` : `k * ${stride}u + quad`};`,
        ...range(
          across ? 1 : 4,
          (u) => `${at(i, u, across)} = origin${name}(at${name}, ${x} + quad * 4u + ${u}u, k);`,
        ),
      ];
    }),
  ]).flat();
  const fetch = range(count, (i) =>
    copy(i, ({ name, across }) =>
      range(4, (u) => {
        const given = `(${at(i, u, across)}, ahead, ${across ? u : 0}u)`;
        return `v[${4 * i + u}] = load${name}${given};${kept ? ` kept[${4 * i + u}] = kept${name}${given};` : ''}`;
      }),
    ),
  );
  const value = (j: number) => (kept ? `select(vec4f(), v[${j}], kept[${j}])` : `v[${j}]`);
  const store = range(count, (i) =>
    copy(i, ({ across, stride }) => [
      ...range(4, (u) => `let v${u} = ${value(4 * i + u)};`),
      ...range(4, (u) => {
        // If the loads run along the other axis, transpose the block.
        const four = across !== alongK ? `v${u}` : `vec4f(${range(4, (x) => `v${x}[${u}]`).join(', ')})`;
        return `slices[to${i} + ${u * stride}u] = ${half ? `vec4h(${four})` : four};`;
      }),
    ]),
  );
  return { count, origins, fetch, store };
}

/** What fills in {@link slicedSource}: WGSL, and sizes. */
interface Slices {
  readonly half: boolean;
  /** Vectors of workgroup memory. */
  readonly vectors: number;
  readonly threads: number;
  readonly copies: ReturnType<typeof copying>;
  /** Directives, declarations, attributes and builtins beside the usual. */
  readonly directives?: string;
  readonly memory?: string;
  readonly attribute?: string;
  readonly builtins?: string;
  /** Defines `team` and `member`, the thread's number in it, `sliceA` and `sliceB`. */
  readonly setup: readonly string[];
  /** Declarations of sums of groups of blocks, and of blocks. */
  readonly totals: readonly string[];
  readonly sums: readonly string[];
  readonly multiply: string;
  /** Adds the sums to the totals. */
  readonly join: readonly string[];
  readonly store: string;
}

/** A shader that moves through k in slices: while one is multiplied, the next is on its way to registers. */
export function slicedSource(
  problem: TiledProblem,
  { depth, splits, ...tile }: Tile & { readonly depth: number; readonly splits: number },
  [block, group]: readonly [block: number, group: number],
  given: Slices,
): string {
  const { half, vectors, threads, copies, setup, totals, sums, multiply, join, store } = given;
  const { directives = '', memory = '', attribute = '', builtins = '' } = given;
  const step = depth * splits;
  return `${half ? 'enable f16;\n' : ''}${directives}${problem.memory}
${problem.loads}

var<workgroup> slices: array<${half ? 'vec4h' : 'vec4f'}, ${vectors}>;
${memory}
@compute ${attribute}@workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) thread: u32,${builtins}
) {
  ${problem.locate(tile)}
  ${setup.join('\n  ')}
  var v = array<vec4f, ${4 * copies.count}>();
  ${problem.kept ? `var kept = array<bool, ${4 * copies.count}>();` : ''}
  ${copies.origins.join('\n  ')}
  {
    let ahead = team * ${depth}u;
    ${copies.fetch.join('\n    ')}
  }
  ${openBlocks(block, group, totals.join('\n  '))}
    ${sums.join('\n    ')}
    for (var next = start; next < end; next += ${step}u) {
      ${copies.store.join('\n      ')}
      workgroupBarrier();
      {
        let ahead = ${problem.whole ? `min(next + ${step}u, length - ${step}u)` : `next + ${step}u`} + team * ${depth}u;
        ${copies.fetch.join('\n        ')}
      }
      ${multiply}
      workgroupBarrier();
    }
    ${group ? `${join.join('\n    ')}\n  }\n  let start = low;\n  let last = high == length;` : ''}
    ${store}
  }
  ${problem.finish ?? ''}
}
`;
}
