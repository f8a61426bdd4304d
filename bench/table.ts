import type { Check, Row } from './result.ts';
import type { Roofline } from './roofline.ts';

/** Columns of minimal width, two spaces apart, the first aligned left and all others right. */
export function renderTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]!.length)));
  return [heads, ...rows].map((row) => line(row, widths)).join('\n');
}

const line = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
    .join('  ')
    .trimEnd();

/** Three digits and the unit that fits. */
export function formatTime(milliseconds: number): string {
  const [value, unit] =
    milliseconds >= 1000
      ? [milliseconds / 1000, 's']
      : milliseconds >= 1 || milliseconds === 0
        ? [milliseconds, 'ms']
        : [milliseconds * 1000, 'µs'];
  return `${digits(value)} ${unit}`;
}

/** Three digits, or all before the point if there are more. */
export const digits = (x: number): string =>
  Math.abs(x) >= 100 || x === 0 ? x.toFixed(0) : String(Number(x.toPrecision(3)));

/** In billions a second. */
export const rateText = (amount: number, milliseconds: number): string =>
  amount ? digits(amount / milliseconds / 1e6) : '–';

/** A row's cells under {@link heads}, except the last, which is text of any length. */
export function cellsOf(row: Row): string[] {
  const { name, size, milliseconds: t, clock, share } = row;
  const timed = t ? [formatTime(t.median), `${formatTime(t.p25)} – ${formatTime(t.p75)}`] : ['error', '–'];
  const rates = t ? [rateText(row.flops, t.median), rateText(row.bytes, t.median)] : ['–', '–'];
  return [name, size, ...timed, ...rates, share === null ? '–' : `${(100 * share).toFixed(0)}%`, clock];
}

export const heads = ['', 'size', 'time', 'quartiles', 'GFLOPS', 'GB/s', 'roofline', 'clock'] as const;

/** Widths that fit the rows of a suite yet to be measured. */
const widths = [27, 20, 8, 19, 6, 6, 8, 5];

export const headLine = (): string => line(heads, widths);
export const rowLine = (row: Row): string =>
  `${line(cellsOf(row), widths)}  ${remarks(row).join('; ')}`.trimEnd();

/** What a row says besides its numbers. */
export function remarks({ error, variant, figures, peers }: Row): string[] {
  return [
    ...(error ? [`error: ${error}`] : []),
    ...(variant ? [variant] : []),
    ...Object.entries(figures ?? {}).map(([name, value]) => `${name} ${figureText(name, value)}`),
    ...(peers ?? []).map(({ name, milliseconds, ours, problem }) =>
      milliseconds && ours ? ratioText(name, milliseconds.median / ours.median) : `${name}: ${problem}`,
    ),
  ];
}

/** The check nearest to failing, of those with a tolerance; empty if none. Files have null for NaN. */
export function checkText(rows: readonly Row[]): string {
  const checks = rows.flatMap(({ check }) => (check?.tolerance ? [check] : []));
  if (checks.length === 0) return '';
  const load = ({ error, tolerance }: Check) => (Number.isFinite(error) ? error / tolerance : Infinity);
  const { error, relativeTo, tolerance } = checks.reduce((a, b) => (load(b) > load(a) ? b : a));
  return `Error against float64: ${(error ?? NaN).toExponential(1)} of ${relativeTo}; ${tolerance} is allowed.`;
}

const figureText = (name: string, value: number): string =>
  name.endsWith('share') ? `${(100 * value).toFixed(1)}%` : digits(value);

/** How many times our time a peer takes. */
export const ratioText = (name: string, ratio: number): string => `×${digits(ratio)} ${name}`;

export const rooflineText = ({ gflops, gbps, arithmetic, copy }: Roofline): string =>
  `Ceilings on all cores: ${digits(gflops)} GFLOPS in registers (${arithmetic}), ${digits(gbps)} GB/s in a copy (${copy}).`;
