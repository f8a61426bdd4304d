/**
 * Fails each file operation of a small run and sweep, one per session, and loses the device at each submit;
 * then continues as told and compares the ends. `npm run faults -- --help`; results: docs/testing.md.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { makeFolders } from '../src/atomic-write.ts';
import { main } from '../src/cli/main.ts';
import { CollimateError } from '../src/errors.ts';
import { commit } from '../src/experiments/run-config.ts';
import { parseNumber, whole } from '../src/settings/row.ts';
import { bundle } from './bundle.ts';
import { type Counted, type Fault, isWrite, type Kind, VARIABLE } from './faults/inject.ts';
import { differences, filesOf, lasting } from './run-differences.ts';

const [PROGRAM, WORKER, INJECT] = ['../src/cli/collimate.ts', '../src/cli/worker.ts', 'faults/inject.ts'].map(
  (file) => resolve(import.meta.dirname, file),
) as [string, string, string];
const SMALL = '--preset smoke --depth 2 --width 16 --epochs 2 --samples 2 --tune off --checkpoint-every 1000';
export const COMMANDS: Readonly<Record<'run' | 'sweep', readonly string[]>> = {
  run: `mnist-fc ${SMALL} --images 320 --batch 16`.split(' '),
  sweep:
    'stochastic-depth --preset smoke --depth 2 --width 16 --epochs 2 --tune off --checkpoint-every 1000 --images 128 --batch 32 --validation 64 --jobs 1'.split(
      ' ',
    ),
};

export type Outcome = 'harmless' | 'stopped, went on' | `wrong: ${string}`;

/** An operation of an undisturbed session, and how it is to fail. */
export interface Plan {
  readonly role: Fault['role'];
  readonly at: number;
  readonly kind: Kind;
}

export interface Trial extends Plan {
  /** What failed; null if there was no such operation, as progress reports depend on timing. */
  readonly operation: Counted | null;
  readonly outcome: Outcome;
}

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

/** A small run or sweep whose operations fail one by one. */
export class Faults {
  readonly #root: string;
  readonly #command: readonly string[];
  readonly #bundled: ReturnType<typeof bundle>;
  /** How sessions continued, by what the one before left: many faults leave the same. */
  readonly #continued = new Map<string, Promise<Outcome>>();

