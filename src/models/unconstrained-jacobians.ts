import {
  add,
  cast,
  equal,
  iota,
  matmul,
  mul,
  softmaxCrossEntropy,
  square,
  sum,
  where,
} from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { range } from '../lists.ts';

/** Options of an Unconstrained Jacobians Model; docs/theory.md defines it. */
export interface UnconstrainedOptions {
  /** Number C of classes, each with one input. */
  readonly classes: number;
  /** Number L of blocks. */
  readonly depth: number;
  /** Dimension d of representations, at least C. */
  readonly width: number;
  /** λ: the objective has λ/2 times the squared norm of all parameters. */
  readonly penalty: number;
  /** h ← h + J h; without it, h ← J h. */
  readonly skip: boolean;
}

/** The parameters of S models side by side: each J_i, [S, d, d], and W, [S, C, d]. */
export interface UnconstrainedParameters {
  readonly jacobians: readonly Tensor[];
  readonly classifier: Tensor;
}

/**
 * The Unconstrained Jacobians Model of Li & Papyan, as far as we know it, else ours: the Jacobians are
 * parameters. Class c's input is the c-th unit vector; h_{i+1} = (I + J_i) h_i for i = 1…L; logits are
 * W h_{L+1}. Returns two numbers per model, [S, 1, 1]: the mean cross-entropy, and that plus the penalty.
 * @example
 * const zeros = full(0, [1, 2, 2]);
 * const model = { classes: 2, depth: 1, width: 2, penalty: 0, skip: true };
 * unconstrainedObjective(model, { jacobians: [zeros], classifier: zeros }).loss; // [0.693147]
 */
export function unconstrainedObjective(
  { classes, width, penalty, skip }: UnconstrainedOptions,
  { jacobians, classifier }: UnconstrainedParameters,
): { loss: Tensor; objective: Tensor } {
  const inputs = where(equal(iota([classes, width], -2), iota([classes, width])), 1, 0);
  const outputs = jacobians.reduce((h, jacobian) => {
    const step = matmul(h, jacobian, { transposeB: true });
    return skip ? add(h, step) : step;
  }, inputs);
  const logits = matmul(outputs, classifier, { transposeB: true });
  const loss = softmaxCrossEntropy(logits, cast(iota([classes]), 'f32'));
  const norms = [classifier, ...jacobians].map((p) => sum(square(p), [-2, -1]));
  return { loss, objective: add(loss, mul(norms.reduce(add), penalty / 2)) };
}

/**
 * The best of all points with J_i = σP and W = ω(I − 11ᵀ/C)Eᵀ, P being the projection on the differences of
 * the inputs E; for two classes, the only global optimum (docs/theory.md). There ω² = σ(1 + σ), and σ solves
 *
 *     q(t) t = (C − 1) λ σ(1 + σ),   t = (1 + σ)^L √(σ(1 + σ)),   q(t) = (C − 1)/(e^t + C − 1),
 *
 * with t the margin between logits and q the probability of all wrong classes.
 * @example alignedOptimum({ classes: 2, depth: 4, penalty: 0.01 }).sigma // 0.603739
 */
export function alignedOptimum({
  classes,
  depth,
  penalty,
}: Pick<UnconstrainedOptions, 'classes' | 'depth' | 'penalty'>): { sigma: number; objective: number } {
  const others = classes - 1;
  const margin = (s: number) => (1 + s) ** depth * Math.sqrt(s * (1 + s));
  const wrong = (t: number) => others / (Math.exp(t) + others);
  /** Positive where the objective falls with σ; both sides divided by σ(1 + σ). */
  const pull = (s: number) => {
    const t = margin(s);
    return (wrong(t) * t) / (s * (1 + s)) - others * penalty;
  };
  const objectiveAt = (s: number) =>
    Math.log1p(others * Math.exp(-margin(s))) + (penalty / 2) * others * (depth * s * s + s * (1 + s));
  const roots = rootsOf(pull, 1e-9, 1e3);
  const best = roots.reduce((a, b) => (objectiveAt(b) < objectiveAt(a) ? b : a));
  return { sigma: best, objective: objectiveAt(best) };
}

const GRID = 4000;

/** Where f changes sign between neighbors of a geometric grid, to the last bit or so. */
function rootsOf(f: (x: number) => number, from: number, to: number): number[] {
  const isPositive = (x: number) => f(x) > 0;
  const at = (i: number) => from * (to / from) ** (i / GRID);
  return range(GRID).flatMap((i) => {
    let [low, high] = [at(i), at(i + 1)];
    const first = isPositive(low);
    if (isPositive(high) === first) return [];
    for (let n = 0; n < 60; n++) {
      const middle = (low + high) / 2;
      if (isPositive(middle) === first) low = middle;
      else high = middle;
    }
    return [(low + high) / 2];
  });
}
