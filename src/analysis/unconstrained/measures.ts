import { range } from '../../lists.ts';
import { diagonalShare } from '../measures/alignment.ts';
import { COSINE, type Scalar } from '../measures/measure.ts';
import { meanOf } from '../statistics.ts';
import { dot } from '../vectors.ts';

/**
 * What claims, tables and figures refer to: numbers of one model, from one start, at one step. The aligned
 * solution is `alignedOptimum`'s; it needs skip connections. *Top*: a block's first C − 1 triples; *ranked*:
 * those with σ_k ≥ 1e-2·σ_1, as many as both blocks of a pair have. The overlap of two blocks,
 * ‖U_iᵀU_j‖_F/√K, is the root mean square cosine between their K vectors' spans. Null: a block is zero.
 */
export const modelScalars = {
  objective: { label: 'objective', log: true },
  loss: { label: 'cross-entropy', log: true },
  excess: { label: 'objective over the aligned solution’s, less 1' },
  sigma1: { label: 'σ₁, mean over blocks', log: true },
  sigmaC: { label: 'σ_C, mean over blocks', log: true },
  alignedSigma: { label: 'σ of the aligned solution', log: true },
  alignedObjective: { label: 'objective of the aligned solution', log: true },
  sigmaError: { label: 'maximum |σ₁/σ − 1|', log: true },
  rest: { label: 'maximum σ_C/σ₁', log: true, glance: true },
  spread: { label: '(maximum − minimum)/mean of σ₁', log: true },
  rank: { label: 'σₖ ≥ 0.01 σ₁, mean over blocks' },
  topLeftRight: { label: 'minimum u·v of C − 1 triples', domain: COSINE },
  topLeft: { label: 'minimum overlap of C − 1 left vectors', domain: COSINE },
  topRight: { label: 'minimum overlap of C − 1 right vectors', domain: COSINE },
  rankedLeftRight: { label: 'minimum u·v', domain: COSINE, glance: true },
  rankedLeft: { label: 'minimum overlap of left vectors', domain: COSINE },
  rankedRight: { label: 'minimum overlap of right vectors', domain: COSINE },
  topOverlap: { label: 'minimum overlap of C − 1 vectors, left or right', domain: COSINE },
  rankedOverlap: { label: 'minimum overlap, left or right', domain: COSINE, glance: true },
} satisfies Record<string, Pick<Scalar, 'label' | 'log' | 'domain' | 'glance'>>;
export type ModelScalarName = keyof typeof modelScalars;
export type ModelScalars = Readonly<Record<ModelScalarName, number | null>>;

/** Singular triples of every J_i of S models in float32: values [L, S, d], vectors as rows [L, S, d, d]. */
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

/** What is known about a model besides its triples. */
export interface ModelValues {
  readonly loss: number;
  readonly objective: number;
  readonly aligned: { readonly sigma: number; readonly objective: number } | null;
}

const RANK_FROM = 1e-2;
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;

/** Mean over blocks of the k-th singular value, from 0, of values [L, S, d]. */
export const meanSigma = (s: Float32Array, sizes: TripleSizes, start: number, k: number): number =>
  mean(range(sizes.depth).map((i) => s[(i * sizes.starts + start) * sizes.width + k]!));

/** Measures the model from start number `start`, as a whole and per block. */
export function measureStart(
  triples: Triples,
  sizes: TripleSizes,
  start: number,
  { loss, objective, aligned }: ModelValues,
) {
  const { classes } = sizes;
  const all = blocksOf(triples, sizes, start);
  const blocks = all.map(({ s }) => ({
    /** Number of σ_k ≥ 1e-2·σ_1. */
    rank: s[0]! > 0 ? s.filter((x) => x >= RANK_FROM * s[0]!).length : 0,
    /** The C + 1 leading singular values, or as many as there are. */
    sigma: [...s.subarray(0, classes + 1)],
  }));
  const first = all.map(({ s }) => s[0]!);
  const alive = first.every((s) => s > 0);
  const top = agreement(all, () => classes - 1);
  const ranked = agreement(all, (i) => Math.min(blocks[i]!.rank, classes - 1));
  const scalars: ModelScalars = {
    ...{ loss, objective },
    excess: aligned && (objective - aligned.objective) / aligned.objective,
    sigma1: meanSigma(triples.s, sizes, start, 0),
    sigmaC: meanSigma(triples.s, sizes, start, classes - 1),
    ...{ alignedSigma: aligned?.sigma ?? null, alignedObjective: aligned?.objective ?? null },
    sigmaError: aligned && Math.max(...first.map((s) => Math.abs(s / aligned.sigma - 1))),
    rest: alive ? Math.max(...all.map(({ s }) => s[classes - 1]! / s[0]!)) : null,
    spread: alive ? (Math.max(...first) - Math.min(...first)) / mean(first) : null,
    rank: mean(blocks.map(({ rank }) => rank)),
    ...{ topLeftRight: top.leftRight, topLeft: top.left, topRight: top.right, topOverlap: top.both },
    ...{ rankedLeftRight: ranked.leftRight, rankedLeft: ranked.left, rankedRight: ranked.right },
    rankedOverlap: ranked.both,
  };
  return { scalars, blocks };
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

/** Minima of u·v and of overlaps, over the first `count` triples of each block. */
function agreement(blocks: readonly Block[], count: (block: number) => number) {
  const none = { leftRight: null, left: null, right: null, both: null };
  if (!blocks.every(({ s }, i) => s[0]! > 0 && count(i) > 0)) return none;
  const own = blocks.flatMap(({ u, v }, i) => u.slice(0, count(i)).map((x, k) => dot(x, v[k]!)));
  const leftRight = Math.min(...own);
  if (blocks.length < 2) return { ...none, leftRight };
  const across = (side: 'u' | 'v') =>
    Math.min(
      ...blocks.flatMap((a, i) =>
        blocks.slice(0, i).map((b, j) => overlap(a[side], b[side], Math.min(count(i), count(j)))),
      ),
    );
  const [left, right] = [across('u'), across('v')];
  return { leftRight, left, right, both: Math.min(left, right) };
}

function overlap(a: readonly Float32Array[], b: readonly Float32Array[], count: number): number {
  let sum = 0;
  for (const x of a.slice(0, count)) for (const y of b.slice(0, count)) sum += dot(x, y) ** 2;
  return Math.sqrt(sum / count);
}

/** The paper's figure: |U_jᵀ J_i V_j| / σ_{i,1} for C triples, with its mean diagonal share over i ≠ j. */
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
