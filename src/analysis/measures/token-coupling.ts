import { meanOf } from '../statistics.ts';
import type { TokenPair } from '../token-pairs.ts';
import { coupling } from './alignment.ts';
import { DEAD_BELOW } from './dead-blocks.ts';
import { type Own, ofBlock, optional } from './field.ts';
import type { Scalar, StageAt } from './measure.ts';

export const title = 'Coupling across tokens';
export const about = `Of transformers, after Aubry et al. (*Transformer Block Coupling and its Correlation with Generalization in LLMs*, ICLR 2025).
J_st is the Jacobian of what a block adds to token t, by token s. Two of them, J₁ = U₁ S₁ V₁ᵀ and J₂ = U₂ S₂ V₂ᵀ, of one block, are
coupled where ‖U₂ᵀ J₁ V₂ − S₁‖_F / ‖S₁‖_F of the first K triples is small: 0 for shared singular vectors, about 1 for others. *Self*:
J_tt of two tokens. *Context*: J_st of two tokens s and one t, the token that other measures are of. With \`Absolute\`, entries of
U₂ᵀ J₁ V₂ lose their signs first, as in the authors’ program. Means are over ordered pairs of up to three tokens: that one, and those at
thirds of what it sees. Pairs with a Jacobian that is zero are left out: in an MLP by itself, all of context. Nothing of this is
there in networks without tokens, and where Jacobians are of all tokens at once.`;

const FIELDS = {
  selfCoupling: ['self', false],
  selfCouplingAbsolute: ['self', true],
  contextCoupling: ['context', false],
  contextCouplingAbsolute: ['context', true],
} as const;
type Name = keyof typeof FIELDS;

const words = (name: Name) =>
  `${FIELDS[name][0]} coupling across tokens${FIELDS[name][1] ? ', absolute' : ''}`;
const each = <T>(make: (name: Name) => T) =>
  Object.fromEntries(Object.keys(FIELDS).map((name) => [name, make(name as Name)])) as Record<Name, T>;

export const sample = each((name) =>
  optional(
    ofBlock(
      `mean ‖${FIELDS[name][1] ? '|U₂ᵀ J₁ V₂|' : 'U₂ᵀ J₁ V₂'} − S₁‖_F / ‖S₁‖_F over ${FIELDS[name][0]} pairs; \`null\` where there are none`,
      { label: words(name) },
    ),
  ),
);
type Measures = Own<typeof sample>;

export function at({ blocks, tokenPairs }: StageAt): Partial<Record<Name, (number | null)[]>> {
  if (tokenPairs.length === 0) return {};
  return each((name) =>
    blocks.map((_, block) => meanOf(tokenPairs.map((pair) => couplingOf(pair, block, name)))),
  );
}

function couplingOf(pair: TokenPair, block: number, name: Name): number | null {
  const [kind, absolute] = FIELDS[name];
  if (pair.kind !== kind) return null;
  const { matrix, s1, s2 } = pair.of(block);
  if (Math.min(s1[0]!, s2[0]!) <= DEAD_BELOW) return null;
  return coupling(absolute ? matrix.map(Math.abs) : matrix, s1);
}

export const scalars: Record<Name, Scalar<Measures>> = each((name) => ({
  label: words(name),
  what: `${words(name)}, mean over blocks`,
  from: ({ summary }) => meanOf((summary[name] ?? []).map(({ mean }) => mean)),
}));
