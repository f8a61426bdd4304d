import * as Plot from '@observablehq/plot';
import type { Cell, CellValue } from '../../analysis/quantity.ts';
import type { SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-file.ts';
import { blockColor, classColor } from '../colors.ts';
import type { Observation } from '../csv.ts';
import { format, range } from '../numbers.ts';
import type { Figure } from '../page.ts';
import { figure, type LegendItem, type Panel, panelWidth } from '../svg.ts';
import { axis, inside } from './chart.ts';

export interface SweepAxis {
  readonly name: string;
  readonly label: string;
  /** All values: numbers in order, names as in the runs. */
  readonly values: readonly CellValue[];
  /** Names, with nothing between them; ordered values, evenly spaced; or numbers at their positions. */
  readonly kind: 'names' | 'ordered' | 'linear' | 'log' | 'symlog';
}

const isNumber = (value: CellValue): value is number => typeof value === 'number';

export function axisOf({ axes }: SweepRecord, runs: readonly SweepRun[], name: string): SweepAxis {
  const { label, log = false } = axes.find((a) => a.name === name) ?? { label: name };
  const values = valuesOf(runs, name);
  const numbers = values.filter(isNumber);
  const span = numbers.at(-1)! - numbers[0]!;
  // Too close for labels, or without a logarithm.
  const crowded = log ? numbers[0]! <= 0 : numbers.some((v, i) => i > 0 && v - numbers[i - 1]! < 0.05 * span);
  const kind =
    name === 'seed' || numbers.length < values.length
      ? 'names'
      : values.length < 2 || crowded
        ? 'ordered'
        : log
          ? 'log'
          : 'linear';
  return { name, label, values, kind };
}

/** Scale and ticks of an axis in a panel of that width, and the room that they need beyond one line. */
export function drawAxis({ label, values, kind }: SweepAxis, width: number) {
  const tickFormat = (value: CellValue) => valueInWords(value);
  const ticks = { ...axis(label), ticks: [...values], tickFormat };
  if (kind !== 'names' && kind !== 'ordered')
    return { scale: { type: kind, inset: 16 }, mark: Plot.axisX(ticks), room: 0 };
  const names = values.map(valueInWords);
  const letters = Math.floor(inside(width, 0)[0] / Math.max(1, values.length) / LETTER);
  const steep = names.some((name) => name.split(' ').some((word) => word.length > letters));
  const longest = Math.max(1, ...names.map((name) => name.length));
  const lines = Math.ceil(longest / letters);
  const mark = Plot.axisX({
    ...ticks,
    ...(steep ? { tickRotate: -45, lineWidth: 9 } : { lineWidth: (letters * LETTER) / FONT }),
  });
  const room = steep ? 0.7 * LETTER * Math.min(14, longest) : 12 * (lines - 1);
  return {
    scale: { type: 'band' as const, domain: [...values], paddingInner: 0.64, paddingOuter: 0.32 },
    mark,
    room,
  };
}

/** Pixels per letter of an axis, and its font's size. */
const [LETTER, FONT] = [6.6, 11.5];

/** A run's place on an axis; seeds are an axis of every sweep. */
export const valueAt = ({ cell, seed }: SweepRun, name: string): CellValue | undefined =>
  cell[name] ?? (name === 'seed' ? seed : undefined);

function valuesOf(runs: readonly SweepRun[], name: string): CellValue[] {
  const values = [...new Set(runs.flatMap((run) => valueAt(run, name) ?? []))];
  return values.every(isNumber) ? values.sort((a, b) => a - b) : values;
}

export const valueInWords = (value: CellValue): string =>
  typeof value === 'string'
    ? value
    : Number.isInteger(value) || Math.abs(value) >= 1e-3
      ? String(+value.toPrecision(4))
      : format(value);

/** The finished runs in a figure's part of the sweep. */
export const runsAt = ({ runs }: SweepRecord, where: Cell = {}): SweepRun[] =>
  runs.filter(
    ({ status, cell }) =>
      status === 'done' && Object.entries(where).every(([name, value]) => cell[name] === value),
  );

/** A run's observation, with its places on the axes: a row of CSV, and the data of marks. */
export interface Row {
  readonly run: string;
  readonly value: number;
  readonly [column: string]: CellValue;
}

/** The columns of a run's places. */
export const placeOf = (run: SweepRun, ...axes: string[]) => ({
  ...Object.fromEntries(axes.map((name) => [name, valueAt(run, name)!] as const)),
  ...{ seed: run.seed, run: run.id },
});

/** A figure of a sweep, with its rows; none if no run has any. */
export const sweepFigure = (
  { file, title, caption }: SweepFigure,
  rows: readonly Observation[],
  panels: Panel[][],
  items: LegendItem[],
): Figure[] =>
  rows.length > 0
    ? [figure({ file: `${file}.svg`, title, caption, data: [{ name: file, rows }] }, panels, { items })]
    : [];

/** A color per value: a scale for numbers, else as distinct as possible. */
export function colors(values: readonly CellValue[]): (value: CellValue) => string {
  const color = values.length > 2 && values.every(isNumber) ? blockColor : classColor;
  const first = color === blockColor ? 1 : 0;
  return (value) => color(values.indexOf(value) + first, Math.max(values.length, 2));
}

/** A panel for each item, in rows of two or three. */
export function inRows<T>(items: readonly T[], draw: (item: T, width: number) => Panel): Panel[][] {
  const columns = items.length === 2 || items.length === 4 ? 2 : Math.min(3, items.length);
  const panels = items.map((item) => draw(item, columns < 3 ? 528 : panelWidth));
  return range(Math.ceil(items.length / columns)).map((r) => panels.slice(r * columns, (r + 1) * columns));
}
