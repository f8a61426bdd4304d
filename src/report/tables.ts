import type { Row, Shown } from '../analysis/measures/figure.ts';
import { fold, namesOf } from '../analysis/measures/list.ts';
import { stagesOf } from '../analysis/network-info.ts';
import type { Measures } from '../analysis/results.ts';
import { scalar, scalarNames, series } from '../analysis/scalars.ts';
import { type Spread, spreadOf } from '../analysis/statistics.ts';
import { range } from '../lists.ts';
import type { Data } from './csv.ts';
import { networksOf, type ReportData, type RunData } from './data.ts';
import { evidenceRow } from './verdicts.ts';

type One = Shown<Measures>;

const withStd = (name: string, { mean, std }: Spread) => ({ [name]: mean, [`${name}Std`]: std });

const paths = namesOf('sample', 'path');
const pairs = namesOf('sample', 'pair');
const grids = namesOf('sample', 'grid');
/** A stage's spreads, further summaries, and what is gathered in it. */
const spread = [...paths, ...pairs];
const columns = Object.entries(fold('stageSummary'));
const apart = namesOf('gathered', 'stages');

/** Tables with a row per scalar, stage, block, sample or pair, and those of measures that have their own. */
const tables: Readonly<Record<string, (one: One) => readonly Row[]>> = {
  measures: ({ measures, network }) =>
    scalarNames.map((name) => {
      const { from, spread, what } = scalar(name);
      const std = spread?.(measures, network) ?? null;
      return { measure: name, value: from(measures, network), std, what };
    }),
  stages: ({ measures }) =>
    measures.summary.perStage.map((own, stage) => ({
      stage: stage + 1,
      ...Object.assign({}, ...spread.map((name) => name in own && withStd(name, own[name as 'line']))),
      ...Object.assign({}, ...columns.map(([name, { columns }]) => columns(own[name as never]))),
      ...Object.assign({}, ...apart.map((name) => measures[name as 'frobenius'][stage])),
    })),
  blocks: ({ measures, network }) => {
    const known = Object.entries(series).flatMap(([measure, { along, from }]) => {
      const values = along ? null : from(measures);
      return values ? [{ measure, values }] : [];
    });
    return stagesOf(network.stages).flatMap(({ stage, start, end }) =>
      range(end - start, start).flatMap((i) => {
        const block = { block: i + 1, name: network.stages[stage]!.blocks[i - start], stage: stage + 1 };
        return known.map(({ measure, values }) => ({ ...block, measure, ...values[i] }));
      }),
    );
  },
  samples: ({ measures: { samples } }) =>
    samples.map((sample) => ({
      ...{ sample: sample.index, label: sample.label, predicted: sample.predicted },
      ...Object.fromEntries(paths.map((name) => [name, sample[name as never]])),
    })),
  pairs: ({ measures: { samples }, network: { depth } }) =>
    range(depth).flatMap((i) =>
      range(depth).flatMap((j) => {
        const over = (name: string) =>
          spreadOf(
            samples.map((s): number | null => (s[name as never] as number[][] | undefined)?.[i]?.[j] ?? null),
          );
        const found = pairs.map((name) => ({ name, ...over(name) }));
        if (found.every(({ mean }) => mean === null)) return [];
        const means = found.map(({ name, ...own }) => withStd(name, own));
        const others = Object.fromEntries(grids.map((name) => [name, over(name).mean]));
        return [Object.assign({ jacobian: i + 1, basis: j + 1 }, ...means, others)];
      }),
    ),
  ...fold('tables'),
};

/** Every number in a run's figures and tables, and the samples' where those show means. */
export function runTables(data: ReportData): Data[] {
  const networks = networksOf(data);
  const ids = [
    { network: 'run', at: 'trained' },
    { network: 'run', at: 'initialization' },
    { network: 'control', at: 'trained' },
  ];
  return [
    { name: 'claims', rows: data.claims.map(evidenceRow) },
    { name: 'training', rows: trainingRows(data) },
    ...(data.run.course ? [{ name: 'course', rows: courseRows(data.run) }] : []),
    ...Object.entries(tables).map(([name, rowsOf]) => ({
      name,
      rows: networks.flatMap((one, i) => rowsOf(one).map((row) => ({ ...ids[i], ...row }))),
    })),
  ];
}

const trainingRows = ({ run, control }: ReportData): Row[] => [
  ...run.metrics.map((line) => ({ network: 'run', ...line })),
  ...(control?.metrics ?? []).map((line) => ({ network: 'control', ...line })),
];

export const courseRows = ({ course = [], analysis }: Pick<RunData, 'course' | 'analysis'>) =>
  course.flatMap((snapshot) =>
    scalarNames.map((measure) => ({
      ...{ epoch: snapshot.epoch, step: snapshot.step },
      ...{ measure, value: scalar(measure).from(snapshot, analysis.network) },
    })),
  );
