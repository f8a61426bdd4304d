import * as v from 'valibot';
import { range } from '../../lists.ts';
import { format } from '../../number-format.ts';
import { measured } from '../../schema.ts';
import { stagesOf } from '../network-info.ts';
import { dot } from '../vectors.ts';
import { maybe, type Own, offDiagonal, ofPair, overSamples, perPair, type Values } from './field.ts';
import type { FigureSpec, Matrix, Row, Shown } from './figure.ts';
import { byKind, type Gatherer, over, type RunClaim, type Scalar, SHARE, type StageAt } from './measure.ts';
import { vectorErrorsAt } from './spectrum.ts';

export const title = 'Alignment across depth';
export const property = 'RA2';
/** Share of σ_{i,1} up to which the norm of A_ij counts as 0. */
const ROUNDING = 1e-5;
export const about = `A_ij = U_jᵀ J_i V_j, with the first K columns of U_j and V_j, is diagonal where the Jacobians of blocks i and j share
their singular vectors; of random K×K matrices the diagonal share is 1/K. What is of two blocks is \`null\` where these are of different
stages, or one of them is dead; so is the share where only rounding of J_i lies in the bases of block j (‖A_ij‖_F ≤ 1e-5·σ_{i,1}).

\`diagonalShareError\`, of A with the ε_k of block j (see [Certificates](results.md#certificates)): each A_kk moves by at most m_k = ε_k (‖what
stands beside it in its row‖ + ‖in its column‖) + ε_k² |A_kk|, and the share by √Σ(2 |A_kk| m_k + m_k²)² / ‖A‖_F², as these movements
have no common sign. What vectors gain of directions beyond the first K is left out. Where σ of block j lie close, within a group the vectors are a choice, and the share of a single pair can differ by
several hundredths between two right answers.`;

export const sample = {
  diagonalShare: ofPair('‖diag A_ij‖² / ‖A_ij‖_F², [i][j]'),
  diagonalShareError: perPair('what it may be off by, from residuals and gaps', maybe),
  coupling: ofPair(
    '‖A_ij − S_i‖_F / ‖S_i‖_F, [i][j] (Aubry et al., *Transformer Block Coupling*, ICLR 2025)',
  ),
  couplingAbsolute: ofPair('the same of |A_ij|, as their program has it'),
};
export const summary = {
  diagonalShareError: overSamples((s: Values<typeof sample>) => offDiagonal(s.diagonalShareError)),
};
const KEPT_TRIPLES = 32;
export const gathered = {
  alignment: perPair(
    `|A_ij| / σ_{i,1} averaged over samples, [i][j][K][K]: the paper’s figure. Of the first ${KEPT_TRIPLES} triples at most, and not in \`course.json\``,
    v.nullable(v.array(v.array(measured))),
  ),
};
type Measures = Own<typeof sample, typeof summary>;
type Drawn = Own<typeof sample, typeof summary, typeof gathered> & { readonly deadBlocks: readonly number[] };

export function at({ blocks, triples, coupling: matrix }: StageAt): Values<typeof sample> {
  const errors = blocks.map(vectorErrorsAt(triples));
  const pairs = blocks.map((own, i) =>
    blocks.map((other, j) => {
      if (own.dead || other.dead) return null;
      const a = matrix(i, j);
      const lost = dot(a, a) <= (ROUNDING * own.found[0]!) ** 2;
      return {
        share: lost ? null : diagonalShare(a, triples),
        error: lost ? null : diagonalShareError(a, triples, errors[j]!),
        coupling: coupling(a, Float64Array.from(own.sigma.slice(0, triples))),
        absolute: coupling(a.map(Math.abs), Float64Array.from(own.sigma.slice(0, triples))),
      };
    }),
  );
  const grid = (name: 'share' | 'error' | 'coupling' | 'absolute') =>
    pairs.map((row) => row.map((pair) => pair?.[name] ?? null));
  return {
    ...{ diagonalShare: grid('share'), diagonalShareError: grid('error') },
    ...{ coupling: grid('coupling'), couplingAbsolute: grid('absolute') },
  };
}

