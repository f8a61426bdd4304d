import * as v from 'valibot';
import { measured } from '../../schema.ts';
import { meanOf, spreadOf } from '../statistics.ts';

/** A number that may be undefined. */
export const maybe = v.nullable(v.number());
const maybes = v.array(maybe);
export const spread = v.object({ mean: maybe, std: maybe, min: maybe, max: maybe });
export const spreads = v.array(spread);

/** How long lists are. */
export interface Sizes {
  /** Blocks in all. */
  readonly depth: number;
  readonly stages: number;
  /** K. */
  readonly triples: number;
  readonly spectrum: number;
}

/**
 * How a field's parts, one per stage, become one. A `path` keeps each stage's number beside their mean, a
 * `stage` only the mean. `block`s and `list`s are joined end to end, `pair`s and `grid`s diagonally amid
 * nulls; `stages` stay apart; a `whole` is the network's. Paths, stages, blocks and pairs are summarized.
 */
export type Layout = 'path' | 'stage' | 'block' | 'list' | 'pair' | 'grid' | 'stages' | 'whole';

/** A field of `analysis.json`. */
export interface Field<L extends Layout = Layout, S extends v.GenericSchema = v.GenericSchema> {
  readonly layout: L;
  readonly schema: S;
  /** What it is: a cell of docs/measures.md. */
  readonly formula: string;
  /** Whether its lists have the lengths that the network implies. */
  fits(value: v.InferInput<S>, sizes: Sizes): boolean;
  readonly series?: Named;
}
/** What a number of each block is called. */
export interface Named {
  /** On an axis. */
  readonly label: string;
  /** Above a column in a terminal; without it there is none. */
  readonly short?: string;
  readonly log?: boolean;
}
export type Fields = Readonly<Record<string, Field>>;

const field = <const L extends Layout, S extends v.GenericSchema>(
  layout: L,
  formula: string,
  schema: S,
  fits: Field<L, S>['fits'] = () => true,
): Field<L, S> => ({ layout, formula, schema, fits });

const all = (length: number, lists: readonly (readonly unknown[])[]): boolean =>
  lists.every((list) => list.length === length);
const square = (grid: readonly (readonly unknown[])[], { depth }: Sizes): boolean =>
  grid.length === depth && all(depth, grid);

/** A number of a path through a stage. */
export const ofPath = (formula: string) => field('path', formula, maybe);
/** A number of a stage. */
export const ofStage = (formula: string) => field('stage', formula, maybe);
/** A number of each block, with what tables and axes call it. */
export const ofBlock = (formula: string, series: Named) => ({
  ...field('block', formula, maybes, (x, { depth }) => x.length === depth),
  series,
});
/** The same without a summary. */
export const perBlock = (formula: string) =>
  field('list', formula, v.array(measured), (x, { depth }) => x.length === depth);
/** Numbers of each block's leading triples, [L][K], or of its spectrum; `measured` if none is undefined. */
export const perTriple = <S extends v.GenericSchema>(
  formula: string,
  count: 'triples' | 'spectrum',
  item: S,
) =>
  field(
    'list',
    formula,
    v.array(v.array(item)),
    (x, sizes) => x.length === sizes.depth && all(sizes[count], x as unknown[][]),
  );
/** Where each point of each stage lies in a plane, [L + stages][2]. */
export const perPoint = (formula: string) =>
  field(
    'list',
    formula,
    v.array(v.tuple([measured, measured])),
    (x, { depth, stages }) => x.length === depth + stages,
  );
/** A number of each pair of blocks. */
export const ofPair = (formula: string) => field('pair', formula, v.array(maybes), square);
/** The same without a summary, or of other things than numbers. */
export const perPair = <S extends v.GenericSchema>(formula: string, item: S) =>
  field('grid', formula, v.array(v.array(item)), square as never);
/** What is said of each stage. */
export const perStage = <S extends v.GenericSchema>(formula: string, item: S) =>
  field('stages', formula, v.array(item), (x, { stages }) => x.length === stages);
/** What is said of the network. */
export const ofNetwork = <S extends v.GenericSchema>(
  formula: string,
  schema: S,
  fits?: Field<'whole', S>['fits'],
) => field('whole', formula, schema, fits);

/** A field that some networks lack. */
export const optional = <T extends { readonly schema: v.GenericSchema }>(
  given: T,
): Omit<T, 'schema'> & { readonly schema: v.ExactOptionalSchema<T['schema'], undefined> } => ({
  ...given,
  schema: v.exactOptional(given.schema as T['schema'], undefined),
});

/** A summary over samples that does not follow from a field's layout. */
export interface Summary<S extends v.GenericSchema = v.GenericSchema, T = never> {
  readonly schema: S;
  readonly over: 'network' | 'block' | 'length';
  readonly series?: Named;
  of(samples: readonly T[], depth: number): v.InferInput<S>;
}

/** The spread over samples of a number of each. */
export const overSamples = <T>(of: (sample: T) => number | null): Summary<typeof spread, T> => ({
  schema: spread,
  over: 'network',
  of: (samples) => spreadOf(samples.map(of)),
});
/** The same for a number of each block. */
export const overBlocks = <T>(
  series: Named,
  of: (sample: T, block: number) => number | null,
): Summary<typeof spreads, T> => ({
  series,
  schema: spreads,
  over: 'block',
  of: (samples, depth) => Array.from({ length: depth }, (_, i) => spreadOf(samples.map((s) => of(s, i)))),
});

/** Mean over i ≠ j of a grid's blocks from `start` to before `end`. */
export const offDiagonal = (
  grid: readonly (readonly (number | null)[])[],
  start = 0,
  end = grid.length,
): number | null =>
  meanOf(grid.slice(start, end).flatMap((row, i) => row.slice(start, end).filter((_, j) => i !== j)));

export type Of<F, L extends Layout> = { [K in keyof F as F[K] extends { layout: L } ? K : never]: F[K] };
export type Entries<F> = {
  [K in keyof F]: F[K] extends { schema: infer S extends v.GenericSchema } ? S : never;
};
/** Default summaries of fields: of the network, and of each stage. */
export type SummaryEntries<F> = Instead<F, 'path' | 'stage' | 'pair', typeof spread> &
  Instead<F, 'block', typeof spreads>;
/** One schema in place of those of fields with some layouts; optional where they are. */
export type Instead<F, L extends Layout, S extends v.GenericSchema> = {
  [K in keyof Of<F, L>]: Entries<F>[K & keyof F] extends v.ExactOptionalSchema<infer _, undefined>
    ? v.ExactOptionalSchema<S, undefined>
    : S;
};

type Infer<E> = E extends v.ObjectEntries ? v.InferOutput<v.ObjectSchema<E, undefined>> : never;
/** The values of fields, or of summaries. */
export type Values<F> = Infer<Entries<F>>;
/** A measure's own values: summaries of sample fields `F`, further summaries `X`, network fields `W`. */
export type Own<F = None, X = None, W = None> = Values<W> & {
  readonly summary: Infer<SummaryEntries<F>> & Values<X>;
};
export type None = Record<never, never>;
/** The samples beside them. */
export interface Sampled<F> {
  readonly samples: readonly (Values<F> & {
    /** Index into the training set. */
    readonly index: number;
    readonly label: number;
    readonly predicted: number;
  })[];
}
