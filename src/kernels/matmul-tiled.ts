import { locateTile, type MatmulForm, matmulMemory } from './matmul-problem.ts';
import { fourAlong, groupOf, range } from './product.ts';
import { copying, slicedSource, type TiledProblem } from './slices.ts';

/** How a workgroup splits up a tile of C. Sides are multiples of four. */
export interface TiledShape {
  readonly rows: number;
  readonly cols: number;
  /** The part that a thread keeps in registers. */
  readonly threadRows: number;
  readonly threadCols: number;
  /** Steps of k copied to workgroup memory at a time. */
  readonly depth: number;
  /** Teams of threads that each compute the whole tile, over their own steps of k. */
  readonly splits: number;
}

/**
 * Steps of k summed before the sum joins C, which keeps roundings few for any k. Sums of equal terms drift
 * by 2e-6 with 256 steps per team; large tiles, with more of C to read and write, take twice as many.
 */
const blockOf = ({ splits, threadRows }: TiledShape): number => splits * (threadRows > 4 ? 512 : 256);

/** Lengths of blocks of `steps` steps of k and of groups of blocks ({@link groupOf}); 0 if one suffices. */
export function blocksOf(steps: number, shape: TiledShape): readonly [block: number, group: number] {
  const block = steps > blockOf(shape) ? blockOf(shape) : 0;
  return [block, groupOf(steps, block)];
}

export const tiledName = ({ threadRows, threadCols, splits }: TiledShape, half = false): string =>
  `tiled${half ? ' f16' : ''} ${threadRows}x${threadCols}${splits > 1 ? ` of ${splits} teams` : ''} in`;

const teamThreads = ({ rows, cols, threadRows, threadCols }: TiledShape): number =>
  (rows / threadRows) * (cols / threadCols);

export const tiledThreads = (shape: TiledShape): number => shape.splits * teamThreads(shape);

/** Vectors of workgroup memory. A slice's rows are one vector longer than needed, against bank conflicts. */
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

/** Steps of k unrolled in the shader: positions in workgroup memory are then constants. */
const UNROLLED = 4;

/**
 * The matrix product for GPUs: a workgroup computes a tile of C, a thread a part of it, in outer products.
 *
 * A team of threads moves through k in slices. It copies slices of A and B to workgroup memory in blocks of
 * 4 k × 4 rows or columns, with k outermost, so that a thread reads four rows or columns of one k as a
 * vector. A thread's fours are spread over the tile, so that neighboring threads read neighboring vectors.
 * While a slice is multiplied, the next is on its way to registers. Rows, columns and k past the end are
 * clamped or zeroed on load, so ragged sizes cost nothing in the inner loop.
 *
 * If C has too few tiles to fill the GPU, several teams share a tile's steps of k, and their sums are added
 * in order through workgroup memory.
 *
 * @param half  round A and B to f16 in workgroup memory, which halves what is read from there; products and
 *              sums are f32. Only for `splits: 1`.
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
  const wide = half ? (text: string) => `vec4f(${text})` : (text: string) => text;
  const quads = (count: number) => range(count / 4, (i) => i);
  const group = blocks[1];
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
  const multiply = range(UNROLLED, (u) => [
    ...quads(threadRows).map(
      (i) => `let a${u}_${i} = ${wide(`slices[atA + ${u * strideA + i * rowThreads}u]`)};`,
    ),
    ...quads(threadCols).map(
      (q) => `let b${u}_${q} = ${wide(`slices[atB + ${u * strideB + q * colThreads}u]`)};`,
    ),
    ...each(
      (r, q) => `${sum(r, q)} = fma(vec4f(a${u}_${Math.floor(r / 4)}[${r % 4}]), b${u}_${q}, ${sum(r, q)});`,
    ),
  ]).flat();

  return slicedSource(problem, shape, blocks, {
    ...{ half, vectors, threads: splits * threads },
    copies: copying(problem, shape, threads, { strideA, strideB, half }),
    setup: [
      splits > 1 ? `let team = thread / ${threads}u;` : 'const team = 0u;',
      `let member = thread${splits > 1 ? ` % ${threads}u` : ''};`,
      `let rowThread = member / ${colThreads}u;`,
      `let colThread = member % ${colThreads}u;`,
      `let sliceA = team * ${team}u;`,
      `let sliceB = sliceA + ${depth * strideA}u;`,
      'let fromA = sliceA + rowThread;',
      'let fromB = sliceB + colThread;',
    ],
    totals: each((r, q) => `var ${total(r, q)} = vec4f();`),
    sums: each((r, q) => `var ${sum(r, q)} = vec4f();`),
    multiply: `for (var k = 0u; k < ${depth}u; k += ${UNROLLED}u) {
        let atA = fromA + k * ${strideA}u;
        let atB = fromB + k * ${strideB}u;
        ${multiply.join('\n        ')}
      }`,
    join: each((r, q) => `${total(r, q)} += ${sum(r, q)};`),
    store:
      splits === 1
        ? each(
            (r, q) =>
              `storeC(place, row0 + ${row(r)}, col0 + 4u * (${col(q)}), ${total(r, q)}, start > 0u, last);`,
          ).join('\n    ')
        : addTeams(
            shape,
            each((r, q) => `slices[own + (${row(r)}) * ${cols / 4}u + ${col(q)}] = ${total(r, q)};`),
          ),
  });
}

/** Writes the teams' sums to workgroup memory, from where each thread adds up and stores some vectors. */
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

