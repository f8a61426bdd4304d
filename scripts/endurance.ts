/**
 * Kills a run at random moments, again and again, and compares its end with that of an undisturbed run:
 * `npm run endurance -- [--kills 50] [-- arguments of reproduce]`. See docs/results.md.
 */
import { spawn } from 'node:child_process';
import { existsSync, type FSWatcher, readFileSync, rmSync, watch } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { isTemporary, makeFolders, writeAtomically } from '../src/atomic-write.ts';
import { main } from '../src/cli/main.ts';
import { CollimateError } from '../src/errors.ts';
import { readAnalysis } from '../src/experiments/analysis-file.ts';
import { CONTROL } from '../src/experiments/reproduce.ts';
import { CONFIG } from '../src/experiments/run-folder.ts';
import { parseNumber, whole } from '../src/settings/row.ts';
import { differences, filesOf } from './run-differences.ts';

const PROGRAM = resolve(import.meta.dirname, '../src/cli/collimate.ts');
/** A network with momentum, a control and snapshots, so small that a run takes seconds. */
const TINY =
  'mnist-fc --preset smoke --depth 2 --width 16 --images 1200 --batch 16 --epochs 4 --samples 2 --snapshots 2'.split(
    ' ',
  );
/** Share of sessions that are not killed, so that runs also finish. */
const UNHARMED = 1 / 8;
/** Share of kills that wait for a file to be written. */
const WRITING = 1 / 3;
const START = 'start';
const REPORT = 'report';
const STATE = 'endurance.json';

const runPath = (root: string, { compared }: State) => join(root, `run-${compared + 1}`);

interface Kill {
  readonly run: number;
  /** Where the process was, and what it was writing just then. */
  readonly stage: string;
  readonly writing: readonly string[];
}

/** What is kept between portions. */
interface State {
  readonly command: readonly string[];
  /** Seconds of each undisturbed stage, in order. */
  readonly stages: Readonly<Record<string, number>>;
  readonly kills: readonly Kill[];
  /** Finished runs with the same bits. */
  readonly compared: number;
}

/** When a session began its stages, in ms, and how it ended. */
interface Session {
  readonly begun: Readonly<Record<string, number>>;
  readonly end: number;
  readonly killed: boolean;
}

/** When a session is killed: `delay` seconds into a stage or, if `writing`, at the next file it writes. */
interface Fate {
  readonly stage: string;
  readonly delay: number;
  readonly writing: boolean;
}

/** Runs `reproduce` in a folder until it is done, or dead. */
async function session(args: readonly string[], run: string, cache: string, fate?: Fate) {
  const env = { ...process.env, COLLIMATE_CACHE: cache };
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, 'reproduce', ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const begun: Record<string, number> = {};
  let timer: NodeJS.Timeout | undefined;
  const watchers: FSWatcher[] = [];
  const kill = () => child.kill('SIGKILL');
  const strike = () => {
    const folders = [run, join(run, CONTROL)].filter((folder) => existsSync(folder));
    if (!fate!.writing || folders.length === 0) kill();
    else
      watchers.push(
        ...folders.map((folder) => watch(folder, (_, name) => name && isTemporary(name) && kill())),
      );
  };
  const enter = (stage: string) => {
    begun[stage] = performance.now();
    if (fate?.stage === stage) timer = setTimeout(strike, 1000 * fate.delay);
  };
  enter(START);
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  createInterface(child.stdout).on('line', (line) => {
    const { event, stage, network } = JSON.parse(line) as Record<string, string>;
    if (event === 'stage') enter(`${stage} ${network}`);
  });
  const [status, signal] = await new Promise<[number | null, string | null]>((done) => {
    child.on('close', (...how) => done(how));
  });
  clearTimeout(timer);
  for (const watcher of watchers) watcher.close();
  if (status !== 0 && signal !== 'SIGKILL') {
    throw new CollimateError(
      `reproduce ${args.join(' ')} ended with ${status ?? signal}:\n${stderr.trimEnd()}`,
      'Look into the folder, which is left as it was.',
    );
  }
  return { begun, end: performance.now(), killed: signal === 'SIGKILL' } satisfies Session;
}

