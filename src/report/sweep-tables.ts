import type { Row } from '../analysis/measures/figure.ts';
import { type ShownName, shown, shownNames } from '../analysis/scalars.ts';
import { spreadOf } from '../analysis/statistics.ts';
import type { Scalars, SweepRecord, SweepRun } from '../experiments/sweep-file.ts';
import { groupBy } from '../lists.ts';
import { format, formatSpread } from '../number-format.ts';
import { valueInWords } from './axes.ts';
import type { Data } from './csv.ts';
import { type ColumnOf, type Table, tableOf } from './page.ts';
import { evidenceRow } from './verdicts.ts';

const networks = ['trained', 'initialization', 'control'] as const;

/** The runs of each cell, which differ in their seeds alone. */
const cellsOf = ({ axes, runs }: SweepRecord): SweepRun[][] => [
  ...groupBy(runs, ({ cell }) => JSON.stringify(axes.map(({ name }) => cell[name]))).values(),
];

/** Every number of a sweep except those of its figures. */
export function sweepData(record: SweepRecord): Data[] {
  const { axes, seeds, runs, claims } = record;
  const placeOf = ({ cell }: SweepRun): Row => Object.fromEntries(axes.map(({ name }) => [name, cell[name]]));
  return [
    { name: 'claims', rows: claims.map(evidenceRow) },
    {
      name: 'claim-seeds',
      rows: claims.flatMap(({ property, id, values }) =>
        values.map((value, i) => ({ property, id, seed: seeds[i], value })),
      ),
    },
    {
      name: 'runs',
      rows: runs.flatMap((run) => {
        const { id, seed, status, reason, seconds, validationAccuracy } = run;
        const own = { run: id, ...placeOf(run), seed, status, reason: reason ?? null, seconds };
        if (status !== 'done') return [{ ...own, network: null }];
        return networks.flatMap((network): Row[] => {
          const measured = run[network];
          if (!measured) return [];
          const accuracy = network === 'trained' ? validationAccuracy : null;
          return [{ ...own, network, validationAccuracy: accuracy, ...inOrder(measured) }];
        });
      }),
    },
    {
      name: 'run-claims',
      rows: runs.flatMap((run) =>
        run.claims.map((claim) => ({ run: run.id, ...placeOf(run), seed: run.seed, ...evidenceRow(claim) })),
      ),
    },
    {
      name: 'cells',
      rows: cellsOf(record).flatMap((same) =>
        networks.flatMap((network) =>
          shownNames.flatMap((measure): Row[] => {
            const values = same.flatMap((run) => run[network]?.[measure] ?? []);
            if (values.length === 0) return [];
            const { mean, std } = spreadOf(values);
            return [{ ...placeOf(same[0]!), network, measure, seeds: values.length, mean, std }];
          }),
        ),
      ),
    },
  ];
}

const inOrder = (measured: Scalars): Row =>
  Object.fromEntries(shownNames.flatMap((name) => (name in measured ? [[name, measured[name]]] : [])));

const bySeed: ColumnOf<readonly SweepRun[]> = [
  'Runs by seed',
  (runs) => ({ text: runs.flatMap((run, i) => [i > 0 ? ' ' : '', ofSeed(run)]) }),
];

export function cellTable(record: SweepRecord): Table {
  const drawn = new Set(record.figures.flatMap((f): readonly string[] => ('scalars' in f ? f.scalars : [])));
  const valuesOf = (runs: readonly SweepRun[], name: ShownName) =>
    runs.flatMap(({ trained }) => trained?.[name] ?? []);
  const names = shownNames.filter(
    (name) => (shown(name).glance || drawn.has(name)) && valuesOf(record.runs, name).length > 0,
  );
  const place = ({ cell }: SweepRun, name: string) =>
    cell[name] === undefined ? '—' : valueInWords(cell[name]);
  const columns: ColumnOf<readonly SweepRun[]>[] = [
    ...record.axes.map(
      ({ name, label }, i): ColumnOf<readonly SweepRun[]> => [
        label,
        ([run]) => ({ text: place(run!, name), strong: i === 0 }),
      ],
    ),
    ...(record.batched ? [] : [bySeed]),
    ...names.map((name): ColumnOf<readonly SweepRun[]> => {
      const whole = valuesOf(record.runs, name).every(Number.isInteger);
      const content = (runs: readonly SweepRun[]) => {
        const { mean, std } = spreadOf(valuesOf(runs, name));
        const small = runs.length > 1 && mean !== null && { small: `±\u00a0${formatSpread(std!, mean)}` };
        return { text: whole && Number.isInteger(mean) ? `${mean}` : format(mean), ...small };
      };
      return [shown(name).label, content, 'numeric'];
    }),
  ];
  return tableOf('Each cell: mean and standard deviation over seeds', columns, cellsOf(record));
}

const ofSeed = ({ id, seed, status }: SweepRun) =>
  status === 'done' ? { text: `${seed}`, to: `../../runs/${id}/report.html` } : `${seed}\u00a0(${status})`;
