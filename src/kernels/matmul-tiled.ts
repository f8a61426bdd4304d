import { locateTile, type MatmulForm, matmulMemory, range } from './matmul-problem.ts';

/** Steps of k held in workgroup memory; with the largest tile this fills the 16 KiB every adapter has. */
const TILE_K = 32;

/** Steps of k summed before the sum is added to the total. */
const BLOCK_K = 256;

/**
 * The matrix product for GPUs: a workgroup computes `side` × `side` elements of C, a thread 4 × 4 of them.
 *
 * The workgroup moves through k in steps of {@link TILE_K}. Each step copies a slice of A and a slice of B to
 * workgroup memory in blocks of 4 k × 4 rows or columns, four `vec4f` loads each; both slices lie there with k
 * outermost, so that a thread reads its four rows and its four columns of one k as one `vec4f` each for 16
 * multiply-adds. Neighbouring threads copy neighbouring rows, which keeps their stores free of bank conflicts. Tested on software
 * adapters, where it is 10 times slower than the broadcasting variant; not yet timed on a GPU.
 *
 * @param side 32 (64 threads) or 64 (256 threads)
 */
export function tiledSource(form: MatmulForm, side: 32 | 64): string {
  const quads = side / 4;
  const threads = quads * quads;
  const blocks = quads * (TILE_K / 4);
  return `${matmulMemory(form)}
${loads(form)}

var<workgroup> sliceA: array<vec4f, ${TILE_K * quads}>;
var<workgroup> sliceB: array<vec4f, ${TILE_K * quads}>;

fn copyA(at: u32, row: u32, k: u32, to: u32) {
  ${copyBlock('A', 'row', form.transposeA, quads)}
}
fn copyB(at: u32, col: u32, k: u32, to: u32) {
  ${copyBlock('B', 'col', !form.transposeB, quads)}
}

@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  ${locateTile({ rows: side, cols: side })}
  let rowQuad = thread / ${quads}u;
  let colQuad = thread % ${quads}u;
  ${range(4, (r) => `var total${r} = vec4f();`).join(' ')}
  for (var start = 0u; start < s.k; start += ${BLOCK_K}u) {
    let end = min(start + ${BLOCK_K}u, s.k);
    ${range(4, (r) => `var sum${r} = vec4f();`).join(' ')}
    for (var k0 = start; k0 < end; k0 += ${TILE_K}u) {
      for (var block = thread; block < ${2 * blocks}u; block += ${threads}u) {
        let quad = block % ${quads}u;
        let k = block / ${quads}u % ${TILE_K / 4}u * 4u;
        let to = k * ${quads}u + quad;
        if (block < ${blocks}u) {
          copyA(atA, row0 + quad * 4u, k0 + k, to);
        } else {
          copyB(atB, col0 + quad * 4u, k0 + k, to);
        }
      }
      workgroupBarrier();
      for (var k = 0u; k < ${TILE_K}u; k++) {
        let a = sliceA[k * ${quads}u + rowQuad];
        let b = sliceB[k * ${quads}u + colQuad];
        ${range(4, (r) => `sum${r} = fma(vec4f(a[${r}]), b, sum${r});`).join('\n        ')}
      }
      workgroupBarrier();
    }
    ${range(4, (r) => `total${r} += sum${r};`).join(' ')}
  }
  ${range(4, (r) => `storeC(atC, row0 + rowQuad * 4u + ${r}u, col0 + colQuad * 4u, total${r}, false);`).join('\n  ')}
}
`;
}

/** Copies 4 k × 4 rows or columns of an operand to its slice, turning them where k is the contiguous axis. */
function copyBlock(operand: 'A' | 'B', x: string, across: boolean, quads: number): string {
  const loads = range(4, (i) =>
    across
      ? `let v${i} = load${operand}(at, ${x}, k + ${i}u);`
      : `let v${i} = load${operand}(at, ${x} + ${i}u, k);`,
  );
  const stores = range(4, (u) => {
    const value = across ? `v${u}` : `vec4f(${range(4, (i) => `v${i}[${u}]`).join(', ')})`;
    return `slice${operand}[to + ${u * quads}u] = ${value};`;
  });
  return [...loads, ...stores].join('\n  ');
}

/**
 * WGSL of `loadA(at, row, k)` and `loadB(at, col, k)`, which give four values of the matrix that starts at element `at`.
 * A load runs along the operand's rows as they lie in memory: the four k from `k` on where k is the contiguous
 * axis (A, Bᵀ), else the four rows or columns from the given one on (Aᵀ, B). Rows and columns beyond the end are
 * clamped to some that exist, as the results are never stored; k beyond the end gives zeros.
 */
function loads({ transposeA, transposeB, vecA, vecB }: MatmulForm): string {
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
  if (vec) return `${row}\n  return select(vec4f(), ${buffer}[(row0 + min(k, s.k - 4u)) >> 2u], k < s.k);`;
  const values = range(4, (u) => `select(0.0, ${buffer}[row0 + min(k + ${u}u, s.k - 1u)], k + ${u}u < s.k)`);
  return `${row}\n  return vec4f(${values.join(', ')});`;
}

/** Four neighbours from column `x` on in row `k` of a matrix `[k, X]`. */
function loadAcross(buffer: string, x: string, extent: string, vec: boolean): string {
  const row = `let row0 = at + min(k, s.k - 1u) * ${extent};`;
  const value = vec
    ? `${buffer}[(row0 + min(${x}, ${extent} - 4u)) >> 2u]`
    : `vec4f(${range(4, (c) => `${buffer}[row0 + min(${x} + ${c}u, ${extent} - 1u)]`).join(', ')})`;
  return `${row}\n  return select(vec4f(), ${value}, k < s.k);`;
}
