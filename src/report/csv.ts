import type { Row } from '../analysis/measures/figure.ts';

/** A table of `data/<name>.csv`. */
export interface Data {
  readonly name: string;
  readonly rows: readonly Row[];
}

/** CSV as in RFC 4180: the columns of all rows, in order of first appearance; numbers with all digits. */
export function csv(rows: readonly Row[]): string {
  const columns = new Set<string>();
  for (const row of rows) for (const name in row) columns.add(name);
  const names = [...columns];
  const lines = rows.map((row) => names.map((name) => field(row[name])).join(','));
  return `${[names.map(field).join(','), ...lines].join('\n')}\n`;
}

const field = (value: Row[string]): string => {
  if (typeof value === 'number') return String(value);
  const text = `${value ?? ''}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