/** A number in [0, 1) from a seed and a place in its sequence (splitmix32: Steele, Lea & Flood, 2014). */
function random(seed: number, index: number): number {
  let z = (seed * 0x85ebca6b + (index + 1) * 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
}

/** Where a killed process was, from what it announced and the new files it left. */
function autopsy(
  run: string,
  { begun }: Session,
  before: readonly string[],
): Pick<Kill, 'stage' | 'writing'> {
  const last = Object.keys(begun).at(-1)!;
  const judged = last !== START && readAnalysis(run)?.claims !== undefined;
  const writing = filesBut(run, before).flatMap((file) => {
    const name = basename(file);
    return isTemporary(name)
      ? [name.replace(/^\.(\.lock|.+)(-[0-9a-f]{12})?\.[0-9a-f]{12}\.tmp$/, '$1')]
      : [];
  });
  return { stage: judged ? REPORT : last, writing };
}

/** The files of a run, if begun, without earlier ones. */
const filesBut = (run: string, before: readonly string[]): string[] =>
  existsSync(run) ? filesOf(run).filter((file) => !before.includes(file)) : [];

/** One more session of the current run, which ends in a kill or a comparison. */
async function advance(root: string, state: State, seed: number, finish: boolean): Promise<State> {
  const { command, stages, kills, compared } = state;
  const run = runPath(root, state);
  const names = Object.keys(stages);
  const mine = kills.filter((kill) => kill.run === compared + 1);
  const reached = Math.max(0, ...mine.map(({ stage }) => names.indexOf(stage)));
  const drawn = (i: number) => random(seed, 4 * kills.length + 1000 * compared + i);
  const open = [START, ...names.slice(Math.max(1, reached))];
  const stage = open[Math.floor(drawn(0) * open.length)]!;
  const fate: Fate = { stage, delay: drawn(1) * stages[stage]!, writing: drawn(2) < WRITING };
  const unharmed = finish || (mine.length > 0 && drawn(3) < UNHARMED);
  const begun = existsSync(join(run, CONFIG));
  const args = begun ? [command[0]!, '--resume', run] : [...command, '--out', run];
  const before = filesBut(run, []);
  const ended = await session(
    [...args, '--checkpoint-every', '0'],
    run,
    join(root, 'cache'),
    unharmed ? undefined : fate,
  );
  // How long stages that no earlier session began take now, as the machine may have other work.
  const fresh = Object.entries(durations(ended)).filter(
    ([name]) => name === START || names.indexOf(name) > reached,
  );
  const next = { ...state, stages: { ...stages, ...Object.fromEntries(fresh) } };
  if (ended.killed) {
    const kill = { run: compared + 1, ...autopsy(run, ended, before) };
    return { ...next, kills: [...kills, kill] };
  }
  const differ = differences(join(root, 'whole'), run);
  if (differ.length > 0) {
    throw new CollimateError(
      `${run}, which was killed ${mine.length} times, differs from ${join(root, 'whole')} in ${differ.join(', ')}`,
      'This is a bug in Collimate: please report it with both folders.',
    );
  }
  rmSync(run, { recursive: true });
  return { ...next, compared: compared + 1 };
}

/** The undisturbed run, and how long its stages take. */
async function begin(root: string, command: readonly string[]): Promise<State> {
  rmSync(join(root, 'whole'), { recursive: true, force: true });
  const run = join(root, 'whole');
  const ended = await session([...command, '--out', run], run, join(root, 'cache'));
  return { command, stages: durations(ended), kills: [], compared: 0 };
}

/** Seconds of the stages that a session finished. */
function durations({ begun, end, killed }: Session): Record<string, number> {
  const moments = [...Object.entries(begun), ...(killed ? [] : [['', end] as const])];
  return Object.fromEntries(
    moments.slice(0, -1).map(([name, at], i) => [name, (moments[i + 1]![1] - at) / 1000]),
  );
}

function table({ stages, kills }: State): string {
  const rows = [...Object.keys(stages), REPORT].map((stage) => {
    const here = kills.filter((kill) => kill.stage === stage);
    const files = here.flatMap(({ writing }) => writing);
    const counts = [...new Set(files)].map((name) => `${files.filter((f) => f === name).length} × ${name}`);
    return `| ${stage} | ${here.length} | ${counts.join(', ')} |`;
  });
  return ['| stage | kills | in the middle of writing |', '|---|---|---|', ...rows].join('\n');
}

/** Findings of earlier portions of these runs, if any. */
async function open(root: string, command: readonly string[]): Promise<State> {
  const file = join(root, STATE);
  if (!existsSync(file)) return keep(root, await begin(root, command));
  const state = JSON.parse(readFileSync(file, 'utf8')) as State;
  if (`${state.command}` === `${command}`) return state;
  throw new CollimateError(
    `${root} is about ${state.command.join(' ')}`,
    'Give another folder with `--out`.',
  );
}

function keep(root: string, state: State): State {
  writeAtomically(join(root, STATE), `${JSON.stringify(state, null, 2)}\n`);
  return state;
}

async function endure(): Promise<number> {
  const program = new Command('npm run endurance --')
    .description('Kills a run at random times, and compares its result with that of an undisturbed run.')
    .option('--kills <number>', 'total number of kills', '50')
    .option('--seed <number>', 'random seed of the times', '1')
    .option('--seconds <number>', 'stop after about this long; the same command continues')
    .option('--out <folder>', 'folder of the runs', 'results/endurance')
    .argument('[arguments...]', 'arguments of `npm run reproduce`, after another --')
    .option('--debug', 'print stack traces')
    .parse();
  const given = program.opts<{ kills: string; seed: string; seconds?: string; out: string }>();
  const number = (option: string, text: string) => parseNumber(option, text, whole(1, 1e6));
  const [kills, seed] = [number('--kills', given.kills), number('--seed', given.seed)];
  const until =
    performance.now() +
    1000 * (given.seconds ? number('--seconds', given.seconds) : Number.POSITIVE_INFINITY);
  const command = program.args.length > 0 ? program.args : TINY;

  makeFolders(given.out);
  let state = await open(given.out, command);
  const done = () => state.kills.length >= kills && !existsSync(runPath(given.out, state));
  while (!done() && performance.now() < until) {
    state = await advance(given.out, state, seed, state.kills.length >= kills);
    keep(given.out, state);
  }
  console.log(
    `${state.kills.length} of ${kills} kills, ${state.compared} runs brought to their end with the same bits\n`,
  );
  console.log(table(state));
  return 0;
}

if (process.argv[1] === import.meta.filename) await main(endure);
