import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CollimateError } from '../src/errors.ts';
import { type PeerCommand, PeerProcess, type Work } from './peer-client.ts';
import type { PeerTiming } from './result.ts';
import { statisticsOf } from './statistics.ts';

const folder = join(import.meta.dirname, '../peers');

/** Rounds, and how long a contestant's turn should last. */
const ROUNDS = 5;
const TURN_MS = 400;
const MAX_REPEATS = 20;
/** Milliseconds of all a contestant's turns: slow ones only take part in the first rounds. */
const ALL_TURNS_MS = 20_000;
/** How long work that a peer repeats in its turn should last. */
const ON_END_MS = 1000;

/** Measures `repeat` repetitions of the work, in milliseconds each. */
export type Contestant = (repeat: number) => Promise<readonly number[]>;

/**
 * Lets contestants take turns, so that whatever slows the machine slows all. Each first does the work once
 * to warm up and to see how long it takes; if very long, that is the measurement. One that throws is out,
 * and its error replaces its times.
 */
export async function takeTurns(contestants: readonly Contestant[]): Promise<(number[] | Error)[]> {
  const all = contestants.map((run) => ({ run, repeat: 1, rounds: ROUNDS, found: [] as number[] | Error }));
  for (let round = -1; round < ROUNDS; round++) {
    for (const one of all) {
      if (one.found instanceof Error || round >= one.rounds) continue;
      try {
        const start = performance.now();
        const samples = await one.run(one.repeat);
        const whole = performance.now() - start;
        if (round < 0) {
          one.repeat = Math.max(1, Math.min(MAX_REPEATS, Math.floor(TURN_MS / whole)));
          one.rounds = Math.min(ROUNDS, Math.floor(ALL_TURNS_MS / whole));
        }
        if (round >= 0 || one.rounds === 0) one.found.push(...samples);
      } catch (error) {
        one.found = error as Error;
      }
    }
  }
  return all.map(({ found }) => found);
}

/** The available peers, each in its own process, which waits while others are timed. */
export class Peers implements Disposable {
  readonly #running: readonly PeerProcess[];
  readonly #missing: readonly Missing[];

  constructor(running: readonly PeerProcess[], missing: readonly Missing[]) {
    this.#running = running;
    this.#missing = missing;
  }

  /** Starts peers by name, WebGPU ones on one adapter. `python` has PyTorch; default: the first with it. */
  static async start(adapter: string, python?: string, names: readonly string[] = peerNames): Promise<Peers> {
    const wanted = commands(adapter, python).filter(({ name }) => names.includes(name));
    const found = await Promise.all(
      wanted.map(async (command) => ({
        name: command.name,
        outcome: 'problem' in command ? command.problem : await PeerProcess.start(command),
      })),
    );
    return new Peers(
      found.flatMap(({ outcome }) => (typeof outcome === 'string' ? [] : [outcome])),
      found.flatMap(({ name, outcome }) => (typeof outcome === 'string' ? [{ name, problem: outcome }] : [])),
    );
  }

  /** One line for each peer: who takes part, and who does not and why. */
  get description(): string[] {
    return [
      ...this.#running.map(({ info: { name, version, device } }) => `${name} ${version} on ${device}`),
      ...this.#missing.map(({ name, problem }) => `${name} does not take part: ${problem}`),
    ];
  }

  /**
   * Times all peers and us in turns. `ours` does the work once and gives its milliseconds; `judge` says what
   * is wrong with a peer's check value. Quick peers repeat the work up to `maxTimes` times per measurement.
   */
  async beside(
    work: Work,
    ours: () => Promise<number>,
    judge: (check: number) => string | undefined = () => undefined,
    maxTimes = 1,
  ): Promise<PeerTiming[]> {
    const us: Contestant = async (repeat) => {
      const samples = [];
      for (let i = 0; i < repeat; i++) samples.push(await ours());
      return samples;
    };
    const them = this.#running.map((peer): Contestant => {
      let times = 1;
      return async (repeat) => {
        const answer = await peer.request(work, repeat, times);
        if ('unsupported' in answer) throw new Error(answer.unsupported);
        if ('error' in answer) throw new Error(answer.error);
        const wrong = judge(answer.check);
        if (wrong) throw new Error(wrong);
        times = Math.max(1, Math.min(maxTimes, Math.floor(ON_END_MS / Math.min(...answer.milliseconds))));
        return answer.milliseconds;
      };
    });
    const [own, ...others] = await takeTurns([us, ...them]);
    if (own instanceof Error) throw own;
    return others.map((found, i) => ({
      ...this.#running[i]!.info,
      ...(found instanceof Error
        ? { problem: found.message }
        : { milliseconds: statisticsOf(found), ours: statisticsOf(own!) }),
    }));
  }

  dispose(): void {
    for (const peer of this.#running) peer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

export const peerNames = ['jax-js', 'tfjs-webgpu', 'torch', 'torch-graph', 'torch-compile'] as const;

/** The peers in a comma-separated list. @throws CollimateError for an unknown one, such as a suite */
export function peersNamed(list: string): string[] {
  const names = list.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(peerNames as readonly string[]).includes(name));
  if (unknown === undefined) return names;
  throw new CollimateError(
    `--peers: there is no peer '${unknown}'`,
    `Name some of ${peerNames.join(', ')}, separated by commas, or none for all; suites come before --peers.`,
  );
}

type Missing = { readonly name: string; readonly problem: string };

function commands(adapter: string, python: string | undefined): (PeerCommand | Missing)[] {
  const node = (name: string, file: string): PeerCommand | Missing =>
    existsSync(join(folder, 'node_modules'))
      ? {
          name,
          command: process.execPath,
          args: ['--import', 'tsx', file, '--adapter', adapter],
          cwd: folder,
        }
      : { name, problem: 'its packages are not installed: npm ci --prefix peers' };
  const interpreter = python ?? ['python3', '/usr/bin/python3'].find(hasTorch);
  const torch = (name: string, ...mode: string[]): PeerCommand | Missing =>
    interpreter
      ? { name, command: interpreter, args: ['torch_peer.py', ...mode], cwd: folder }
      : { name, problem: 'python3 cannot import torch: name one that can with --python' };
  return [
    node('jax-js', 'jax-js.ts'),
    node('tfjs-webgpu', 'tfjs.ts'),
    torch('torch'),
    torch('torch-graph', 'graph'),
    torch('torch-compile', 'compile'),
  ];
}

function hasTorch(python: string): boolean {
  try {
    execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore', timeout: 60_000 });
    return true;
  } catch {
    return false;
  }
}
