import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Analysis } from '../analysis/results.ts';
import { writeAtomically } from '../atomic-write.ts';
import { readAnalysis } from '../experiments/analysis-file.ts';
import type { SweepRecord, SweepRun } from '../experiments/sweep-results.ts';
import { sweepBlocks, sweepCourse } from './figures/sweep-lines.ts';
import { sweepScalars } from './figures/sweep-scalars.ts';
import type { Figure } from './parts.ts';
import { publish, type Write } from './publish.ts';
import { sweepPage } from './sweep-page.ts';

/** Draws the figures and the page of a sweep from its record and from the files of its runs, below a root such as `results`. */
export function writeSweepReport(root: string, record: SweepRecord): void {
  const folder = join(root, 'sweeps', `${record.name}.${record.preset}`);
  publish(writerTo(folder), sweepPage(record, sweepFigures(root, record)));
}

function sweepFigures(root: string, record: SweepRecord): Figure[] {
  // A run whose files are damaged has failed, and is not drawn.
  const analysisOf = ({ id, status }: SweepRun): Analysis | null =>
    (status === 'done' && readAnalysis(join(root, 'runs', id))) || null;
  return record.figures.flatMap((options) => {
    if (options.kind === 'scalars') return sweepScalars(record, options);
    if (options.kind === 'blocks') return sweepBlocks(record, options, analysisOf);
    return sweepCourse(record, options);
  });
}

/** Writes files below a folder, each as a whole or not at all. */
export const writerTo =
  (folder: string): Write =>
  (path, contents) => {
    const whole = join(folder, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeAtomically(whole, contents);
  };
