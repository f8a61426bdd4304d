import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANALYSIS_FORMAT, type Analysis } from '../analysis/results.ts';
import { CollimateError } from '../errors.ts';
import { ageOf, otherFormat } from '../format.ts';

export const ANALYSIS = 'analysis.json';

/**
 * The analysis in a run's folder; undefined where there is none or one of an earlier version, which is to be made again from
 * the checkpoint.
 * @throws CollimateError if the file is damaged, or a newer version has written it
 */
export function readAnalysis(folder: string): Analysis | undefined {
  const path = join(folder, ANALYSIS);
  if (!existsSync(path)) return undefined;
  const again = 'Remove the file: it is made again from the checkpoint by `npm run reproduce -- … --resume`.';
  let analysis: Partial<Analysis>;
  try {
    analysis = JSON.parse(readFileSync(path, 'utf8')) as Partial<Analysis>;
  } catch (cause) {
    throw new CollimateError(`cannot read ${path}: ${(cause as Error).message}`, again, { cause });
  }
  switch (ageOf(analysis?.schema, ANALYSIS_FORMAT)) {
    case 'same':
      return analysis as Analysis;
    case 'older':
      return undefined;
    default:
      throw otherFormat(path, analysis?.schema, ANALYSIS_FORMAT, { older: again, other: again });
  }
}
