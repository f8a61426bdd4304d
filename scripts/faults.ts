/**
 * Lets each file operation of a small run and of a small sweep fail, one a session, and each submit lose the device: then goes on as
 * the command says, and compares with what was left alone. `npm run faults -- --help`; results stand in docs/testing.md.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { makeFolders } from '../src/atomic-write.ts';
import { main } from '../src/cli/main.ts';
import { parseNumber } from '../src/experiments/settings.ts';
import { type Counted, type Fault, isWrite, type Kind, VARIABLE } from './faults/inject.ts';
import { differences } from './run-differences.ts';

const REPRODUCE = resolve(import.meta.dirname, '../src/cli/reproduce.ts');
const INJECT = resolve(import.meta.dirname, 'faults/inject.ts');
const SMALL = '--preset smoke --depth 2 --width 16 --epochs 2 --samples 2 --tune off --checkpoint-every 1000';
export const COMMANDS: Readonly<Record<'run' | 'sweep', readonly string[]>> = {
  run: `mnist-fc ${SMALL} --images 320 --batch 16`.split(' '),
  sweep:
    'stochastic-depth --preset smoke --depth 2 --width 16 --epochs 2 --tune off --checkpoint-every 1000 --images 128 --batch 32 --validation 64 --jobs 1'.split(
      ' ',
    ),
};

export type Outcome = 'harmless' | 'stopped, went on' | `wrong: ${string}`;

export interface Trial {
  readonly operation: Counted;
  readonly kind: Kind;
  readonly outcome: Outcome;
}

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

function session(args: readonly string[], cache: string, fault?: Fault): Promise<Ended> {
  const imports = ['--import', 'tsx', ...(fault ? ['--import', INJECT] : [])];
  const env = { ...process.env, COLLIMATE_CACHE: cache, ...(fault && { [VARIABLE]: JSON.stringify(fault) }) };
  return new Promise((done) => {
    const child = spawn(process.execPath, [...imports, REPRODUCE, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env,
    });
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.on('close', (status) => done({ status, stderr }));
  });
}

/** A small run or sweep whose operations fail one by one. */
export class Faults {
  readonly #root: string;
  readonly #command: readonly string[];

  constructor(root: string, what: keyof typeof COMMANDS) {
    this.#root = resolve(root);
    this.#command = COMMANDS[what];
  }

