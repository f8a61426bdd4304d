import { type ScalarName, scalar, scalars } from '../analysis/scalars.ts';
import type { Scalars, SweepRecord, SweepRun } from '../experiments/sweep-results.ts';
import type { Data, Observation } from './csv.ts';
import { valueInWords } from './figures/sweep-axis.ts';
import { format, formatSpread, groupBy, spread } from './numbers.ts';
import type { Cell, Inline, Table } from './parts.ts';
import { evidenceRow } from './verdicts.ts';

const networks = ['trained', 'initialization', 'control'] as const;
const names = Object.keys(scalars) as ScalarName[];

/** Runs that differ in their seeds alone. */
interface CellOf {
  readonly runs: readonly SweepRun[];
}

const cellsOf = ({ axes, runs }: SweepRecord): CellOf[] =>
  [...groupBy(runs, ({ cell }) => JSON.stringify(axes.map(({ name }) => cell[name]))).values()].map(
    (same) => ({ runs: same }),
  );

/** Every number of a sweep but those of its figures. */
export function sweepData(record: SweepRecord): Data[] {
  const { axes, seeds, runs, claims } = record;
  const placeOf = ({ cell }: SweepRun): Observation =>
    Object.fromEntries(axes.map(({ name }) => [name, cell[name]]));
  return [
    {
      name: 'claims',
      rows: claims.map(evidenceRow),
    },
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
        return networks.flatMap((network): Observation[] => {
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
      rows: cellsOf(record).flatMap(({ runs: same }) =>
        networks.flatMap((network) =>
          names.flatMap((measure): Observation[] => {
            const values = same.flatMap((run) => run[network]?.[measure] ?? []);
            if (values.length === 0) return [];
            const { mean, std } = spread(values);
            return [{ ...placeOf(same[0]!), network, measure, seeds: values.length, mean, std }];
          }),
        ),
      ),
    },
  ];
}

const inOrder = (measured: Scalars): Observation =>
  Object.fromEntries(names.map((name) => [name, measured[name]]));

/** Measures that tell at a glance how a cell came out. */
const main: readonly ScalarName[] = [
  ...(['testAccuracy', 'line', 'stepCosine', 'stepCv', 'diagonalShare'] as const),
  ...(['leftRight', 'topEnergy', 'sigma1Last', 'deadBlocks'] as const),
];

/** A row for each place on the axes, with links to the pages of its runs. */
export function cellTable(record: SweepRecord): Table {
  const { axes } = record;
  const shown = [...main, ...mentioned(record).filter((name) => !main.includes(name))].filter((name) =>
    record.runs.some(({ trained }) => typeof trained?.[name] === 'number'),
  );
  return {
    kind: 'table',
    caption: 'What came out at each place on the axes, mean and standard deviation over seeds',
    columns: [
      ...axes.map(({ label }) => ({ label })),
      { label: 'Runs by seed' },
      ...shown.map((name) => ({ label: scalar(name).label, numeric: true })),
    ],
    groups: [
      {
        rows: cellsOf(record).map(({ runs }): Cell[] => [
          ...axes.map(({ name }, i): Cell => {
            const value = runs[0]!.cell[name];
            return { text: value === undefined ? '—' : valueInWords(value), strong: i === 0 };
          }),
          {
            text: runs.flatMap((run, i): Exclude<Inline, string>[number][] => [
              i > 0 ? ' ' : '',
              ofSeed(run),
            ]),
          },
          ...shown.map((name): Cell => {
            const { mean, std } = spread(runs.map(({ trained }) => trained?.[name]));
            return {
              text: wholes.has(name) && Number.isInteger(mean) ? `${mean}` : format(mean),
              ...(runs.length > 1 && mean !== null && { small: `±\u00a0${formatSpread(std!, mean)}` }),
            };
          }),
        ]),
      },
    ],
  };
}

const ofSeed = ({ id, seed, status }: SweepRun) =>
  status === 'done' ? { text: `${seed}`, to: `../../runs/${id}/report.html` } : `${seed}\u00a0(${status})`;

const wholes: ReadonlySet<ScalarName> = new Set(['numericalRank', 'deadBlocks']);

/** Measures that the figures show. */
const mentioned = ({ figures }: SweepRecord): ScalarName[] => {
  const shown = figures.flatMap((f): readonly string[] => (f.kind === 'blocks' ? [] : f.scalars));
  return names.filter((name) => shown.includes(name));
};