  constructor(root: string, command: readonly string[]) {
    this.#root = resolve(root);
    this.#command = command;
    const folder = join(this.#root, 'bundle');
    rmSync(folder, { recursive: true, force: true });
    this.#bundled = bundle([PROGRAM, WORKER, INJECT], folder);
  }

  /** Runs undisturbed, and lists the operations: on files, or submits. */
  async operations(kind: 'files' | 'submits'): Promise<Counted[]> {
    const folder = join(this.#root, 'whole');
    const log = join(this.#root, 'whole.log');
    for (const path of [folder, log]) rmSync(path, { recursive: true, force: true });
    const { status, stderr } = await this.#session([...this.#command, '--out', folder], {
      ...{ root: folder, log, role: 'command', at: -1 },
      kind: kind === 'files' ? 'EACCES' : 'lost',
    });
    if (status !== 0) throw new Error(`the run that is left alone ended with ${status}:\n${stderr}`);
    return read<Counted>(log);
  }

  /** Makes an operation fail and checks what follows, while other slots may try theirs. */
  async try({ role, at, kind }: Plan, slot = 0): Promise<Trial> {
    const folder = join(this.#root, `faulty-${slot}`);
    const log = `${folder}.log`;
    for (const path of [folder, log, `${log}.fired`]) rmSync(path, { recursive: true, force: true });
    const ended = await this.#session([...this.#command, '--out', folder], {
      ...{ root: folder, log, role, at, kind },
    });
    const operation = read<Counted>(log).find(({ failed }) => failed) ?? null;
    return { role, at, kind, operation, outcome: await this.#judge(folder, ended) };
  }

  async #session(args: readonly string[], fault?: Fault): Promise<Ended> {
    const bundled = await this.#bundled;
    const imports = fault ? ['--import', bundled.get(INJECT)!] : [];
    const env = {
      ...process.env,
      COLLIMATE_CACHE: join(this.#root, 'cache'),
      ...(fault && { [VARIABLE]: JSON.stringify(fault) }),
    };
    return new Promise((done) => {
      const child = spawn(process.execPath, [...imports, bundled.get(PROGRAM)!, 'reproduce', ...args], {
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

  async #judge(folder: string, { status, stderr }: Ended): Promise<Outcome> {
    if (/^ +at |bug in Collimate/m.test(stderr)) return `wrong: a stack trace: ${stderr.slice(0, 600)}`;
    if (status === 0) return this.#compared(folder, 'harmless');
    if (status === null || status > 128) return `wrong: ended with ${status}: ${stderr.slice(0, 600)}`;
    const said = /^To [a-z ]+: npm run reproduce -- (.*)$/m.exec(stderr)?.[1];
    const left = `${said?.replaceAll(folder, '')} ${stateOf(folder)}`;
    const continued = this.#continued.get(left) ?? this.#goOn(folder, said?.split(' '));
    this.#continued.set(left, continued);
    return continued;
  }

  /** Continues as the command says, else by the same command. */
  async #goOn(folder: string, said = [...this.#command, '--out', folder]): Promise<Outcome> {
    let ended = await this.#session(said);
    if (ended.stderr.includes('already holds a run'))
      ended = await this.#session([this.#command[0]!, '--resume', folder]);
    if (ended.status !== 0) return `wrong: does not go on: ${ended.stderr.slice(0, 600)}`;
    return this.#compared(folder, 'stopped, went on');
  }

  #compared(folder: string, outcome: Outcome): Outcome {
    const below = existsSync(join(folder, 'runs')) ? 'runs' : '.';
    const differ = differences(join(this.#root, 'whole', below), join(folder, below));
    return differ.length > 0 ? `wrong: differs in ${differ.join(', ')}` : outcome;
  }
}

/** All that a session may continue from: folders, files and their contents, without times. */
function stateOf(folder: string): string {
  const hash = createHash('sha256');
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : ['none'];
  for (const name of names.sort()) hash.update(`${name.replace(/[0-9a-f]{12}/g, '')}\n`);
  for (const file of existsSync(folder) ? filesOf(folder) : []) {
    try {
      hash.update(lasting(folder, file));
    } catch {
      hash.update(readFileSync(join(folder, file))); // what was written by half is no JSON
    }
  }
  return hash.digest('hex');
}

const read = <T>(log: string): T[] =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as T)
    : [];

/** What can go wrong with an operation. */
export const kindsOf = ({ operation }: Counted): Kind[] =>
  operation === 'submit' ? ['lost'] : isWrite(operation) ? ['ENOSPC', 'EACCES', 'short'] : ['EACCES'];

/** Every operation in each way it can fail, or every n-th. */
export const plans = (operations: readonly Counted[], every = 1): Plan[] =>
  (['command', 'worker'] as const).flatMap((role) =>
    operations
      .filter((operation) => operation.role === role)
      .flatMap((operation, at) => (at % every ? [] : kindsOf(operation).map((kind) => ({ role, at, kind })))),
  );

/** Counts of outcomes by operation and kind. */
export function table(trials: readonly Trial[]): string {
  const fired = trials.filter(({ operation }) => operation);
  const keyOf = ({ operation, kind }: Trial) => `${operation!.role}: ${operation!.operation} | ${kind}`;
  const count = (key: string, starts: string) =>
    fired.filter((trial) => keyOf(trial) === key && trial.outcome.startsWith(starts)).length;
  const rows = [...new Set(fired.map(keyOf))].map(
    (key) => `| ${key} | ${count(key, 'harmless')} | ${count(key, 'stopped')} | ${count(key, 'wrong')} |`,
  );
  return [
    '| operation | fails by | harmless | stopped, continued to the same bits | wrong |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** The record of an enumeration, to resume it: the sources it ran on, and its trials. */
interface Kept {
  readonly commit: string | null;
  readonly operations: readonly Counted[];
}

/** Tries what is left of a run, a sweep or the devices, `jobs` at a time. */
async function enumerate(
  what: string,
  root: string,
  { every, jobs }: { every: number; jobs: number },
): Promise<number> {
  const faults = new Faults(root, COMMANDS[what === 'sweep' ? 'sweep' : 'run']);
  const [state, log] = [join(root, 'state.json'), join(root, 'trials.jsonl')];
  if (!existsSync(state)) {
    const operations = await faults.operations(what === 'devices' ? 'submits' : 'files');
    writeFileSync(state, JSON.stringify({ commit: commit(), operations } satisfies Kept));
  }
  const kept = JSON.parse(readFileSync(state, 'utf8')) as Kept;
  if (kept.commit !== commit())
    throw new CollimateError(
      `the faults in ${root} were tried at commit ${kept.commit}, and this is ${commit()}`,
      'Continue at that commit, or give another folder with `--out`.',
    );
  const keyOf = ({ role, at, kind }: Plan) => `${role} ${at} ${kind}`;
  const tried = new Set(read<Trial>(log).map(keyOf));
  const all = plans(kept.operations, every);
  const queue = all.filter((plan) => !tried.has(keyOf(plan)));
  const work = async (slot: number) => {
    for (let plan = queue.shift(); plan; plan = queue.shift()) {
      const trial = await faults.try(plan, slot);
      appendFileSync(log, `${JSON.stringify(trial)}\n`);
      if (trial.outcome.startsWith('wrong'))
        console.log(
          `${keyOf(plan)} ${trial.operation?.operation} ${trial.operation?.file}: ${trial.outcome}`,
        );
    }
  };
  await Promise.all(Array.from({ length: jobs }, (_, slot) => work(slot)));
  const trials = read<Trial>(log);
  console.log(
    `\n${what}, commit ${kept.commit}: ${trials.length} faults in ${kept.operations.length} operations, one in ${every} tried\n\n${table(trials)}`,
  );
  return trials.filter(({ outcome }) => outcome.startsWith('wrong')).length;
}

if (process.argv[1] === import.meta.filename)
  await main(async () => {
    const program = new Command('npm run faults --')
      .description(
        'Makes file operations fail and devices get lost, one per session, and compares the results. The same command continues with what has not been tried.',
      )
      .argument('[what...]', 'run and sweep, where file operations fail, and devices', [
        'run',
        'sweep',
        'devices',
      ])
      .option('--every <number>', 'try only every n-th operation', '1')
      .option('--jobs <number>', 'concurrent sessions', '1')
      .option('--out <folder>', 'folder of the runs', 'results/faults')
      .option('--debug', 'print stack traces')
      .parse();
    const { out, ...given } = program.opts<{ every: string; jobs: string; out: string }>();
    const number = (name: 'every' | 'jobs', maximum: number) =>
      parseNumber(`--${name}`, given[name], whole(1, maximum));
    const options = { every: number('every', 1e6), jobs: number('jobs', 64) };
    let wrong = 0;
    for (const what of program.processedArgs[0] as string[]) {
      const root = join(out, what);
      makeFolders(root);
      wrong += await enumerate(what, root, options);
    }
    return wrong > 0 ? 1 : 0;
  });
