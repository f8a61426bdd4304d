import type * as Plot from '@observablehq/plot';
import type { Axis, Cell, CellValue, SweepRecord, SweepRun } from '../../experiments/sweep-results.ts';
import { blockColour, classColour } from '../colours.ts';
import { format, range } from '../numbers.ts';
import { panelWidth } from '../svg.ts';
import { axis, inside, logAxis } from './chart.ts';

/** Where runs lie along one axis of a sweep. */
export interface Places {
  readonly axis: Axis;
  /** All values, numbers in their order and words in that of the runs. */
  readonly values: readonly CellValue[];
  /** Place of a value on the plot's scale, before that scale's own transform. */
  readonly at: (value: CellValue) => number;
  readonly scale: Plot.ScaleOptions;
  /** Whether values are numbers on a logarithmic scale. */
  readonly log: boolean;
  /** Whether values are names, between which there is nothing. */
  readonly nominal: boolean;
}

const isNumber = (value: CellValue): value is number => typeof value === 'number';

export function placesOf({ axes }: SweepRecord, runs: readonly SweepRun[], name: string): Places {
  const found = axes.find((a) => a.name === name) ?? { name, label: name };
  const values = valuesOf(runs, name);
  const numbers = values.filter(isNumber);
  const labels = values.map(valueInWords);
  const nominal = name === 'seed' || numbers.length < values.length;
  const words = numbers.length < values.length || (found.log === true && numbers.some((v) => v <= 0));
  if (words || values.length < 2 || (!found.log && crowded(numbers))) {
    return {
      ...{ axis: found, values, log: false, nominal },
      at: (value) => values.indexOf(value),
      scale: {
        ...axis(found.label),
        domain: [-0.5, Math.max(values.length, 1) - 0.5],
        ticks: range(values.length),
        tickFormat: (i: number) => labels[i]!,
      },
    };
  }
  const [least, greatest] = [numbers[0]!, numbers.at(-1)!];
  const at = (value: CellValue) => value as number;
  if (found.log) {
    const room = (greatest / least) ** 0.06;
    const scale = {
      ...logAxis(found.label, [least / room, greatest * room], numbers),
      tickFormat: (_: number, i: number) => labels[i]!,
    };
    return { axis: found, values, at, scale, log: true, nominal };
  }
  const room = 0.06 * (greatest - least);
  const scale = {
    ...axis(found.label),
    domain: [least - room, greatest + room],
    ticks: [...numbers],
    tickFormat: (_: number, i: number) => labels[i]!,
  };
  return { axis: found, values, at, scale, log: false, nominal };
}

/**
 * Names as labels of an axis in a panel of a width: on several lines, or where a word is too long for that at an angle. `room` is
 * what they need below the axis beyond one line.
 */
export function fitNames(
  { scale, values, log }: Places,
  width: number,
): { scale: Plot.ScaleOptions; room: number } {
  const names = values.map(valueInWords);
  const letters = Math.floor(inside(width, 0)[0] / Math.max(1, values.length) / LETTER);
  const words = names.flatMap((name) => name.split(' '));
  if (log || names.every((n) => n.length <= letters)) return { scale, room: 0 };
  const steep = words.some((word) => word.length > letters);
  const lines = names.map((name) => wrapped(name, steep ? 16 : letters));
  const most = Math.max(...lines.map((l) => l.length));
  const longest = Math.max(...lines.flat().map((line) => line.length));
  const tickFormat = (_: number, i: number) => lines[i]!.join('\n');
  return steep
    ? { scale: { ...scale, tickFormat, tickRotate: -45 }, room: 0.7 * LETTER * longest }
    : { scale: { ...scale, tickFormat }, room: 12 * (most - 1) };
}

/** Pixels that a letter of an axis takes. */
const LETTER = 6.6;

function wrapped(text: string, letters: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= letters) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Whether numbers in order are too unevenly spread for their labels to have room. */
const crowded = (numbers: readonly number[]): boolean =>
  numbers.some((v, i) => i > 0 && v - numbers[i - 1]! < 0.05 * (numbers.at(-1)! - numbers[0]!));

/** Where a run lies on an axis; seeds are one that every sweep has. */
export const valueAt = ({ cell, seed }: SweepRun, name: string): CellValue | undefined =>
  cell[name] ?? (name === 'seed' ? seed : undefined);

/** The values of an axis that runs have. */
export function valuesOf(runs: readonly SweepRun[], name: string): CellValue[] {
  const values = [...new Set(runs.flatMap((run) => valueAt(run, name) ?? []))];
  return values.every(isNumber) ? values.sort((a, b) => a - b) : values;
}

export const valueInWords = (value: CellValue): string =>
  typeof value === 'string'
    ? value
    : Number.isInteger(value) || Math.abs(value) >= 1e-3
      ? String(+value.toPrecision(4))
      : format(value);

/** Runs that are done and lie where a figure looks. */
export const runsAt = ({ runs }: SweepRecord, where: Cell = {}): SweepRun[] =>
  runs.filter(
    ({ status, cell }) =>
      status === 'done' && Object.entries(where).every(([name, value]) => cell[name] === value),
  );

/** One colour a value of an axis: in order where they are numbers, else as different as can be. */
export const seriesColour = (values: readonly CellValue[], i: number): string =>
  values.length > 2 && values.every(isNumber)
    ? blockColour(i + 1, values.length)
    : classColour(i, Math.max(values.length, 2));

/** Panels in rows of two or three, and how wide each is. */
export function inRows<T>(panels: readonly T[]): { rows: T[][]; width: number } {
  const columns = panels.length === 2 || panels.length === 4 ? 2 : Math.min(3, panels.length);
  const rows = range(Math.ceil(panels.length / columns)).map((r) =>
    panels.slice(r * columns, (r + 1) * columns),
  );
  return { rows, width: columns < 3 ? 528 : panelWidth };
}
