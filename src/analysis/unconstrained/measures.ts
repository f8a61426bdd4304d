import * as v from 'valibot';
import { range } from '../../numbers.ts';
import { finite, measured, whole } from '../../schema.ts';
import { diagonalShare } from '../measures/alignment.ts';
import { COSINE, type Scalar } from '../measures/measure.ts';
import { meanOf } from '../statistics.ts';

const agreementSchema = v.object({
  /** Minimum u_{i,k}·v_{i,k} over blocks and triples. */
  leftRight: v.nullable(measured),
  /**
   * Minimum overlap ‖U_iᵀU_j‖_F/√K over pairs of blocks i ≠ j, the root mean square cosine of the angles between the spaces of
   * their K leading left vectors: |u_i·u_j| for one. Null where there is but one block.
   */
  left: v.nullable(measured),
  /** The same of right vectors. */
  right: v.nullable(measured),
});
/** How far the leading singular vectors of one model's blocks point the same way; 1 where they all do. */
type Agreement = v.InferOutput<typeof agreementSchema>;

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
  /** Maximum σ_C/σ_1 over blocks: with two classes σ_2/σ_1. */
  rest: v.nullable(measured),
  /** (maximum − minimum)/mean of σ_1 over blocks. */
  spread: v.nullable(measured),
});
/** Measures of one model, from one start, at one step. What compares singular vectors or values is null where a block is zero. */
export type StartMeasures = v.InferOutput<typeof startMeasures>;

/** What a model is and is compared with: the number of its classes, and the aligned solution (`AlignedOptimum`), if there is one. */
interface Model {
  readonly classes: number;
  readonly predicted: { readonly sigma: number; readonly objective: number } | null;
}
interface ModelScalar extends Pick<Scalar, 'label' | 'log' | 'domain' | 'glance'> {
  readonly from: (m: StartMeasures, model: Model) => number | null;
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
/** Over left and right vectors. */
const overlap = ({ left, right }: Agreement) =>
  left === null || right === null ? null : Math.min(left, right);

/** What claims, tables and figures speak of: numbers of one model, by their names in files. */
export const modelScalars = {
  objective: { label: 'objective', log: true, from: (m) => m.objective },
  loss: { label: 'cross-entropy', log: true, from: (m) => m.loss },
  excess: {
    label: 'objective over the aligned solution’s, less 1',
    from: ({ objective }, { predicted }) =>
      predicted && (objective - predicted.objective) / predicted.objective,
  },
  sigma1: { label: 'σ₁, mean over blocks', log: true, from: ({ sigma }) => mean(sigma.map(([s]) => s!)) },
  sigmaC: {
    ...{ label: 'σ_C, mean over blocks', log: true },
    from: ({ sigma }, { classes }) => mean(sigma.map((s) => s[classes - 1]!)),
  },
  alignedSigma: {
    ...{ label: 'σ of the aligned solution', log: true },
    from: (_, { predicted }) => predicted?.sigma ?? null,
  },
  sigmaError: {
    ...{ label: 'maximum |σ₁/σ − 1|', log: true },
    from: ({ sigma }, { predicted }) =>
      predicted && Math.max(...sigma.map(([s]) => Math.abs(s! / predicted.sigma - 1))),
  },
  rest: { label: 'maximum σ_C/σ₁', log: true, glance: true, from: (m) => m.rest },
  spread: { label: '(maximum − minimum)/mean of σ₁', log: true, from: (m) => m.spread },
  rank: { label: 'numerical rank, mean over blocks', from: (m) => mean(m.numericalRank) },
  topLeftRight: { label: 'minimum u·v of C − 1 triples', domain: COSINE, from: (m) => m.top.leftRight },
  topOverlap: { label: 'minimum overlap of C − 1 triples', domain: COSINE, from: (m) => overlap(m.top) },
  rankedLeftRight: { label: 'minimum u·v', domain: COSINE, glance: true, from: (m) => m.ranked.leftRight },
  rankedOverlap: { label: 'minimum overlap', domain: COSINE, glance: true, from: (m) => overlap(m.ranked) },
} satisfies Record<string, ModelScalar>;
export type ModelScalarName = keyof typeof modelScalars;

/** Every scalar of one model. */
export const modelScalarsOf = (m: StartMeasures, model: Model) =>
  Object.fromEntries(
    Object.entries<ModelScalar>(modelScalars).map(([name, { from }]) => [name, from(m, model)]),
  ) as Record<ModelScalarName, number | null>;

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
  const { classes } = sizes;
  const blocks = blocksOf(triples, sizes, start);
  const first = blocks.map(({ s }) => s[0]!);
  const alive = first.every((s) => s > 0);
  const ranks = blocks.map(({ s }) => (s[0]! > 0 ? s.filter((x) => x >= RANK_FROM * s[0]!).length : 0));
  return {
    sigma: blocks.map(({ s }) => [...s.subarray(0, classes + 1)]),
    top: agreement(blocks, () => classes - 1),
    ranked: agreement(blocks, (i) => Math.min(ranks[i]!, classes - 1)),
    numericalRank: ranks,
    rest: alive ? Math.max(...blocks.map(({ s }) => (s[classes - 1] ?? 0) / s[0]!)) : null,
    spread: alive ? (Math.max(...first) - Math.min(...first)) / mean(first) : null,
  };
}

interface Block {
  readonly s: Float32Array;
  readonly u: readonly Float32Array[];
  readonly v: readonly Float32Array[];
}

const blocksOf = ({ s, u, v }: Triples, { depth, width, starts }: TripleSizes, start: number): Block[] =>
  range(depth).map((i) => {
    const at = i * starts + start;
    const row = (x: Float32Array, k: number) => x.subarray(k * width, (k + 1) * width);
    const rows = (x: Float32Array) => range(width).map((k) => row(x, at * width + k));
    return { s: row(s, at), u: rows(u), v: rows(v) };
  });

/** Of the first `count` triples of each block. */
function agreement(blocks: readonly Block[], count: (block: number) => number): Agreement {
  if (!blocks.every(({ s }, i) => s[0]! > 0 && count(i) > 0))
    return { leftRight: null, left: null, right: null };
  const own = blocks.flatMap(({ u, v }, i) => u.slice(0, count(i)).map((x, k) => dot(x, v[k]!)));
  const across = (side: 'u' | 'v') => {
    const pairs = blocks.flatMap((a, i) =>
      blocks.slice(0, i).map((b, j) => cosine(a[side], b[side], Math.min(count(i), count(j)))),
    );
    return pairs.length > 0 ? Math.min(...pairs) : null;
  };
  return { leftRight: Math.min(...own), left: across('u'), right: across('v') };
}

/** ‖AᵀB‖_F/√K of the first K vectors. */
function cosine(a: readonly Float32Array[], b: readonly Float32Array[], count: number): number {
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
  const blocks = blocksOf(triples, sizes, start);
  const alignment = blocks.map(({ s, u, v }) =>
    blocks.map((basis) => {
      // J_i = Σ s_k u_k v_kᵀ.
      const left = basis.u.slice(0, count).map((x) => u.map((y) => dot(x, y)));
      const right = basis.v.slice(0, count).map((x) => v.map((y) => dot(x, y)));
      return left.map((a) =>
        right.map((b) => Math.abs(a.reduce((sum, x, k) => sum + x * s[k]! * b[k]!, 0)) / s[0]!),
      );
    }),
  );
  const shares = alignment.flatMap((row, i) =>
    row.flatMap((pair, j) => (i === j ? [] : [diagonalShare(Float64Array.from(pair.flat()), count)])),
  );
  return { alignment, diagonalShare: meanOf(shares) };
}
