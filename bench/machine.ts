import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { commit } from '../src/experiments/run-config.ts';
import type { BenchFile } from './result.ts';

/** What a result depends on besides the adapter. */
export function machineFacts(): Pick<BenchFile, 'machine' | 'node' | 'collimate'> {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return {
    collimate: { version, commit: commit() },
    node: process.versions.node,
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memory: totalmem(),
      platform: `${process.platform} ${process.arch}`,
    },
  };
}
