import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import {
  locateTile,
  type MatmulForm,
  type MatmulSpec,
  matmulForm,
  matmulKernel,
  matmulMemory,
} from './matmul-problem.ts';
import { accessWords } from './operand.ts';
import {
  columnOf,
  countOf,
  fourAlong,
  fourRows,
  groupOf,
  isBrief,
  openBlocks,
  range,
  sharedSource,
  storeSums,
  subgroupShader,
  sumsOf,
  type Tile,
} from './product.ts';

/** A tile of `rows` × `vectors` vectors of 4·lanes columns; a lane keeps 4·vectors columns of all rows. */
interface BroadcastTile {
  /** Multiple of the number of lanes. */
  readonly rows: number;
  readonly vectors: number;
}

function broadcastTile(tile: BroadcastTile, lanes: number): Tile {
  return { rows: tile.rows, cols: tile.vectors * lanes * 4 };
}

/**
 * Rows written per turn of the store loop. Loads are long code on software adapters: with one row, an
 * epilogue that reads two matrices compiles in half the time and runs as fast.
 */
const storedRows = ({ epilogue }: MatmulForm): number => (epilogue?.bound.length ? 1 : 4);

/**
 * The matrix product for a CPU that poses as a GPU: a subgroup is a workgroup, SIMD code on one core.
 *
 * There a load costs a branch per lane, workgroup memory is slow, and arithmetic nearly free. So lanes run
 * over columns, each with a column of accumulators in registers; A is loaded one row per lane and shared by
 * `subgroupBroadcast`; loads are `vec4f` where the layout allows. Per four k, a 32 × 32 tile takes 8 loads
 * for 4096 multiply-adds. Accumulators are separate variables; the products of four k join them as one sum,
 * which shortens the chain of roundings fourfold. These are dot products, since SwiftShader spills other
 * vector expressions to the stack. docs/rejected.md has other forms that were tried.
 *
 * @param guardK whether k is no multiple of four
 * @param block  length, a multiple of four, of the blocks of k whose sums are added up in C; 0 if k is short
 *               enough to be summed at once
 * @param group  the length of groups of blocks, see {@link groupOf}
 */
function broadcastSource(
  form: MatmulForm,
  tile: BroadcastTile,
  lanes: number,
  guardK: boolean,
  block: number,
  group: number,
): string {
  const { rows, vectors } = tile;
  const a = operandA(form, rows, lanes, guardK);
  const b = operandB(form, vectors, lanes, guardK);
  const sums = sumsOf(rows, 4 * vectors);
  const totals = sumsOf(rows, 4 * vectors, 't');
  const products = range(rows, (r) => [...a.row(r), ...sums.add(r)]).flat();
  const store = (own: typeof sums) => storeSums(own, 's.m', lanes, storedRows(form), 'start > 0u, last');
  const body = `${locateTile(broadcastTile(tile, lanes))}
  let length = s.k;
  ${[...a.before, ...b.before].join('\n  ')}
  ${openBlocks(block, group, totals.declare.join('\n    '))}
    ${sums.declare.join('\n    ')}
    for (var k = start; k < end; k += 4u) {
      ${[...a.loads, ...b.loads, ...products].join('\n      ')}
    }
    ${group ? sums.addTo(totals).join('\n    ') : store(sums)}
  }
  ${group ? `let start = low;\n  let last = high == length;\n  ${store(totals)}\n  }` : ''}`;
  return subgroupShader(matmulMemory(form), lanes, body);
}

/** An operand's WGSL: what is computed once, and what is loaded per four steps of k. */
interface OperandLines {
  readonly before: readonly string[];
  readonly loads: readonly string[];
}

/**
 * Loads of a lane's part of an operand. `along`: k is the contiguous axis, each of `starts` is a row (or
 * column), and `{name}{i}` is its vector of four k. Otherwise a start is the first of four rows or columns,
 * and `{name}{i}_{u}` is their vector at k + u. Addresses are computed before the loop, except for k, since
 * no software adapter's compiler hoists them. Vector rows are padded to multiples of four. Rows and columns
 * past the end are clamped, as their results are never stored; k past the end yields zeros.
 */
function operand(
  name: 'a' | 'b',
  along: boolean,
  vec: boolean,
  starts: readonly string[],
  guardK: boolean,
): OperandLines {
  const buffer = name.toUpperCase();
  const extent = name === 'a' ? 's.m' : 's.n';
  const at = `at${buffer}`;
  if (along) {
    // Vectors only if k is a multiple of four.
    const shift = vec ? ' >> 2u' : '';
    return {
      before: starts.map(
        (x, i) => `let ${name}From${i} = (${at} + min(${x}, ${extent} - 1u) * length)${shift};`,
      ),
      loads: starts.map((_, i) => {
        if (vec) return `let ${name}${i} = fetch${buffer}(${name}From${i} + (k >> 2u));`;
        return `let ${name}${i} = ${fourAlong(`fetch${buffer}`, `${name}From${i}`, 'length', guardK)};`;
      }),
    };
  }
  const pitch = `${name}Pitch`;
  const rowAt = (u: number) => (guardK ? `min(k + ${u}u, length - 1u)` : `(k + ${u}u)`);
  return {
    before: [
      `let ${pitch} = ${vec ? `(${extent} + 3u) >> 2u` : extent};`,
      ...starts.flatMap((x, i) =>
        vec
          ? [`let ${name}From${i} = (${at} + min(${x}, ((${extent} + 3u) & ~3u) - 4u)) >> 2u;`]
          : [`let ${name}From${i} = ${at} + min(${x} + vec4u(0u, 1u, 2u, 3u), vec4u(${extent} - 1u));`],
      ),
    ],
    loads: [
      ...range(4, (u) => `let ${name}Row${u} = ${rowAt(u)} * ${pitch};`),
      ...starts.flatMap((_, i) =>
        range(4, (u) => {
          const value = vec
            ? `fetch${buffer}(${name}From${i} + ${name}Row${u})`
            : `vec4f(${range(4, (c) => `fetch${buffer}(${name}From${i}[${c}] + ${name}Row${u})`).join(', ')})`;
          const guarded = guardK ? `select(vec4f(), ${value}, k + ${u}u < length)` : value;
          return `let ${name}${i}_${u} = ${guarded};`;
        }),
      ),
    ],
  };
}