/** ‖diag A‖² / ‖A‖_F² of a K×K matrix; null for a zero matrix. */
export function diagonalShare(a: Float64Array, size: number): number | null {
  const whole = dot(a, a);
  if (!(whole > 0)) return null;
  let diagonal = 0;
  for (let k = 0; k < size; k++) diagonal += a[k * size + k]! ** 2;
  return diagonal / whole;
}

/** What the diagonal share of A_ij may be off by if block j's k-th vectors are off by `errors[k]`. */
export function diagonalShareError(a: Float64Array, size: number, errors: readonly number[]): number | null {
  const whole = dot(a, a);
  if (!(whole > 0)) return null;
  let squares = 0;
  for (let k = 0; k < size; k++) {
    const own = a[k * size + k]!;
    let [row, column] = [0, 0];
    for (let l = 0; l < size; l++) {
      if (l === k) continue;
      row += a[k * size + l]! ** 2;
      column += a[l * size + k]! ** 2;
    }
    const moved = errors[k]! * (Math.sqrt(row) + Math.sqrt(column)) + errors[k]! ** 2 * Math.abs(own);
    squares += (2 * Math.abs(own) * moved + moved ** 2) ** 2;
  }
  return Math.min(1, Math.sqrt(squares) / whole);
}

/** ‖A − diag(s)‖_F / ‖s‖; null if s is zero. */
export function coupling(a: Float64Array, s: Float64Array): number | null {
  const scale = dot(s, s);
  if (!(scale > 0)) return null;
  const size = s.length;
  const rest = a.reduce((sum, x, i) => sum + (x - (i % (size + 1) === 0 ? s[i % size]! : 0)) ** 2, 0);
  return Math.sqrt(rest / scale);
}

/** |A_ij| / σ_{i,1} averaged over the samples at which neither block is dead. */
export function gather(depth: number, triples: number): Gatherer {
  const size = Math.min(triples, KEPT_TRIPLES);
  const square = <T>(n: number, f: () => T) => range(n).map(() => range(n).map(f));
  const sums = square(depth, () => ({ samples: 0, sum: square(size, () => 0) }));
  return {
    add: ({ blocks, coupling: matrix }) =>
      sums.forEach((row, i) => {
        row.forEach((entry, j) => {
          if (blocks[i]!.dead || blocks[j]!.dead) return;
          const a = matrix(i, j);
          entry.samples++;
          entry.sum.forEach((line, p) => {
            for (let q = 0; q < size; q++) line[q]! += Math.abs(a[p * triples + q]!) / blocks[i]!.found[0]!;
          });
        });
      }),
    result: () => ({
      alignment: sums.map((row) =>
        row.map(({ samples, sum }) => (samples ? sum.map((line) => line.map((x) => x / samples)) : null)),
      ),
    }),
  };
}

/** The scalar that tells whether singular vectors align across depth. */
export const ALIGNMENT = 'diagonalShare';

const mean = over<Measures>;
export const scalars = {
  diagonalShare: {
    label: 'diagonal share',
    what: 'diagonal share of U_jᵀ J_i V_j, i ≠ j',
    domain: SHARE,
    ...{ glance: true, followed: true },
    ...mean((m) => m.summary.diagonalShare),
    uncertainty: (m) => m.summary.diagonalShareError.mean,
  },
  coupling: {
    label: 'coupling',
    what: 'coupling ‖A_ij − S_i‖ / ‖S_i‖, i ≠ j',
    ...mean((m) => m.summary.coupling),
  },
  couplingAbsolute: {
    label: 'coupling, absolute',
    what: 'coupling of |U_jᵀ J_i V_j|, i ≠ j',
    ...mean((m) => m.summary.couplingAbsolute),
  },
} satisfies Record<string, Scalar<Measures>>;

