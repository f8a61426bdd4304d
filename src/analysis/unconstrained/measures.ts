import * as v from 'valibot';
import { finite, measured, whole } from '../../schema.ts';
import { diagonalShare } from '../measures/alignment.ts';
import { meanOf } from '../statistics.ts';

const agreementSchema = v.object({
  /** Least u_{i,k}·v_{i,k} over blocks and triples. */
  leftRight: v.nullable(measured),
  /**
   * Least overlap ‖U_iᵀU_j‖_F/√K over pairs of blocks i ≠ j, the root mean square cosine of the angles between the spaces of their
   * K leading left vectors: |u_i·u_j| for one. null where there is but one block.
   */
  left: v.nullable(measured),
  /** The same of right vectors. */
  right: v.nullable(measured),
});
/** How far the leading singular vectors of one model's blocks point the same way; 1 where they all do. */
export type Agreement = v.InferOutput<typeof agreementSchema>;

export const startMeasures = v.object({
  /** Mean cross-entropy over classes, in nats. */
  loss: finite,
  /** With the penalty. */
  objective: finite,
  /** The C + 1 leading singular values of each J_i (as many as there are), [L][C + 1]. */
  sigma: v.array(v.array(measured)),
  /** Of the first C − 1 triples. */
  top: agreementSchema,
  /** Of those triples with σ_k ≥ 1e-2·σ_1, of each block at most C − 1; of a pair, as many as both blocks have. */
  ranked: agreementSchema,
  /** σ_k ≥ 1e-2·σ_1, of each block, [L]. */
  numericalRank: v.array(whole()),
  /** Greatest σ_C/σ_1 over blocks: with two classes σ_2/σ_1. */
  rest: v.nullable(measured),
  /** (greatest − least)/mean of σ_1 over blocks. */
  spread: v.nullable(measured),
});
/** Measures of one model, from one start, at one moment. What compares singular vectors or values is null where a block is zero. */
export type StartMeasures = v.InferOutput<typeof startMeasures>;

/** All singular triples of every J_i of S models, float32: values [L, S, d], vectors as rows [L, S, d, d]. */
export interface Triples {
  readonly s: Float32Array;
  readonly u: Float32Array;
  readonly v: Float32Array;
}

export interface TripleSizes {
  readonly classes: number;
  readonly depth: number;
  readonly width: number;
  readonly starts: number;
}

const RANK_FROM = 1e-2;

/** What is measured of the model from start number `start`. */
export function measureStart(
  triples: Triples,
  sizes: TripleSizes,
  start: number,
): Omit<StartMeasures, 'loss' | 'objective'> {
  const { classes, depth } = sizes;
  const blocks = Array.from({ length: depth }, (_, i) => blockOf(triples, sizes, i, start));
  const first = blocks.map(({ s }) => s[0]!);
  const alive = first.every((s) => s > 0);
  const ranks = blocks.map(({ s }) => (s[0]! > 0 ? s.filter((x) => x >= RANK_FROM * s[0]!).length : 0));
  const mean = first.reduce((a, b) => a + b) / depth;
  return {
    sigma: blocks.map(({ s }) => [...s.subarray(0, classes + 1)]),
    top: agreement(
      blocks,
      blocks.map(() => classes - 1),
    ),
    ranked: agreement(
      blocks,
      ranks.map((rank) => Math.min(rank, classes - 1)),
    ),
    numericalRank: ranks,
    rest: alive ? Math.max(...blocks.map(({ s }) => (s[classes - 1] ?? 0) / s[0]!)) : null,
    spread: alive ? (Math.max(...first) - Math.min(...first)) / mean : null,
  };
}

interface Block {
  readonly s: Float32Array;
  readonly u: readonly Float32Array[];
  readonly v: readonly Float32Array[];
}

function blockOf({ s, u, v }: Triples, { width, starts }: TripleSizes, block: number, start: number): Block {
  const at = block * starts + start;
  const rows = (x: Float32Array) =>
    Array.from({ length: width }, (_, k) =>
      x.subarray((at * width + k) * width, (at * width + k + 1) * width),
    );
  return { s: s.subarray(at * width, (at + 1) * width), u: rows(u), v: rows(v) };
}

/** Of the first `counts[i]` triples of each block. */
function agreement(blocks: readonly Block[], counts: readonly number[]): Agreement {
  if (!blocks.every(({ s }, i) => s[0]! > 0 && counts[i]! > 0))
    return { leftRight: null, left: null, right: null };
  const own = blocks.flatMap(({ u, v }, i) => u.slice(0, counts[i]!).map((x, k) => dot(x, v[k]!)));
  const least = (side: 'u' | 'v') => {
    const pairs = blocks.flatMap((a, i) =>
      blocks.slice(0, i).map((b, j) => overlap(a[side], b[side], Math.min(counts[i]!, counts[j]!))),
    );
    return pairs.length > 0 ? Math.min(...pairs) : null;
  };
  return { leftRight: Math.min(...own), left: least('u'), right: least('v') };
}

function overlap(a: readonly Float32Array[], b: readonly Float32Array[], count: number): number {
  let sum = 0;
  for (const x of a.slice(0, count)) for (const y of b.slice(0, count)) sum += dot(x, y) ** 2;
  return Math.sqrt(sum / count);
}

/** In float64. */
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The paper's figure for one model, |U_jᵀ J_i V_j| / σ_{i,1} over the first C triples, and its mean diagonal share over i ≠ j. */
export function alignmentGrid(
  triples: Triples,
  sizes: TripleSizes,
  start: number,
): { alignment: number[][][][]; diagonalShare: number | null } {
  const count = sizes.classes;
  const blocks = Array.from({ length: sizes.depth }, (_, i) => blockOf(triples, sizes, i, start));
  const leading = (rows: readonly Float32Array[]) => rows.slice(0, count);
  const alignment = blocks.map(({ s, u, v }) =>
    blocks.map((basis) => {
      // J_i = Σ s_k u_k v_kᵀ.
      const left = leading(basis.u).map((x) => u.map((y) => dot(x, y)));
      const right = leading(basis.v).map((x) => v.map((y) => dot(x, y)));
      return left.map((a) =>
        right.map((b) => Math.abs(a.reduce((sum, x, k) => sum + x * s[k]! * b[k]!, 0)) / s[0]!),
      );
    }),
  );
  const shares = alignment.flatMap((row, i) =>
    row.flatMap((cell, j) => (i === j ? [] : [diagonalShare(Float64Array.from(cell.flat()), count)])),
  );
  return { alignment, diagonalShare: meanOf(shares) };
}
