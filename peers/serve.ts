/**
 * What every peer process does: one JSON line when it is ready, then one JSON answer per JSON request on
 * stdin, until that ends. Nothing else goes to stdout. docs/peers.md has the protocol.
 */
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { Work as Asked, LayerWork } from '../bench/peer-client.ts';
import { CollimateError } from '../src/errors.ts';
import { infoOf } from '../src/gpu/adapter.ts';
import { findHostAdapter } from '../src/host/node-adapter.ts';

export type MatmulWork = Extract<Asked, { kind: 'matmul' }>;
export type StepWork = Extract<Asked, { kind: 'step' }> & {
  /** Replayed as a CUDA graph. */
  readonly graph?: boolean;
};
export type AnalysisWork = Extract<Asked, { kind: 'analysis' }>;
export type ConvWork = Extract<Asked, { kind: 'conv' }>;
export type { LayerWork };
export type Work = MatmulWork | ConvWork | LayerWork | StepWork | AnalysisWork;

/** Work that is ready to be timed. */
export interface Prepared {
  /** Does it once; resolves when done. */
  run(): Promise<unknown>;
  /** Does it once and returns a check value. */
  check(): Promise<number>;
}

export interface Peer {
  readonly name: string;
  readonly version: string;
  prepare(work: Work): Promise<Prepared>;
}

/** Work that the library has no way to do. */
export class Unsupported extends Error {}

/** Number of steps after which the loss shows whether gradients and momentum are right. */
export const CHECKED_STEPS = 3;

/** Milliseconds of a first run beyond which a second warm-up gains little. */
const LONG = 10_000;

/**
 * Runs a peer on the adapter that `--adapter` names, which it finds as `navigator.gpu`.
 * @param open loads the library; it is called once that is in place
 */
export async function serve(open: () => Promise<Peer>): Promise<void> {
  console.log = console.info = console.debug = console.error;
  const cache = new Map<string, { prepared: Prepared; check: number }>();
  try {
    const device = await provideAdapter();
    const { name, version, prepare } = await open();
    await print({ ready: { name, version, device } });
    for await (const line of createInterface({ input: process.stdin })) {
      if (line.trim()) await print(await answer(JSON.parse(line), prepare, cache));
    }
  } catch (error) {
    await print({ unavailable: reasonOf(error) });
  }
  // Dawn keeps a process alive for as long as anything refers to it.
  process.exit(0);
}

interface Request {
  readonly id: number;
  readonly work: Work;
  readonly repeat: number;
  /** How often the work is done on end for each of them; default: 1. */
  readonly times?: number;
}

async function answer(
  { id, work, repeat, times = 1 }: Request,
  prepare: Peer['prepare'],
  cache: Map<string, { prepared: Prepared; check: number }>,
): Promise<object> {
  try {
    const key = JSON.stringify(work);
    let known = cache.get(key);
    let first: number;
    if (known) {
      first = await time(known.prepared.run);
    } else {
      const prepared = await prepare(work);
      let check = Number.NaN;
      first = await time(async () => {
        check = await prepared.check();
      });
      known = { prepared, check };
      cache.set(key, known);
    }
    const { prepared, check } = known;
    if (first < LONG) await prepared.run();
    const onEnd = async () => {
      for (let i = 0; i < times; i++) await prepared.run();
    };
    const milliseconds: number[] = [];
    for (let i = 0; i < repeat; i++) milliseconds.push((await time(onEnd)) / times);
    return { id, milliseconds, check };
  } catch (error) {
    return error instanceof Unsupported ? { id, unsupported: error.message } : { id, error: reasonOf(error) };
  }
}

async function time(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/**
 * Puts the adapter where browser libraries look for it, and returns its name. lavapipe gets a thread per
 * core, its own default, which suits the peers better than the engine's choice.
 */
async function provideAdapter(): Promise<string> {
  const { adapter } = parseArgs({ options: { adapter: { type: 'string' } } }).values;
  const threads = process.env.LP_NUM_THREADS === undefined ? availableParallelism() : undefined;
  const found = await findHostAdapter(adapter, threads);
  const gpu = { requestAdapter: async () => found.adapter };
  const navigator = { gpu, userAgent: `Node.js/${process.versions.node}` };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  const { name, driver } = infoOf(found);
  return `${name}, ${driver}`;
}

/** What went wrong, and the remedy. */
function reasonOf(error: unknown): string {
  if (error instanceof CollimateError && error.remedy) return `${error.message}: ${error.remedy}`;
  if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') {
    return `${(error as Error).message}: run \`npm ci --prefix peers\``;
  }
  return error instanceof Error ? error.message : String(error);
}

const print = (message: object) =>
  new Promise<void>((done) => process.stdout.write(`${JSON.stringify(message)}\n`, () => done()));
