import { locateTile, type MatmulForm, matmulMemory, range, type Tile } from './matmul-problem.ts';

/** A tile of `rows` × `vectors` vectors of 4·lanes columns; every lane keeps 4·vectors columns of all rows. */
export interface BroadcastTile {
  /** Multiple of the number of lanes. */
  readonly rows: number;
  readonly vectors: number;
}

export function broadcastTile(tile: BroadcastTile, lanes: number): Tile {
  return { rows: tile.rows, cols: tile.vectors * lanes * 4 };
}

/** Rows that one turn of the store loop writes. */
const STORED_ROWS = 4;

/**
 * The matrix product for a CPU that poses as a GPU: one subgroup is one workgroup and runs as SIMD code on one core.
 *
 * There a load costs a branch per lane, workgroup memory is slow, and arithmetic is nearly free. So lanes run over
 * columns, each keeping a column of accumulators in registers; A is loaded one row a lane and handed round with
 * `subgroupBroadcast`; all loads are `vec4f` where the layout allows. Per four steps of k a tile of 32 × 32 costs 8
 * loads for 4096 multiply-adds. Accumulators are separate variables and the four products are added to them as one
 * sum, which also shortens the chain of roundings by four.
 *
 * @param guardK whether k is no multiple of four
 * @param block  k is summed in blocks of this length (a multiple of four), whose sums are added up in C; 0 if k is
 *               short enough to be summed at once
 */
export function broadcastSource(
  form: MatmulForm,
  tile: BroadcastTile,
  lanes: number,
  guardK: boolean,
  block: number,
): string {
  const { rows, vectors } = tile;
  const a = operandA(form, rows, lanes);
  const b = range(vectors, (v) => operandB(form, v, `col0 + 4u * (lane + ${v * lanes}u)`));
  const sums = range(rows, (r) => range(vectors, (v) => `c${r}_${v}`));
  const products = sums.flatMap((row, r) => [
    ...a.beforeRow(r),
    ...row.map((sum, v) => `${sum} += ${range(4, (u) => `${a.value(r, u)} * b${v}_${u}`).join(' + ')};`),
  ]);
  return `enable subgroups;
${matmulMemory(form, guardK)}

@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  ${locateTile(broadcastTile(tile, lanes))}
  ${block ? `for (var start = 0u; start < s.k; start += ${block}u)` : 'const start = 0u;'} {
    let end = ${block ? `min(start + ${block}u, s.k)` : 's.k'};
    ${sums.map((row) => row.map((sum) => `var ${sum} = vec4f();`).join(' ')).join('\n    ')}
    for (var k = start; k < end; k += 4u) {
      ${[...a.loads, ...b.flat(), ...products].join('\n      ')}
    }
    ${storeSums(sums, lanes)}
  }
}
`;
}

/** Loads of the tile's rows of A, and the WGSL for the value of row r at k + u in every lane. */
function operandA(form: MatmulForm, rows: number, lanes: number) {
  if (!form.transposeA) {
    return {
      loads: range(rows / lanes, (i) => `let a${i} = loadA(atA, row0 + lane + ${i * lanes}u, k);`),
      beforeRow: (r: number) => [`let r${r} = subgroupBroadcast(a${Math.floor(r / lanes)}, ${r % lanes}u);`],
      value: (r: number, u: number) => `r${r}[${u}]`,
    };
  }
  // Aᵀ holds four rows side by side: a lane loads four rows at each of the four k.
  const loads = Math.ceil(rows / (4 * lanes));
  return {
    loads: range(loads, (i) =>
      range(4, (u) => `let a${i}_${u} = loadA(atA, row0 + 4u * (lane + ${i * lanes}u), k + ${u}u);`).join(
        ' ',
      ),
    ),
    beforeRow: (r: number) => {
      const from = r / 4;
      if (r % 4 !== 0) return [];
      return range(
        4,
        (u) => `let r${r}_${u} = subgroupBroadcast(a${Math.floor(from / lanes)}_${u}, ${from % lanes}u);`,
      );
    },
    value: (r: number, u: number) => `r${r - (r % 4)}_${u}[${r % 4}]`,
  };
}

/** `b{v}_{u}`: the lane's four columns from `col` on, at k + u. */
function operandB(form: MatmulForm, v: number, col: string): string[] {
  if (!form.transposeB) return range(4, (u) => `let b${v}_${u} = loadB(atB, ${col}, k + ${u}u);`);
  return [
    ...range(4, (c) => `let col${v}_${c} = loadB(atB, ${col} + ${c}u, k);`),
    ...range(4, (u) => `let b${v}_${u} = vec4f(${range(4, (c) => `col${v}_${c}[${u}]`).join(', ')});`),
  ];
}

/**
 * Stores the sums, the first block's as they are, later ones' added to what is there. Each store is code for every
 * lane, and 32 of them took half of the compile time: so the loop stores a few rows and moves the others up.
 */
function storeSums(sums: string[][], lanes: number): string {
  const store = (sum: string, r: number, v: number) => {
    return `storeC(atC, row + ${r}u, col0 + 4u * (lane + ${v * lanes}u), ${sum}, start > 0u);`;
  };
  return `let rowEnd = min(row0 + ${sums.length}u, s.m);
    for (var row = row0; row < rowEnd; row += ${STORED_ROWS}u) {
      ${sums
        .slice(0, STORED_ROWS)
        .flatMap((row, r) => row.map((sum, v) => store(sum, r, v)))
        .join('\n      ')}
      ${sums
        .slice(STORED_ROWS)
        .map((row, r) => row.map((sum, v) => `c${r}_${v} = ${sum};`).join(' '))
        .join('\n      ')}
    }`;
}
