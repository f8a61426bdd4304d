import type { CellValue, SweepFigure, SweepRecord } from '../../experiments/sweep-results.ts';
import { accent } from '../colours.ts';
import type { Figure } from '../data.ts';
import { figure } from '../svg.ts';
import { type CoursePoint, coursePanels } from './course.ts';
import { runsAt, seriesColour, valueAt, valueInWords, valuesOf } from './sweep-axis.ts';
import { nothing } from './sweep-blocks.ts';

type Options = Extract<SweepFigure, { kind: 'course' }>;

/** Scalars over the epochs of runs with snapshots, a line a run. */
export function sweepCourse(record: SweepRecord, options: Options): Figure {
  const { series } = options;
  const runs = runsAt(record).filter((run) => run.course);
  const values = series === undefined ? [] : valuesOf(runs, series);
  const colour = (value: CellValue | null) =>
    value === null ? accent : seriesColour(values, values.indexOf(value));
  const points = options.scalars.flatMap((name) =>
    runs.flatMap((run) =>
      run.course!.map(({ epoch, scalars }): CoursePoint => {
        const line = (series && valueAt(run, series)) ?? null;
        const { id, seed } = run;
        return { name, run: id, seed, series: line, colour: colour(line), epoch, value: scalars[name] };
      }),
    ),
  );
  const label = record.axes.find((a) => a.name === series)?.label ?? series;
  return figure(
    {
      ...options,
      file: `${options.file}.svg`,
      data: [
        {
          name: options.file,
          rows: points.map(({ name, run, seed, series: line, epoch, value }) => ({
            ...{ measure: name, ...(series !== undefined && { [series]: line }), seed, run, epoch, value },
          })),
        },
      ],
    },
    runs.length > 0 ? coursePanels(options.scalars, points) : [[nothing()]],
    values.length > 0
      ? { items: values.map((value) => [`${label} ${valueInWords(value)}`, colour(value), 'line']) }
      : undefined,
  );
}
