import { join, resolve } from 'node:path';
import { inject } from 'vitest';
import { bundle } from '../scripts/bundle.ts';

/** What tests start as processes of their own, again and again. */
const STARTED = [
  ...['collimate', 'worker', 'probe'].map((name) => `src/cli/${name}.ts`),
  'bench/main.ts',
  'scripts/explain.ts',
  'test/experiments/run-child.ts',
  'test/gpu/scenes.ts',
];

let bundled: ReturnType<typeof bundle> | undefined;

/** The words behind `node` that start a source: its bundle, made once for all tests of this process. */
export async function start(source: string): Promise<string[]> {
  bundled ??= bundle(STARTED, join(inject('scratch'), `bundle-${process.pid}`));
  const file = (await bundled).get(resolve(import.meta.dirname, '..', source));
  if (!file) throw new Error(`${source} is not among what tests start`);
  return ['--enable-source-maps', file];
}
