import { range } from '../lists.ts';
import type { Stage } from '../models/residual-network.ts';
import type { JacobianOptions } from './jacobian-programs.ts';
import type { JacobianTriples, residualJacobians } from './jacobians.ts';

/** Two Jacobians of a block: `self`, of two tokens each by itself; `context`, of one token by two. */
export interface TokenPair {
  readonly kind: 'self' | 'context';
  /** U₂ᵀ J₁ V₂ [K, K] with the K leading singular vectors of J₂, and the singular values of both. */
  of(block: number): Readonly<Record<'matrix' | 's1' | 's2', Float64Array>>;
}

/** The token that Jacobians are of, and tokens that it sees, at thirds of the way. */
function comparedTokens({ count, causal, to }: NonNullable<Stage['tokens']>): number[] {
  const last = causal ? to : count - 1;
  return [...new Set([to, Math.round(last / 3), Math.round((2 * last) / 3)])];
}

/**
 * All ordered pairs of a stage; none without tokens. `open` gives the Jacobians of another token of its
 * blocks at some samples; `known` are the triples of those that the stage's measures use.
 */
export async function tokenPairs(
  stage: Stage,
  open: (map: Stage) => ReturnType<typeof residualJacobians>,
  { columns, triples }: JacobianOptions,
  k: number,
  known: JacobianTriples,
): Promise<(sample: number) => TokenPair[]> {
  const { tokens } = stage;
  const [own, ...others] = tokens ? comparedTokens(tokens) : [];
  if (!tokens || others.length === 0) return () => [];
  const self = [own!, ...others].map((t) => ({ from: t, to: t }));
  const context = others.map((from) => ({ from, to: own! }));
  const maps = [...self, ...context].map((map) => ({ ...stage, tokens: { ...tokens, ...map } }));
  const found = own === tokens.from ? [known] : [];
  for (const map of maps.slice(found.length)) {
    using jacobians = open(map);
    found.push(await jacobians.triples());
  }
  const problems = known.s.length / columns;
  const kindOf = (m: number, p: number): TokenPair['kind'] | undefined => {
    if (Math.max(m, p) < self.length) return 'self';
    return [m, p].every((i) => i === 0 || i >= self.length) ? 'context' : undefined;
  };
  const pairs: ((sample: number) => TokenPair)[] = [];
  for (const [m, map] of maps.entries()) {
    const partners = range(maps.length).flatMap((p) => {
      const kind = m === p ? undefined : kindOf(m, p);
      return kind ? [{ p, kind }] : [];
    });
    const vectors = (side: 'u' | 'v') => {
      const each = known.u.length / problems;
      const kept = (k * each) / triples;
      const result = new Float32Array(problems * partners.length * kept);
      for (const [q, { p }] of partners.entries())
        for (let n = 0; n < problems; n++)
          result.set(found[p]![side].subarray(n * each, n * each + kept), (n * partners.length + q) * kept);
      return result;
    };
    using jacobians = open(map);
    const all = await jacobians.own(vectors('u'), vectors('v'));
    const width = k * partners.length;
    for (const [q, { p, kind }] of partners.entries())
      pairs.push((sample) => ({
        kind,
        of(block) {
          const problem = (block * problems) / stage.blocks.length + sample;
          const corner = problem * width ** 2 + q * k * (width + 1);
          const values = (i: number) =>
            Float64Array.from(found[i]!.s.subarray(problem * columns).subarray(0, k));
          const entry = (_: unknown, e: number) => all[corner + Math.floor(e / k) * width + (e % k)]!;
          return { matrix: Float64Array.from({ length: k ** 2 }, entry), s1: values(m), s2: values(p) };
        },
      }));
  }
  return (sample) => pairs.map((pair) => pair(sample));
}
