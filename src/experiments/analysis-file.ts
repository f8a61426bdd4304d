import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ANALYSIS_FORMAT, type Analysis, analysis } from '../analysis/results.ts';
import { command } from '../command.ts';
import { ageOf } from '../format.ts';
import { checkRecord, readJson } from '../record.ts';
import { isRecord } from '../schema.ts';

export const ANALYSIS = 'analysis.json';
/** The file of a run that is written last. */
export const REPORT = 'report.html';

/** Whether a run has all its files. @throws CollimateError as {@link readAnalysis} */
export const isDone = (folder: string): boolean =>
  readAnalysis(folder)?.claims !== undefined && existsSync(join(folder, REPORT));

const remedy = `Remove the file: it is made again from the checkpoint by \`${command('reproduce', '… --resume')}\`.`;
const ANALYSIS_FILE = { format: ANALYSIS_FORMAT, schema: analysis, remedy } as const;

/**
 * The analysis in a run's folder; undefined if there is none, or an older version that must be redone from
 * the checkpoint.
 * @throws CollimateError if the file is damaged or was written by a newer version
 */
export function readAnalysis(folder: string): Analysis | undefined {
  const path = join(folder, ANALYSIS);
  if (!existsSync(path)) return undefined;
  const value = readJson(path, remedy);
  if (isRecord(value) && ageOf(value.schema, ANALYSIS_FORMAT) === 'older') return undefined;
  return checkRecord(value, path, ANALYSIS_FILE);
}