  /** Leaves a run alone, and lists its operations: on files, or submits. */
  async operations(kind: 'files' | 'submits'): Promise<Counted[]> {
    const folder = join(this.#root, 'whole');
    const log = join(this.#root, 'whole.log');
    for (const path of [folder, log]) rmSync(path, { recursive: true, force: true });
    makeFolders(this.#root);
    const fault: Fault = {
      ...{ root: folder, log, role: 'command', at: -1 },
      kind: kind === 'files' ? 'EACCES' : 'lost',
    };
    const { status, stderr } = await session([...this.#command, '--out', folder], this.#cache, fault);
    if (status !== 0) throw new Error(`the run that is left alone ended with ${status}:\n${stderr}`);
    return read(log);
  }

  get #cache(): string {
    return join(this.#root, 'cache');
  }

  /** Lets the `at`-th operation of a process fail, and looks at what comes of it. */
  async try(role: Fault['role'], at: number, kind: Kind): Promise<Trial | undefined> {
    const folder = join(this.#root, 'faulty');
    const log = join(this.#root, 'faulty.log');
    for (const path of [folder, log, `${log}.fired`]) rmSync(path, { recursive: true, force: true });
    const first = await session([...this.#command, '--out', folder], this.#cache, {
      ...{ root: folder, log, role, at, kind },
    });
    const operation = read(log).find(({ failed }) => failed);
    if (!operation) return undefined; // As much depends on times, such as of progress: it came to fewer operations.
    return { operation, kind, outcome: await this.#judge(folder, first) };
  }

  async #judge(folder: string, { status, stderr }: Ended): Promise<Outcome> {
    if (/^ +at |bug in Collimate/m.test(stderr)) return `wrong: a stack trace: ${stderr.slice(0, 300)}`;
    if (status === 0) return this.#compared(folder, 'harmless');
    if (status === null || status > 128) return `wrong: ended with ${status}`;
    const again = [...this.#command, '--out', folder];
    const said = /To go on: npm run reproduce -- (.*)$/m.exec(stderr)?.[1]?.split(' ');
    let ended = await session(said ?? again, this.#cache);
    if (ended.stderr.includes('already holds a run'))
      ended = await session([this.#command[0]!, '--resume', folder], this.#cache);
    if (ended.status !== 0) return `wrong: does not go on: ${ended.stderr.slice(0, 300)}`;
    return this.#compared(folder, 'stopped, went on');
  }

  #compared(folder: string, outcome: Outcome): Outcome {
    const runs = ['.', 'runs'].filter((name) => name === '.' || existsSync(join(folder, name)));
    const below = join(runs.at(-1)!);
    const differ = differences(join(this.#root, 'whole', below), join(folder, below));
    return differ.length > 0 ? `wrong: differs in ${differ.join(', ')}` : outcome;
  }
}

const read = (log: string): Counted[] =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Counted)
    : [];

/** What can go wrong with an operation. */
export const kindsOf = ({ operation }: Counted): Kind[] =>
  operation === 'submit' ? ['lost'] : isWrite(operation) ? ['ENOSPC', 'EACCES', 'short'] : ['EACCES'];

/** How many of each operation and kind ended how. */
export function table(trials: readonly Trial[]): string {
  const keyOf = ({ operation, kind }: Trial) => `${operation.role}: ${operation.operation} | ${kind}`;
  const count = (key: string, starts: string) =>
    trials.filter((trial) => keyOf(trial) === key && trial.outcome.startsWith(starts)).length;
  const rows = [...new Set(trials.map(keyOf))].map(
    (key) => `| ${key} | ${count(key, 'harmless')} | ${count(key, 'stopped')} | ${count(key, 'wrong')} |`,
  );
  return [
    '| operation | fails by | harmless | stopped, went on to the same bits | wrong |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

if (process.argv[1] === import.meta.filename)
  await main(async () => {
    const program = new Command('npm run faults --')
      .description(
        'Lets file operations fail and devices be lost, one a session, and compares what comes of it.',
      )
      .argument('[what...]', 'run and sweep, of which files fail, and devices', ['run', 'sweep', 'devices'])
      .option('--every <number>', 'only every so many-th operation', '1')
      .option('--out <folder>', 'where the runs are', 'results/faults')
      .option('--debug', 'print stack traces')
      .parse();
    const { every: text, out } = program.opts<{ every: string; out: string }>();
    const every = parseNumber(text, { option: '--every', what: '', whole: true, least: 1, most: 1e6 });
    let wrong = 0;
    for (const what of program.processedArgs[0] as string[]) {
      const faults = new Faults(join(out, what), what === 'sweep' ? 'sweep' : 'run');
      const operations = await faults.operations(what === 'devices' ? 'submits' : 'files');
      const trials: Trial[] = [];
      const roles = ['command', 'worker'] as const;
      for (const role of roles) {
        const own = operations.filter((operation) => operation.role === role);
        for (let at = 0; at < own.length; at += every) {
          for (const kind of kindsOf(own[at]!)) {
            const trial = await faults.try(role, at, kind);
            if (!trial) continue;
            trials.push(trial);
            if (trial.outcome.startsWith('wrong'))
              console.log(
                `${role} ${at} ${kind} ${trial.operation.operation} ${trial.operation.file}: ${trial.outcome}`,
              );
          }
        }
      }
      wrong += trials.filter(({ outcome }) => outcome.startsWith('wrong')).length;
      console.log(
        `\n${what}: ${trials.length} faults in ${operations.length} operations, one in ${every} tried\n\n${table(trials)}`,
      );
    }
    return wrong > 0 ? 1 : 0;
  });
