/** One observation, by the names of columns; what is not there is an empty field. */
export type Observation = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** A table of `data/<name>.csv`. */
export interface Data {
  readonly name: string;
  readonly rows: readonly Observation[];
}

/** Comma-separated, as in RFC 4180, with the columns of all rows in the order in which they first appear; numbers with all their digits. */
export function csv(rows: readonly Observation[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [columns, ...rows.map((row) => columns.map((c) => row[c]))];
  return lines.map((line) => `${line.map(field).join(',')}\n`).join('');
}

const field = (value: Observation[string]): string => {
  const text = `${value ?? ''}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
