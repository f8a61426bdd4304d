import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Command } from 'commander';
import { CollimateError } from '../errors.ts';
import { Interrupt } from '../experiments/interrupt.ts';
import { originOf } from '../experiments/run-config.ts';
import { CONFIG, RunFolder } from '../experiments/run-folder.ts';
import { caseInWords, runCases, THEORY_CONFIG } from '../experiments/unconstrained/run.ts';
import {
  type GivenTheory,
  resolveTheory,
  type TheorySettings,
  theoryPresets,
  theoryRanges,
} from '../experiments/unconstrained/settings.ts';
import { openGpu } from '../host/open.ts';
import { fromTheory, verdictSentence } from '../report/verdicts.ts';
import { commandLine } from './main.ts';
import { verdictLines } from './verdict-table.ts';

/** The name under which `reproduce` offers it, and of its folder among results. */
export const THEORY_NAME = 'unconstrained-jacobians';

export interface TheoryOptions extends GivenTheory {
  readonly adapter?: string | undefined;
  readonly out?: string | undefined;
  readonly json?: boolean | undefined;
  readonly strict?: boolean | undefined;
}

/** Reads the arguments behind the name, and runs. */
export async function theoryCommand(args: readonly string[]): Promise<number> {
  const command = new Command(`npm run reproduce -- ${THEORY_NAME}`)
    .description(
      'Optimizes the Unconstrained Jacobians Model from many random starts and checks what its theory concludes.',
    )
    .option(
      '--preset <name>',
      Object.entries(theoryPresets)
        .map(([name, { summary }]) => `${name} (${summary})`)
        .join('; '),
      'quick',
    );
  for (const [name, { what, minimum, maximum, above, list }] of Object.entries(theoryRanges)) {
    const numbers = `${above ? 'above' : 'from'} ${minimum}${maximum >= 1e9 ? '' : `, at most ${maximum}`}`;
    command.option(
      `--${name} <${list ? 'numbers' : 'number'}>`,
      `${what}, ${numbers}${list ? ', with commas between' : ''}`,
    );
  }
  command
    .option('--adapter <name>', 'gpu, system, swiftshader or a part of a name (default: $COLLIMATE_ADAPTER)')
    .option('--out <folder>', `where results go (default: results/${THEORY_NAME}/<preset>)`)
    .option('--strict', 'exit with status 1 if a conclusion does not hold')
    .option('--json', 'print lines of JSON')
    .option('--debug', 'print stack traces')
    .addHelpText('after', '\nWhat was cut off goes on when the same command is given again.')
    .parse(args, { from: 'user' });
  using _interrupt = new Interrupt(() => console.error('To go on, give the same command again.'));
  return await runTheory(command.opts<TheoryOptions>());
}

/** Optimizes, measures, judges and reports. Returns the exit status. */
export async function runTheory(options: TheoryOptions): Promise<number> {
  const { preset, settings } = resolveTheory(options);
  using gpu = await openGpu({ adapter: options.adapter });
  using folder = openFolder(options.out ?? join('results', THEORY_NAME, preset), settings);
  if (!folder.has(CONFIG)) {
    const origin = originOf(gpu.info, commandLine('reproduce', process.argv.slice(2)));
    folder.writeJson(CONFIG, {
      schema: THEORY_CONFIG.format,
      experiment: THEORY_NAME,
      ...{ preset, settings },
      ...origin,
    });
  }
  const say = (event: string, fields: object, words: string) =>
    console.log(options.json ? JSON.stringify({ event, ...fields }) : words);
  say('fact', { name: 'adapter', value: gpu.info }, `adapter:   ${gpu.info.name}, ${gpu.info.driver}`);
  say('fact', { name: 'folder', value: folder.path }, `folder:    ${folder.path}`);
  const { claims } = await runCases(gpu, folder, preset, settings, (planned, index, count) => {
    const words = `${index + 1}/${count}: ${caseInWords(planned)}, ${settings.starts} starts, ${settings.steps} steps`;
    say('case', { ...planned, index, count }, words);
  });
  const { writeTheoryReport } = await import('../report/theory.ts'); // late, for a quick start
  writeTheoryReport(folder);
  const holds = claims.every((claim) => claim.holds);
  say(
    'done',
    { folder: folder.path, holds, claims },
    `\n${verdictLines(claims.map(fromTheory))}\n\n${verdictSentence(claims.map(fromTheory))}\nReport: ${join(folder.path, 'report.html')}`,
  );
  return options.strict && !holds ? 1 : 0;
}

/** A new folder, or that of the same settings, which goes on with what is not there yet. */
function openFolder(path: string, settings: TheorySettings): RunFolder {
  const folder = RunFolder.open(path);
  if (!folder.has(CONFIG)) return folder;
  if (isDeepStrictEqual(folder.read(CONFIG, THEORY_CONFIG).settings, settings)) return folder;
  folder.release();
  throw new CollimateError(
    `the folder ${path} holds results of other settings`,
    'Name another folder with `--out`, or remove that one.',
  );
}
