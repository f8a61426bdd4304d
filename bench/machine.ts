import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { BenchFile } from './result.ts';

/** What a result depends on beside the adapter. */
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

/** The commit that is checked out, with a plus where files differ from it; null where that is not known. */
function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== '';
    return git('rev-parse', '--short=12', 'HEAD').trim() + (changed ? '+' : '');
  } catch {
    return null;
  }
}
