import type { Matrix } from '../../analysis/measures/figure.ts';
import type { NetworkInfo } from '../../analysis/network-info.ts';
import type { SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-file.ts';
import type { Observation } from '../csv.ts';
import type { Figure } from '../page.ts';
import { figure } from '../svg.ts';
import { matrixPanel, shades } from './matrix.ts';
import * as sweep from './sweep-axis.ts';

/** The matrices of a run, with the rows of their table; null where there are none. */
export type MatrixOf = (run: SweepRun) => {
  readonly matrix: Matrix;
  readonly network: Pick<NetworkInfo, 'depth' | 'stages'>;
  readonly rows: readonly Observation[];
} | null;

/** Matrices of single runs: of the first that has them at each value of an axis. */
export function sweepMatrices(
  record: SweepRecord,
  { file, title, caption, panels, label }: Extract<SweepFigure, { kind: 'matrices' }>,
  matrixOf: MatrixOf,
): Figure[] {
  const runs = sweep.runsAt(record);
  const found = sweep.axisOf(record, runs, panels).values.flatMap((value) => {
    const own = runs.flatMap((run) => {
      const of = sweep.valueAt(run, panels) === value && matrixOf(run);
      return of ? [{ ...of, value, place: sweep.placeOf(run, panels) }] : [];
    });
    return own.slice(0, 1);
  });
  if (found.length === 0) return [];
  const rows = found.flatMap(({ place, rows }) => rows.map((row) => ({ ...place, ...row })));
  return [
    figure(
      { file: `${file}.svg`, title, caption, data: [{ name: file, rows }] },
      sweep.inRows(found, ({ value, matrix, network }) =>
        matrixPanel(`${sweep.valueInWords(value)}, L = ${network.depth}`, matrix, network),
      ),
      { label, from: '0', to: '1', steps: shades },
    ),
  ];
}
