import type { Fields, Layout, Summary } from './measures/field.ts';
import { offDiagonal } from './measures/field.ts';
import { fold, namesOf } from './measures/list.ts';
import type { StageSummary } from './measures/measure.ts';
import { stagesOf } from './network-info.ts';
import type { Measures, SampleMeasures } from './results.ts';
import { meanOf, spreadOf } from './statistics.ts';

const paths = namesOf('sample', 'path');
const pairs = namesOf('sample', 'pair');
const further = fold('summary') as unknown as Record<string, Summary<never, SampleMeasures>>;
const ofStages = fold('stageSummary') as unknown as Record<string, StageSummary<SampleMeasures>>;

type Part = Readonly<Record<string, never>>;
const joins: Readonly<Record<Exclude<Layout, 'whole'>, (parts: never[]) => unknown>> = {
  path: meanOf,
  stage: meanOf,
  block: (parts: unknown[][]) => parts.flat(),
  list: (parts: unknown[][]) => parts.flat(),
  pair: blockDiagonal,
  grid: blockDiagonal,
  stages: (parts) => parts,
};

/** Joins the stages' parts of fields, in order. */
export function joinStages(kind: 'sample' | 'gathered', stages: readonly object[]): object {
  const parts = stages as Part[];
  const joined = Object.entries(fold(kind) as Fields).flatMap(([name, { layout }]) =>
    layout === 'whole' || !(name in parts[0]!)
      ? []
      : [[name, joins[layout](parts.map((part) => part[name]!))]],
  );
  const perStage = kind === 'sample' && {
    perStage: parts.map((part) => Object.fromEntries(paths.map((name) => [name, part[name]]))),
  };
  return { ...Object.fromEntries(joined), ...perStage };
}

/** Square grids along the diagonal of one that is null elsewhere. */
function blockDiagonal<T>(grids: readonly (readonly (readonly T[])[])[]): (T | null)[][] {
  return grids.flatMap((grid, own) =>
    grid.map((row) =>
      grids.flatMap((other, s): (T | null)[] => (s === own ? [...row] : other.map(() => null))),
    ),
  );
}

/** Spreads over samples; grids over pairs of blocks are first averaged over i ≠ j within each sample. */
export function summarize(
  samples: readonly SampleMeasures[],
  stages: readonly { readonly blocks: readonly string[] }[],
): Measures['summary'] {
  const depth = stages.reduce((sum, { blocks }) => sum + blocks.length, 0);
  const blockNames = namesOf('sample', 'block').filter((name) => name in samples[0]!);
  const value = (sample: object, name: string) => (sample as Part)[name]!;
  const over = (pick: (s: SampleMeasures) => number | null) => spreadOf(samples.map(pick));
  const each = <T>(names: readonly string[], make: (name: string) => T) =>
    Object.fromEntries(names.map((name) => [name, make(name)]));
  const perStage = stagesOf(stages).map((range) => ({
    ...each(paths, (name) => over((s) => value(s.perStage[range.stage]!, name))),
    ...each(pairs, (name) => over((s) => offDiagonal(value(s, name), range.start, range.end))),
    ...each(Object.keys(ofStages), (name) => ofStages[name]!.of(samples, range)),
  }));
  return {
    ...each([...paths, ...namesOf('sample', 'stage')], (name) => over((s) => value(s, name))),
    ...each(pairs, (name) => over((s) => offDiagonal(value(s, name)))),
    ...each(blockNames, (name) => Array.from({ length: depth }, (_, i) => over((s) => value(s, name)[i]!))),
    ...each(Object.keys(further), (name) => further[name]!.of(samples, depth)),
    perStage,
  } as Measures['summary'];
}
