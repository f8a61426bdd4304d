import { existsSync, readFileSync } from 'node:fs';
import type * as v from 'valibot';
import { CollimateError, reading } from './errors.ts';
import { otherFormat } from './format.ts';
import { checked, isRecord } from './schema.ts';

/** How to read one kind of file. */
export interface RecordKind<S extends v.GenericSchema = v.GenericSchema> {
  /** A file's `schema`, such as `collimate/config@1`; none if files have no such field. */
  readonly format?: string;
  readonly schema: S;
  /** Fills in what early files of this format lack. */
  readonly complete?: (value: Record<string, unknown>) => unknown;
  /** What to do about a damaged file, and about one of an earlier format. */
  readonly remedy: string;
  readonly older?: string;
}

type Contents<K extends RecordKind> = v.InferInput<K['schema']>;

/** A JSON file's contents, checked. @throws CollimateError with the file, the place and what it expects */
export function readRecord<K extends RecordKind>(path: string, kind: K): Contents<K> {
  return checkRecord(readJson(path, kind.remedy), path, kind);
}

/** What a JSON file holds, unchecked. */
export const readJson = (path: string, remedy: string): unknown =>
  parseJson(readText(path, remedy), path, remedy);

/** What a file holds as text. */
export const readText = (path: string, remedy: string): string =>
  reading(path, remedy, () => readFileSync(path, 'utf8'));

function parseRecord<K extends RecordKind>(text: string, name: string, kind: K): Contents<K> {
  const value = parseJson(text, name, kind.remedy);
  return checkRecord(value, name, kind);
}

/** The same for parsed contents. */
export function checkRecord<K extends RecordKind>(value: unknown, name: string, kind: K): Contents<K> {
  const { format, schema, complete, remedy, older = remedy } = kind;
  if (format !== undefined && isRecord(value) && value.schema !== format) {
    throw otherFormat(name, value.schema, format, { older, other: remedy });
  }
  const whole = complete && isRecord(value) ? complete(value) : value;
  return checked(whole, schema, name, remedy) as Contents<K>;
}

/** The checked JSON lines of a file, without a torn last one; none if there is no file. */
export function readLines<K extends RecordKind>(path: string, kind: K): Contents<K>[] {
  if (!existsSync(path)) return [];
  const lines = readText(path, kind.remedy).split('\n');
  const last = lines.pop()!;
  return [...lines, ...(isJson(last) ? [last] : [])].map((line, i) =>
    parseRecord(line, `${path}, line ${i + 1}`, kind),
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The value of a JSON text. */
export function parseJson(text: string, name: string, remedy: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CollimateError(`${name} is not JSON: ${(cause as Error).message}`, remedy, { cause });
  }
}
