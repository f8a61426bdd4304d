import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readRecord } from '../src/record.ts';
import { type BenchFile, benchFile } from './result.ts';

export function writeBenchFile(path: string, file: BenchFile): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`);
}

/** @throws CollimateError if it cannot be read, or is no such file or of another schema */
export const readBenchFile = (path: string): BenchFile =>
  readRecord(path, {
    schema: benchFile,
    remedy: 'Give a file that this version of `npm run bench` wrote, such as results/bench/<time>.json.',
  });
