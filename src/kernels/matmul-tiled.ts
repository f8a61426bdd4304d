import { locateTile, type MatmulForm, matmulMemory } from './matmul-problem.ts';
import { fourAlong, groupOf, openBlocks, range, type Tile } from './product.ts';

/** A product as its loads and stores: how its operands lie in memory is hidden behind them. */
export interface TiledProblem {
  /** WGSL of the bindings, and of `storeC(place, row, col, v, add, last)`: see {@link matmulMemory}. */
  readonly memory: string;
  /**
   * WGSL of `loadA(at, row, k)` and `loadB(at, col, k)`, which give four values of the operand that starts at element `at`: of
   * the four rows or columns from the given one on, or of the four k from the given one on. Rows and columns beyond the end can
   * be any, as their results are not stored; k beyond the end give zeros.
   */
  readonly loads: string;
  /** WGSL that finds the workgroup's tile: `row0`, `col0`, `length` of k, `place`, and where operands start, `atA`, `atB`. */
  readonly locate: (tile: Tile) => string;
  /** Whether four rows or columns are loaded at a time, rather than four k. */
  readonly acrossA: boolean;
  readonly acrossB: boolean;
  /** WGSL of what all threads go on to do when the tile is stored. */
  readonly finish?: string;
}

/** How a workgroup shares out a tile of C. Sides are multiples of four. */
export interface TiledShape {
  readonly rows: number;
  readonly cols: number;
  /** The part of it that a thread keeps in registers. */
  readonly threadRows: number;
  readonly threadCols: number;
  /** Steps of k that are copied to workgroup memory at a time. */
  readonly depth: number;
  /** Teams of threads that all compute the whole tile, each over its own steps of k. */
  readonly splits: number;
}

/**
 * Steps of k that are summed up before the sum joins the others in C, which keeps roundings few for any k. Sums of equal terms
 * drift by 2e-6 with 256 steps for each team; large tiles have twice as many, as they have more of C to read and write.
 */
const blockOf = ({ splits, threadRows }: TiledShape): number => splits * (threadRows > 4 ? 512 : 256);

/** The lengths of blocks of `steps` steps of k, and of groups of blocks ({@link groupOf}); 0 where one block, or group, is all. */
export function blocksOf(steps: number, shape: TiledShape): readonly [block: number, group: number] {
  const block = steps > blockOf(shape) ? blockOf(shape) : 0;
  return [block, groupOf(steps, block)];
}

export const tiledName = ({ threadRows, threadCols, splits }: TiledShape, half = false): string =>
  `tiled${half ? ' f16' : ''} ${threadRows}x${threadCols}${splits > 1 ? ` of ${splits} teams` : ''} in`;

const teamThreads = ({ rows, cols, threadRows, threadCols }: TiledShape): number =>
  (rows / threadRows) * (cols / threadCols);

export const tiledThreads = (shape: TiledShape): number => shape.splits * teamThreads(shape);

/** Vectors of workgroup memory. A slice's rows are longer by one than what they hold, against bank conflicts. */
function layout({ rows, cols, depth, splits }: TiledShape) {
  const [strideA, strideB] = [rows / 4 + 1, cols / 4 + 1];
  const team = depth * (strideA + strideB);
  return {
    strideA,
    strideB,
    team,
    total: Math.max(splits * team, splits > 1 ? (splits * rows * cols) / 4 : 0),
  };
}

export const tiledBytes = (shape: TiledShape): number => 16 * layout(shape).total;

/**
 * The matrix product for GPUs: a workgroup computes a tile of C, a thread a part of it, in outer products.
 *
 * A team of threads moves through k in slices. It copies a slice of A and one of B to workgroup memory in blocks of
 * 4 k × 4 rows or columns, which lie there with k outermost, so that a thread reads four rows or four columns of one k as a
 * vector. A thread's fours are spread over the tile, so that neighbouring threads read neighbouring vectors. While a slice is
 * multiplied, the next one is on its way to registers. Rows, columns and k beyond the end are clamped or zero when
 * they are loaded, so ragged sizes cost nothing in the inner loop.
 *
 * Where C has too few tiles to fill the GPU, several teams share the steps of k of one tile, and their sums are added in
 * order through workgroup memory.
 *
 * @param half  round A and B to f16 in workgroup memory, which halves what is read from there; products and sums are
 *              f32. For `splits: 1` only.
 */
