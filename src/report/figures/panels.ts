import type { Mark, Row, Scale } from '../../analysis/measures/figure.ts';
import { type ShownName, shown } from '../../analysis/scalars.ts';
import { spreadOf } from '../../analysis/statistics.ts';
import { range } from '../../lists.ts';
import { defined, format } from '../../number-format.ts';
import { panelWidth } from '../svg.ts';
import type { Titled } from './draw.ts';

/** An observation of a run: a row of CSV, or one to be drawn with a `color`. */
export interface Seen extends Row {
  readonly value: number;
}

type Name = ShownName | 'validationAccuracy';
const facts = (name: Name) =>
  name === 'validationAccuracy' ? { label: 'validation accuracy', domain: [0, 1] as const } : shown(name);

export const scalarLabel = (name: Name): string => facts(name).label;

/** A scalar's vertical scale; a logarithmic one, if there is anything above zero. */
export function valueScale(name: Name, rows: readonly Seen[]): Scale {
  const { log = false, domain } = { log: false, ...facts(name) };
  return {
    label: '',
    within: domain,
    ...(log && rows.some(({ value }) => value > 0) && { type: 'log' }),
  };
}

/** A dot for each row; none where they would hide the lines. */
export const dots = (rows: readonly Row[], x: string, pen?: { fillOpacity: number; r: number }): Mark[] =>
  rows.length > 400
    ? []
    : [
        {
          mark: 'dot',
          rows,
          x,
          y: 'value',
          fill: 'color',
          fillOpacity: 0.85,
          r: rows.length > 40 ? 1.8 : 3,
          ...pen,
        },
      ];

/** A line for each run through its rows, and dots. */
export function runLines(all: readonly Row[], x: string, color: (row: Row) => string): Mark[] {
  const rows = all.map((row) => ({ ...row, color: color(row) }));
  const line = { mark: 'line', rows, x, y: 'value', z: 'run', stroke: 'color', strokeWidth: 1.6 } as const;
  return [line, ...dots(rows, x)];
}

/** Scalars over training, a panel each: one line per run. */
export function coursePanels(
  names: readonly ShownName[],
  all: readonly (Row & { readonly value: number | null })[],
  color: (row: Row) => string,
): Titled[] {
  const at = all.some((row) => 'step' in row && !('epoch' in row)) ? 'step' : 'epoch';
  const last = Math.max(1, ...all.map((row) => row[at] as number));
  const ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].filter((t) => t <= last);
  return names.map((name) => {
    const rows = all.filter((row): row is Seen => row.measure === name && defined(row.value));
    const end = spreadOf(rows.filter((row) => row[at] === last).map(({ value }) => value)).mean;
    return {
      title: scalarLabel(name),
      note: `at the end ${format(end)}`,
      height: 220,
      x: { label: `${at} (0: initialization)`, type: 'symlog', ticks },
      y: valueScale(name, rows),
      marks: runLines(rows, at, color),
    };
  });
}

/** Panels in rows of two or three. */
export function inRows<T extends Titled>(panels: readonly T[]): Titled[][] {
  const columns = panels.length === 2 || panels.length === 4 ? 2 : Math.min(3, panels.length);
  const wide = panels.map((one) => ({ width: columns < 3 ? 528 : panelWidth, ...one }));
  return range(Math.ceil(panels.length / columns)).map((r) => wide.slice(r * columns, (r + 1) * columns));
}
