/** Measures a GPU within minutes: `npm run gpu-day -- --out <folder> --minutes 8`. See docs/ci.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { checkTarget, makeFolders } from '../src/atomic-write.ts';
import { cacheFolder } from '../src/cache-folder.ts';
import { main } from '../src/cli/main.ts';
import { commandLine } from '../src/command.ts';
import { CollimateError } from '../src/errors.ts';
import { systemFacts } from '../src/host/system.ts';
import { parseNumber, real } from '../src/settings/row.ts';
import { writtenManifest } from './gpu-day/driver.ts';
import { type Task, tasks } from './gpu-day/parts.ts';
import { runWithin } from './gpu-day/process.ts';
import { type Result, runDay } from './gpu-day/schedule.ts';
import { newSummary, type PartSummary, summaryLines, writeSummary } from './gpu-day/summary.ts';

/** Seconds at the end for the table. */
const RESERVE = 2;
const ROOT = resolve(import.meta.dirname, '..');
const SIGNALS = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;

interface Options {
  readonly out: string;
  readonly minutes: string;
  readonly adapter: string;
  readonly parts?: string;
}

const program = new Command('npm run gpu-day --')
  .description(
    'Tests and measures everything on a GPU within some minutes, the most valuable first: what is there when the time is up, or a signal ends it, is its result.',
  )
  .requiredOption('--out <folder>', 'a new or empty folder for logs, results and their summary')
  .option('--minutes <number>', 'how long it may take altogether', '8')
  .option('--adapter <name>', 'gpu, system, swiftshader or a part of a name', 'gpu')
  .option('--parts <names>', 'only these, separated by commas')
  .option('--debug', 'print stack traces')
  .addHelpText(
    'after',
    `
Parts: ${tasks('', '')
      .map(({ name }) => name)
      .join(', ')}.
Each has a limit of its own, and what it leaves is given to the others. The exit status is 0 if all parts are done, 1 if
one is not, and 143 after SIGTERM.`,
  );

await main(async () => {
  program.parse();
  const options = program.opts<Options>();
  const minutes = parseNumber('--minutes', options.minutes, real(0.1, 1440));
  const out = resolve(options.out);
  checkTarget(join(out, 'summary.json'));
  if (readdirSync(out).length > 0)
    throw new CollimateError(`${options.out} is not empty`, 'Name a new folder with --out.');
  const chosen = partsNamed(tasks(out, options.adapter), options.parts);

  const env = { ...process.env };
  const manifest = options.adapter === 'gpu' ? writtenManifest(systemFacts(), out) : undefined;
  if (manifest) {
    console.log(`There is an NVIDIA GPU without a Vulkan manifest: ${manifest} is used.`);
    env.VK_DRIVER_FILES = manifest;
  }
  if (!canWrite(cacheFolder())) env.COLLIMATE_CACHE = join(out, 'cache');

  const stop = new AbortController();
  let signalled: keyof typeof SIGNALS | undefined;
  for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
    process.on(name, () => {
      signalled ??= name;
      stop.abort();
    });
  }
  const parts: PartSummary[] = [];
  const about = {
    date: new Date().toISOString(),
    command: commandLine('gpu-day', process.argv.slice(2)),
    ...{ minutes, adapter: options.adapter },
  };
  const summary = newSummary(about, parts);
  const logOf = (name: string) => join(out, `${name}.log`);
  await runDay<Task>(chosen, 60 * minutes - RESERVE, {
    now: () => performance.now() / 1000, // since this process began
    stopped: () => stop.signal.aborted,
    start: (part, limit) => {
      console.log(`${part.name}: at most ${limit.toFixed(0)} s`);
      return runWithin(
        {
          ...{ command: process.execPath, args: part.args, cwd: ROOT },
          ...{ env: { ...env, ...part.env }, log: logOf(part.name) },
        },
        limit,
        stop.signal,
      );
    },
    record: (result, part) => {
      parts.push(summaryOf(result, part, result.outcome === 'not started' ? '' : readLog(logOf(part.name))));
      writeSummary(out, summary);
    },
  });
  console.log(`\n${summaryLines(summary)}`);
  if (signalled) return SIGNALS[signalled];
  return parts.every(({ outcome }) => outcome === 'done') ? 0 : 1;
});

/** A part's findings, or why they cannot be read. */
function summaryOf(result: Result, part: Task, log: string): PartSummary {
  const [error] = result.outcome === 'failed' ? [...log.matchAll(/^error: (.*)$/gm)].slice(-1) : [];
  const reason = [result.reason, ...(error ? [error[1]!] : [])].filter(Boolean).join(': ');
  try {
    return { ...result, reason, found: log ? [...part.found(log)] : [] };
  } catch (problem) {
    return { ...result, reason, found: [`its results cannot be read: ${(problem as Error).message}`] };
  }
}

function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function canWrite(folder: string): boolean {
  try {
    makeFolders(folder);
    checkTarget(join(folder, 'x'));
    return true;
  } catch {
    return false;
  }
}

function partsNamed(all: readonly Task[], list: string | undefined): readonly Task[] {
  if (list === undefined) return all;
  const names = list.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !all.some((part) => part.name === name));
  if (unknown === undefined) return all.filter(({ name }) => names.includes(name));
  throw new CollimateError(
    `--parts: there is no part '${unknown}'`,
    `Name some of ${all.map(({ name }) => name).join(', ')}.`,
  );
}