export function tiledSource(
  problem: TiledProblem,
  shape: TiledShape,
  blocks: ReturnType<typeof blocksOf>,
  half = false,
): string {
  const { rows, cols, threadRows, threadCols, depth, splits } = shape;
  const { strideA, strideB, team, total: vectors } = layout(shape);
  const threads = teamThreads(shape);
  const [rowThreads, colThreads] = [rows / threadRows, cols / threadCols];
  const copies = copying(problem, shape, half);
  const wide = half ? (text: string) => `vec4f(${text})` : (text: string) => text;
  const quads = (count: number) => range(count / 4, (i) => i);
  const [block, group] = blocks;
  const sum = (r: number, q: number) => `c${r}_${q}`;
  const total = (r: number, q: number) => (group ? `t${r}_${q}` : sum(r, q));
  const each = (line: (r: number, q: number) => string) =>
    range(threadRows, (r) =>
      quads(threadCols)
        .map((q) => line(r, q))
        .join(' '),
    );
  const row = (r: number) => `4u * (rowThread + ${Math.floor(r / 4) * rowThreads}u) + ${r % 4}u`;
  const col = (q: number) => `colThread + ${q * colThreads}u`;
  const step = depth * splits;

  return `${half ? 'enable f16;\n' : ''}${problem.memory}
${problem.loads}

var<workgroup> slices: array<${half ? 'vec4h' : 'vec4f'}, ${vectors}>;

@compute @workgroup_size(${splits * threads})
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  ${problem.locate(shape)}
  let team = thread / ${threads}u;
  let member = thread % ${threads}u;
  let rowThread = member / ${colThreads}u;
  let colThread = member % ${colThreads}u;
  let sliceA = team * ${team}u;
  let sliceB = sliceA + ${depth * strideA}u;
  ${openBlocks(block, group, each((r, q) => `var ${total(r, q)} = vec4f();`).join('\n  '))}
    ${each((r, q) => `var ${sum(r, q)} = vec4f();`).join('\n    ')}
    var v = array<vec4f, ${4 * copies.count}>();
    for (var next = start; next < end + ${step}u; next += ${step}u) {
      if (next > start) {
        ${copies.store.join('\n        ')}
        workgroupBarrier();
      }
      if (next < end) {
        let ahead = next + team * ${depth}u;
        ${copies.fetch.join('\n        ')}
      }
      if (next > start) {
        for (var k = 0u; k < ${depth}u; k++) {
          ${quads(threadRows)
            .map(
              (i) =>
                `let a${i} = ${wide(`slices[sliceA + k * ${strideA}u + rowThread + ${i * rowThreads}u]`)};`,
            )
            .join('\n          ')}
          ${quads(threadCols)
            .map((q) => `let b${q} = ${wide(`slices[sliceB + k * ${strideB}u + ${col(q)}]`)};`)
            .join('\n          ')}
          ${each((r, q) => `${sum(r, q)} = fma(vec4f(a${Math.floor(r / 4)}[${r % 4}]), b${q}, ${sum(r, q)});`).join('\n          ')}
        }
        workgroupBarrier();
      }
    }
    ${group ? `${each((r, q) => `${total(r, q)} += ${sum(r, q)};`).join('\n    ')}\n  }\n  let start = low;\n  let last = high == length;` : ''}
    ${
      splits === 1
        ? each(
            (r, q) =>
              `storeC(place, row0 + ${row(r)}, col0 + 4u * (${col(q)}), ${total(r, q)}, start > 0u, last);`,
          ).join('\n    ')
        : addTeams(
            shape,
            each((r, q) => `slices[own + (${row(r)}) * ${cols / 4}u + ${col(q)}] = ${total(r, q)};`),
          )
    }
  }
  ${problem.finish ?? ''}
}
`;
}

/** Writes the teams' sums to workgroup memory, whence each thread adds up and stores some vectors. */
function addTeams(shape: TiledShape, writes: readonly string[]): string {
  const { rows, cols, splits } = shape;
  const vectors = (rows * cols) / 4;
  return `let own = team * ${vectors}u;
    ${writes.join('\n    ')}
    workgroupBarrier();
    for (var i = thread; i < ${vectors}u; i += ${tiledThreads(shape)}u) {
      var sum = slices[i];
      for (var other = 1u; other < ${splits}u; other++) { sum += slices[i + other * ${vectors}u]; }
      storeC(place, row0 + i / ${cols / 4}u, col0 + i % ${cols / 4}u * 4u, sum, start > 0u, last);
    }
    workgroupBarrier();`;
}

