import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { makeFolders, writeAtomically } from '../atomic-write.ts';
import { cacheFolder } from '../cache-folder.ts';
import type { AdapterInfo } from '../gpu/adapter.ts';
import type { Kernel } from '../gpu/kernel.ts';
import { readRecord } from '../record.ts';
import { atLeast0 } from '../schema.ts';
import type { Choice, ChoiceStore } from '../tuner/tuner.ts';
import { version } from './home.ts';

const choice = v.object({
  variant: v.string(),
  problem: v.string(),
  /** Median time of each candidate; null for one that the adapter could not run. */
  microseconds: v.record(v.string(), v.nullable(atLeast0)),
  /** The candidates' {@link fingerprint}. */
  sources: v.string(),
});
/** Choices by adapter (see {@link adapterKey}) and class of problem. */
export type Choices = Record<string, Record<string, Choice>>;

const CHOICES_FILE = {
  format: 'collimate/kernels@2',
  schema: v.object({
    schema: v.string(),
    adapters: v.record(v.string(), v.record(v.string(), choice)),
  }),
  remedy: 'Remove the file.',
} as const;

/** Hashes variants and sources, to remeasure rewritten kernels; omits numbers, which differ in a class. */
function fingerprint(kernels: readonly Pick<Kernel, 'variant' | 'wgsl'>[]): string {
  const hash = createHash('sha256');
  for (const { variant, wgsl } of kernels) hash.update(`${variant}\0${wgsl.replaceAll(/\d+/g, '0')}\0`);
  return hash.digest('hex').slice(0, 16);
}

/** Where choices are kept by default: in `COLLIMATE_CACHE`, or the user's cache folder. */
export function choicesFile(): string {
  return join(cacheFolder(), 'kernels.json');
}

/** What a choice depends on besides the problem. */
function adapterKey({ name, driver, threads }: AdapterInfo): string {
  const pool = threads === undefined ? '' : `, ${threads} threads`;
  return `${name}, ${driver}${pool}, collimate ${version}`;
}

/** The choices in a file; none if it is missing, and none with a warning if it is unusable. */
export function readChoices(file: string): Choices {
  if (!existsSync(file)) return {};
  try {
    return readRecord(file, CHOICES_FILE).adapters;
  } catch (error) {
    console.error(`warning: ${file} is ignored and will be replaced: ${(error as Error).message}`);
    return {};
  }
}

/** Adds choices to what the file holds by now; without room or permission, warns and forgets them. */
function addChoices(file: string, adapter: string, classes: Readonly<Record<string, Choice>>): void {
  try {
    const known = readChoices(file);
    const adapters = { ...known, [adapter]: { ...known[adapter], ...classes } };
    makeFolders(dirname(file));
    writeAtomically(file, `${JSON.stringify({ schema: CHOICES_FILE.format, adapters }, null, 2)}\n`);
  } catch (error) {
    console.error(`warning: the choice of kernels is not kept: ${(error as Error).message}`);
  }
}

/** Choices of kernels in a file, which a tuner reads and adds to. Example: {@link Tuner} */
export const fileChoices = (file = choicesFile()): ChoiceStore => ({
  fingerprint,
  read: (adapter) => ({ ...readChoices(file)[adapterKey(adapter)] }),
  add: (adapter, classes) => addChoices(file, adapterKey(adapter), classes),
});
