import type { AdapterTraits } from '../gpu/kernel.ts';
import { LINEAR_GROUP } from './grid.ts';
import { type MatmulSpec, matmulForm } from './matmul-problem.ts';
import {
  blocksOf,
  matrices,
  type TiledShape,
  tiledBytes,
  tiledSource,
  tiledThreads,
} from './matmul-tiled.ts';
import { declareOperand } from './operand.ts';

/** Most rows of a stripe, and most products for one workgroup alone: the time of a dispatch or two. */
const MOST = { rows: 256, products: 2 ** 20 };
const COLUMNS = 8;
const THREADS = 256;

/**
 * How a workgroup splits up a stripe of a product: all rows, which are needed together, by a few columns.
 * Undefined if too much for one, or not for GPUs. `perThread`: other bytes of workgroup memory per thread.
 */
export function stripesOf(
  { m, n, k, batch }: MatmulSpec,
  perThread: number,
  traits: AdapterTraits,
): TiledShape | undefined {
  const rows = 2 ** Math.max(5, Math.ceil(Math.log2(m)));
  if (traits.kind !== 'hardware' || batch.length > 0 || m < 2 || n < 2 * COLUMNS) return undefined;
  if (rows > MOST.rows || rows * COLUMNS * k > MOST.products) return undefined;
  const base = { rows, cols: COLUMNS, threadRows: 8, threadCols: 4 };
  const team = tiledThreads({ ...base, depth: 4, splits: 1 });
  for (const splits of [8, 4, 2, 1]) {
    for (const depth of [16, 8, 4]) {
      const shape = { ...base, depth, splits };
      const threads = splits * team;
      const bytes = tiledBytes(shape) + 4 * rows * COLUMNS + threads * perThread;
      const fits = bytes <= traits.maxWorkgroupStorageBytes && threads <= traits.maxWorkgroupInvocations;
      if (fits && threads <= THREADS && (splits === 1 || splits * depth <= k)) return shape;
    }
  }
  return undefined;
}

/** WGSL of row `r` of a shader's own column of the product. */
export const STRIPE_VALUE = `stripe[r * ${COLUMNS}u + local.x]`;

/**
 * The shader of a product in stripes, each followed by `finish`, in which `local` is a thread's column and
 * first row. `memory` declares everything but the operands; its uniforms `params` have `m`, `n` and `k`.
 */
export function stripesSource(
  spec: MatmulSpec,
  shape: TiledShape,
  memory: string,
  finish: string,
  traits: AdapterTraits,
): string {
  const form = matmulForm(spec, traits);
  const problem = matrices(form, spec.k, shape, 'params');
  const locate = `let col0 = (${LINEAR_GROUP}) * ${COLUMNS}u;
  let row0 = 0u;
  let atA = 0u;
  let atB = 0u;
  let place = 0u;
  let length = params.k;
  let lane = thread;
  let local = vec2u(lane % ${COLUMNS}u, lane / ${COLUMNS}u);`;
  return tiledSource(
    {
      ...problem,
      // In reductions' shaders, B names a type.
      memory: `${declareOperand(0, 'A', form.a)}
${declareOperand(1, 'B', form.b, 'right')}
${memory}
var<workgroup> stripe: array<f32, ${shape.rows * COLUMNS}>;
fn storeC(at: u32, row: u32, col: u32, v: vec4f, add: bool, last: bool) {
  let first = at + row * ${COLUMNS}u + col % ${COLUMNS}u;
  for (var c = 0u; c < 4u; c++) { stripe[first + c] = v[c] + select(0.0, stripe[first + c], add); }
}`,
      locate: () => locate,
      finish: `workgroupBarrier();\n  {\n  ${finish}\n  }`,
    },
    shape,
    blocksOf(spec.k, shape),
  );
}