/** WGSL that loads a thread's share of the next slices to registers, and that stores it to workgroup memory. */
function copying({ acrossA, acrossB }: TiledProblem, shape: TiledShape, half: boolean) {
  const { rows, cols, depth } = shape;
  const { strideA, strideB } = layout(shape);
  const threads = teamThreads(shape);
  const operands = [
    { name: 'A', x: 'row0', across: acrossA, quads: rows / 4, stride: strideA },
    { name: 'B', x: 'col0', across: acrossB, quads: cols / 4, stride: strideB },
  ].map((operand) => ({ ...operand, blocks: (operand.quads * depth) / 4 }));
  const blocksA = operands[0]!.blocks;
  const blocks = blocksA + operands[1]!.blocks;
  const count = Math.ceil(blocks / threads);

  /** `text` of the operand that copy `i` of this thread belongs to, with where its block lies. */
  const copy = (i: number, text: (operand: (typeof operands)[number]) => string): string => {
    const [first, last] = [i * threads, Math.min((i + 1) * threads, blocks) - 1];
    const body = operands.map((operand, o) => {
      // Threads run along the operand's rows as they lie in memory.
      const [quad, k] = operand.across
        ? [`block % ${operand.quads}u`, `block / ${operand.quads}u * 4u`]
        : [`block / ${depth / 4}u`, `block % ${depth / 4}u * 4u`];
      return `let block = all - ${o * blocksA}u; let quad = ${quad}; let k = ${k};\n    ${text(operand)}`;
    });
    const chosen =
      last < blocksA
        ? body[0]
        : first >= blocksA
          ? body[1]
          : `if (all < ${blocksA}u) { ${body[0]} } else { ${body[1]} }`;
    const guard = (i + 1) * threads > blocks ? `if (all < ${blocks}u) ` : '';
    return `{ let all = member + ${first}u;\n    ${guard}{ ${chosen} } }`;
  };

  const fetch = range(count, (i) =>
    copy(i, ({ name, x, across }) =>
      range(4, (u) => {
        const [dx, dk] = across ? ['', ` + ${u}u`] : [` + ${u}u`, ''];
        return `v[${4 * i + u}] = load${name}(at${name}, ${x} + quad * 4u${dx}, ahead + k${dk});`;
      }).join('\n    '),
    ),
  );
  const store = range(count, (i) =>
    copy(i, ({ name, across, stride }) =>
      range(4, (u) => {
        // Where k is the contiguous axis, the block is turned.
        const value = across
          ? `v[${4 * i + u}]`
          : `vec4f(${range(4, (x) => `v[${4 * i + x}][${u}]`).join(', ')})`;
        return `slices[slice${name} + (k + ${u}u) * ${stride}u + quad] = ${half ? `vec4h(${value})` : value};`;
      }).join('\n    '),
    ),
  );
  return { count, fetch, store };
}

/**
 * Dense matrices. A load runs along the operand's rows as they lie in memory: the four k where k is the contiguous axis
 * (A, Bᵀ), else four rows or columns (Aᵀ, B). What is beyond the end is clamped to what exists.
 */
export const matrices = (form: MatmulForm): TiledProblem => ({
  memory: matmulMemory(form),
  loads: loads(form),
  locate: (tile) => `${locateTile(tile)}\n  let length = s.k;`,
  acrossA: form.transposeA,
  acrossB: !form.transposeB,
});

function loads({ transposeA, transposeB, a, b }: MatmulForm): string {
  const [vecA, vecB] = [a.width === 4, b.width === 4];
  return `fn loadA(at: u32, row: u32, k: u32) -> vec4f {
  ${transposeA ? loadAcross('A', 'row', 's.m', vecA) : loadAlong('A', 'row', 's.m', vecA)}
}
fn loadB(at: u32, col: u32, k: u32) -> vec4f {
  ${transposeB ? loadAlong('B', 'col', 's.n', vecB) : loadAcross('B', 'col', 's.n', vecB)}
}`;
}

/** Four values along k of row `x` of a matrix `[X, k]`. */
function loadAlong(buffer: string, x: string, extent: string, vec: boolean): string {
  const row = `let row0 = at + min(${x}, ${extent} - 1u) * s.k;`;
  // Of a vector, k is a multiple of four, so four values lie inside together or outside together.
  if (vec)
    return `${row}\n  return select(vec4f(), fetch${buffer}((row0 + min(k, s.k - 4u)) >> 2u), k < s.k);`;
  return `${row}\n  return ${fourAlong(`fetch${buffer}`, 'row0', 's.k', true)};`;
}

/** Four neighbours from column `x` on in row `k` of a matrix `[k, X]`. */
function loadAcross(buffer: string, x: string, extent: string, vec: boolean): string {
  const row = `let row0 = at + min(k, s.k - 1u) * ${extent};`;
  const value = vec
    ? `fetch${buffer}((row0 + min(${x}, ${extent} - 4u)) >> 2u)`
    : `vec4f(${range(4, (c) => `fetch${buffer}(row0 + min(${x} + ${c}u, ${extent} - 1u))`).join(', ')})`;
  return `${row}\n  return select(vec4f(), ${value}, k < s.k);`;
}