export const claims: RunClaim<keyof typeof scalars>[] = [
  {
    ...{ id: 'diagonal-share', title: 'singular vectors align across depth' },
    ...{ of: { scalar: 'diagonalShare' }, threshold: byKind(0.65, 0.45), blocks: 2 },
  },
  {
    ...{ id: 'control-diagonal-share', title: 'without skip connections vectors do not align', blocks: 2 },
    of: { scalar: 'diagonalShare', network: 'control' },
    // For random K×K matrices, it is 1/K.
    threshold: ({ triples }) => ({ atMost: 1 / triples + 0.1 }),
  },
];

/** Entries along a side of a figure: more could be neither seen nor sent. */
const SIDE = 160;
const BLOCKS = 16;

type Pairs = Drawn['alignment'];
/** The blocks, from 0, and the number of triples that a figure shows. */
function shownPairs(all: Pairs): { blocks: number[]; triples: number } {
  const depth = all.length;
  const count = Math.min(depth, BLOCKS);
  const blocks = range(count).map((n) => (count === 1 ? 0 : Math.round((n * (depth - 1)) / (count - 1))));
  const triples = all.flat().find((a) => a !== null)?.length ?? 1;
  return { blocks, triples: Math.max(1, Math.min(triples, Math.floor(SIDE / count))) };
}

export const tables = {
  alignment({ measures: { alignment } }: Pick<Shown<Pick<Drawn, 'alignment'>>, 'measures'>): Row[] {
    const { blocks, triples } = shownPairs(alignment);
    const first = <T>(list: readonly T[]) => list.slice(0, triples);
    return blocks.flatMap((i) =>
      blocks.flatMap((j) =>
        first(alignment[i]?.[j] ?? []).flatMap((row, k) =>
          first(row).map((value, l) => ({ jacobian: i + 1, basis: j + 1, row: k + 1, column: l + 1, value })),
        ),
      ),
    );
  },
};

/** The paper's figure of a network. */
export function alignmentMatrix(note: string, pairs: Pairs, stages: Matrix['stages']): Matrix {
  const { blocks, triples } = shownPairs(pairs);
  return { note, pairs, blocks, size: triples, stages };
}

export const figures: FigureSpec<Drawn>[] = [
  {
    file: 'ra2-alignment.svg',
    title: 'RA2 and RA3: Jacobians in each other’s singular bases',
    caption: (all) => {
      const [{ measures, network, triples }] = all as [Shown<Drawn>];
      const shown = shownPairs(measures.alignment);
      const some = [
        shown.blocks.length < network.depth &&
          `Of ${network.depth} blocks, ${shown.blocks.length} evenly spread ones are drawn.`,
        shown.triples < triples && `The first ${shown.triples} of ${triples} triples are drawn.`,
        all.some((m) => m.measures.deadBlocks.length > 0) &&
          'A crossed-out cell belongs to a dead block, J = 0.',
        network.stages.length > 1 &&
          'Blocks of different stages have vectors of different lengths: there is nothing to compare them by, and their cells stay empty.',
      ];
      return [
        'Row i, column j shows the matrix |Uⱼᵀ Jᵢ Vⱼ| over the leading singular vectors of block j, divided by the largest singular',
        'value of Jᵢ and averaged over samples. Cells i = j, framed, are diagonal by construction. Look for strong diagonals',
        'everywhere else: then the Jacobians of different blocks share their singular vectors. “Diagonal share” is the part of the',
        'squared entries on the diagonal, over i ≠ j.',
        ...some.filter(Boolean),
      ].join(' ');
    },
    data: ['alignment', 'measures'],
    panels: [
      {
        each: 'network',
        draw: ({ measures: { summary, alignment }, network }) =>
          alignmentMatrix(
            `diagonal share ${format(summary.diagonalShare.mean)}`,
            alignment,
            stagesOf(network.stages),
          ),
      },
    ],
    legend: { ramp: 'share', label: '|Uⱼᵀ Jᵢ Vⱼ| / σ₁(Jᵢ)' },
  },
];