/** The tile's rows of A, spread over the lanes, and the lines that broadcast row r at four k as `r{r}`. */
function operandA({ transposeA, a }: MatmulForm, rows: number, lanes: number, guardK: boolean) {
  if (!transposeA) {
    const starts = range(rows / lanes, (i) => `row0 + lane + ${i * lanes}u`);
    return {
      ...operand('a', true, a.width === 4, starts, guardK),
      row: (r: number) => [`let r${r} = subgroupBroadcast(a${Math.floor(r / lanes)}, ${r % lanes}u);`],
    };
  }
  // Aᵀ holds four rows side by side: a lane loads four rows at each of the four k.
  const starts = range(Math.ceil(rows / (4 * lanes)), (i) => `row0 + 4u * (lane + ${i * lanes}u)`);
  return {
    ...operand('a', false, a.width === 4, starts, guardK),
    row: (r: number) => fourRows(r, lanes, 'a'),
  };
}

/** `b{j}`: the lane's column j at the four k; four columns per vector. */
function operandB(
  { transposeB, b }: MatmulForm,
  vectors: number,
  lanes: number,
  guardK: boolean,
): OperandLines {
  const starts = range(vectors, (v) => columnOf(4, lanes, v));
  if (transposeB) {
    const columns = starts.flatMap((start) => range(4, (c) => `${start} + ${c}u`));
    return operand('b', true, b.width === 4, columns, guardK);
  }
  const { before, loads } = operand('b', false, b.width === 4, starts, guardK);
  const transposed = range(4 * vectors, (j) => {
    const four = range(4, (u) => `b${Math.floor(j / 4)}_${u}[${j % 4}]`);
    return `let b${j} = vec4f(${four.join(', ')});`;
  });
  return { before, loads: [...loads, ...transposed] };
}

/** The longest k summed at once: 784 is common; a loop over blocks costs 5%, and a third of compile time. */
const BLOCK_K = 1024;

function broadcastMatmul(spec: MatmulSpec, tile: BroadcastTile, traits: AdapterTraits): Kernel {
  const lanes = traits.subgroupSize;
  const form = matmulForm(spec, traits);
  const guardK = !spec.padded && spec.k % 4 !== 0;
  const block = spec.k > BLOCK_K ? BLOCK_K : 0;
  const more = [tile, lanes, guardK, block, groupOf(spec.k, block)] as const;
  const wgsl = sharedSource(form, ['broadcast', ...more], () => broadcastSource(form, ...more));
  const structure = `broadcast${accessWords(form)}`;
  return matmulKernel(spec, form, broadcastTile(tile, lanes), structure, wgsl, traits);
}

/** Tiles, in rows and vectors of eight lanes, with their time per element relative to 32 × 1 on lavapipe. */
const TILES = [
  { rows: 32, vectors: 1, cost: 1 },
  { rows: 16, vectors: 1, cost: 1.2 },
  { rows: 8, vectors: 1, cost: 1.6 },
];
/** The same if both operands are read from textures: with other loads, wider tiles are too much code. */
const TILES_OF_TEXELS = [
  { rows: 32, vectors: 2, cost: 0.87 },
  { rows: 32, vectors: 1, cost: 1 },
  { rows: 16, vectors: 2, cost: 1.03 },
  { rows: 16, vectors: 1, cost: 1.14 },
  { rows: 8, vectors: 2, cost: 1.25 },
  { rows: 8, vectors: 1, cost: 1.38 },
];
/** Cores to keep busy. WebGPU does not tell; four tiles also spread evenly over two. */
const CORES = 4;
/** How much slower than the best guess a tile may be expected to be. */
const WORTH_TRYING = 1.3;

/** Kernels for software adapters, the best guess first. */
export const broadcastVariants = (spec: MatmulSpec, traits: AdapterTraits): Kernel[] =>
  broadcastTiles(spec, traits).map((tile) => broadcastMatmul(spec, tile, traits));

/** Tiles to choose from, first what should finish first when shared among the cores, and none far slower. */
function broadcastTiles(spec: MatmulSpec, traits: AdapterTraits): BroadcastTile[] {
  const { m, n, k, batch } = spec;
  const { a, b } = matmulForm(spec, traits);
  const lanes = traits.subgroupSize;
  const products = countOf(batch);
  if (isBrief(2 * products * m * n * k, lanes)) return [{ rows: 16, vectors: 1 }];
  const tiles = a.access === 'texels' && b.access === 'texels' ? TILES_OF_TEXELS : TILES;
  return tiles
    .filter(({ rows }) => rows >= lanes)
    .map((tile) => {
      const vectors = tile.vectors * Math.max(1, 8 / lanes);
      const count = products * Math.ceil(m / tile.rows) * Math.ceil(n / (vectors * lanes * 4));
      const time = Math.ceil(count / CORES) * tile.rows * tile.vectors * tile.cost;
      return { rows: tile.rows, vectors, time };
    })
    .sort((a, b) => a.time - b.time)
    .filter(({ time }, _, [best]) => time <= WORTH_TRYING * best!.time);
}