/**
 * Dense matrices. A load runs along the operand's rows in memory: the four k if k is the contiguous axis (A,
 * Bᵀ), else four rows or columns (Aᵀ, B). Rows and columns past the end are clamped. `sizes` has m, n and k.
 */
export const matrices = (
  form: MatmulForm,
  k: number,
  { depth, splits }: Pick<TiledShape, 'depth' | 'splits'>,
  sizes = 's',
): TiledProblem => {
  const { transposeA, transposeB, a, b } = form;
  const kept = k % (depth * splits) > 0 || a.width < 4 || b.width < 4;
  const operands = [
    { name: 'A', extent: `${sizes}.m`, across: transposeA, vec: a.width === 4, kept },
    { name: 'B', extent: `${sizes}.n`, across: !transposeB, vec: b.width === 4, kept },
  ] as const;
  return {
    memory: matmulMemory(form),
    loads: operands.map((operand) => loads(operand, `${sizes}.k`)).join('\n'),
    ...{ kept, whole: !kept },
    locate: (tile) => `${locateTile(tile)}\n  let length = ${sizes}.k;`,
    acrossA: transposeA,
    acrossB: !transposeB,
  };
};

interface MatrixLoads {
  readonly name: 'A' | 'B';
  readonly extent: string;
  readonly across: boolean;
  readonly vec: boolean;
  readonly kept: boolean;
}

/** Loads of a matrix `[extent, k]`, or `[k, extent]` if `across`. With `vec`, origins count vectors. */
function loads({ name, extent, across, vec, kept }: MatrixLoads, length: string): string {
  const start = across
    ? `at + k * ${extent} + min(x, ${extent} - 4u)`
    : `at + min(x, ${extent} - 1u) * ${length} + k`;
  const vector = across ? `o.x + (ahead + u) * (${extent} >> 2u)` : 'o.x + (ahead >> 2u)';
  const values = vec
    ? `return fetch${name}(${kept ? `select(0u, ${vector}, kept${name}(o, ahead, u))` : vector});`
    : across
      ? `let row = o.y + min(o.w + ahead + u, ${length} - 1u) * ${extent};
  return vec4f(${range(4, (c) => `fetch${name}(row + min(o.z + ${c}u, ${extent} - 1u))`).join(', ')});`
      : `let row = o.y + min(o.z, ${extent} - 1u) * ${length};
  let k = o.w + ahead;
  return ${fourAlong(`fetch${name}`, 'row', length, true)};`;
  return `fn origin${name}(at: u32, x: u32, k: u32) -> vec4u { return vec4u(${vec ? `(${start}) >> 2u` : '0u'}, at, x, k); }
fn kept${name}(o: vec4u, ahead: u32, u: u32) -> bool { return o.w + ahead + u < ${length}; }
fn load${name}(o: vec4u, ahead: u32, u: u32) -> vec4f {
  ${values}
}`;
}
