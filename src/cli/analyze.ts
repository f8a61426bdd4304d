import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import type { Analysis } from '../analysis/results.ts';
import { judgeRun } from '../analysis/run-claims.ts';
import { checkTarget, writeAtomically } from '../atomic-write.ts';
import { command, invocation } from '../command.ts';
import { packagesOf } from '../data/datasets.ts';
import { CollimateError } from '../errors.ts';
import { analyzeRun } from '../experiments/analyst.ts';
import { Interrupt } from '../experiments/interrupt.ts';
import { DeviceTask } from '../experiments/task.ts';
import { openGpu } from '../host/open.ts';
import { needPackages, REPORT_PACKAGES } from '../host/packages.ts';
import { parseNumber, type Range, whole } from '../settings/row.ts';
import { rowOf } from '../settings/settings.ts';
import type { TuneMode } from '../tuner/tuner.ts';
import { adapterOption, tuneOption } from './options.ts';
import { tunerFor } from './resume.ts';
import { type SubjectOptions, subjectAt } from './subject.ts';
import { verdictLines } from './verdict-table.ts';

interface Options extends Omit<SubjectOptions, 'resolution' | 'images' | 'length'> {
  readonly resolution?: string;
  readonly images: string;
  readonly length?: string;
  readonly samples?: string;
  readonly triples?: string;
  readonly seed?: string;
  readonly convention?: 'branch' | 'post-activation';
  readonly control: 'initial' | 'permuted';
  readonly lens?: boolean;
  readonly adapter?: string;
  readonly out?: string;
  readonly tune?: TuneMode;
  readonly json?: boolean;
}

const program = new Command(invocation('analyze'))
  .description(
    `Measures Residual Alignment in a trained network, from \`${command('reproduce')}\` or elsewhere.`,
  )
  .argument(
    '<checkpoint>',
    'a safetensors file or its index, or the folder of a run or of a published network',
  )
  .option('--config <file>', 'config.json of weights from elsewhere (default: the one beside them)')
  .option(
    '--data <name|folder>',
    'images for these: a dataset, or a folder with train/<class>/<image> and val/…',
  )
  .addOption(
    new Option(
      '--tokens <file>',
      'token ids for a language model, [[464, 3290, 318], …]: the last of each is to be predicted',
    ).conflicts(['text', 'data', 'resolution']),
  )
  .addOption(
    new Option(
      '--text <file>',
      'text for a language model, cut by the tokenizer.json beside its weights',
    ).conflicts(['data', 'resolution']),
  )
  .option('--length <number>', 'tokens that it reads of each piece of this text (default: 64)')
  .addOption(
    new Option(
      '--branches <which>',
      'of a transformer: attention and MLP of a layer as one block or two',
    ).choices(['together', 'apart']),
  )
  .option('--resolution <number>', 'their height and width (default: as the network was trained)')
  .option('--images <number>', 'use only the first of them, or of the text’s pieces', '2000')
  .option(
    '--experiment <name>',
    'the weights are of the network of this experiment; measure them on its data',
  )
  .option('--preset <name>', 'preset of that experiment', 'paper')
  .option(
    '--samples <number>',
    'training examples at which Jacobians are taken (default: as in its run, or 16)',
  )
  .option(
    '--triples <number>',
    'leading singular triples to compare (default: the classes, of the data at most)',
  )
  .option('--seed <number>', 'random seed of the samples and the SVD (default: that of the training)')
  .addOption(
    new Option(
      '--convention <name>',
      'branch, J = ∂F/∂h (default), or post-activation, σ′(h + F(h)) ∂F/∂h',
    ).choices(['branch', 'post-activation']),
  )
  .addOption(
    new Option('--control <weights>', 'measured beside them: as at initialization, or themselves, permuted')
      .choices(['initial', 'permuted'])
      .default('initial'),
  )
  .option('--lens', rowOf('lens').what)
  .addOption(adapterOption())
  .option('--data-dir <folder>', 'where datasets are kept (default: $COLLIMATE_DATA, or a cache folder)')
  .addOption(tuneOption('as in its run, or on'))
  .option('--out <file>', 'write the analysis, like analysis.json, to a new file')
  .option('--json', 'print the analysis as JSON')
  .option('--debug', 'print stack traces')
  .addHelpText(
    'after',
    `
Examples:
  ${command('analyze', 'results/mnist-fc/20260101-120000-1')}
  ${command('analyze', 'results/mnist-fc/20260101-120000-1/control --samples 64')}
  ${command('analyze', 'checkpoint.safetensors --convention post-activation --out analysis.json')}
  ${command('analyze', 'resnet50.safetensors --data imagenette')}
  ${command('analyze', 'gpt2 --text book.txt')}
  ${command('analyze', 'weights.safetensors --experiment mnist-fc --preset quick')}

docs/checkpoints.md lists the published networks whose weights are recognized.`,
  );

export async function run(words: readonly string[]): Promise<number> {
  program.parse(words, { from: 'user' });
  const path = program.args[0]!;
  const { adapter, out, json, tune, ...given } = program.opts<Options>();
  const number = (option: string, text: string | undefined, range: Range) =>
    text === undefined ? undefined : parseNumber(option, text, range);
  const chosen = {
    samples: number('--samples', given.samples, whole(1, 1000)),
    triples: number('--triples', given.triples, whole(1, 8192)),
    seed: number('--seed', given.seed, whole(0, Number.MAX_SAFE_INTEGER)),
    convention: given.convention,
    control: given.control,
  };
  if (out !== undefined && existsSync(out)) {
    throw new CollimateError(
      `${out} already exists`,
      'Give a new file with `--out`, or remove this one first.',
    );
  }
  if (out !== undefined) checkTarget(out);
  const subject = await subjectAt(path, {
    ...given,
    length: number('--length', given.length, whole(2, 65_536)),
    resolution: number('--resolution', given.resolution, whole(8, 1024)),
    images: number('--images', given.images, whole(2, 1e9))!,
  });
  const { network, state, seed, config } = subject;
  needPackages('the analysis', [...REPORT_PACKAGES, ...packagesOf(subject.datasets, given.dataDir)]);

  using _ = new Interrupt(); // Nothing needs to be saved.
  // The same kernels as the run's find again what the run found.
  const tuner = tunerFor(config, tune);
  const opening = openGpu({ adapter, chooser: tuner });
  opening.catch(() => {}); // Reported below; meanwhile the images are loaded.
  const task = await subject.task();
  using gpu = await opening;
  using data = new DeviceTask(gpu, task);
  const usual = subject.request?.(task);
  const analysis = await analyzeRun(data, network, state, {
    ...chosen,
    ...(chosen.triples === undefined && usual),
    trainingSeed: seed,
    seed: chosen.seed ?? seed,
    compress: config?.settings.compress,
    lens: given.lens ?? config?.settings.lens,
    samples: chosen.samples ?? config?.settings.samples ?? usual?.samples ?? 16,
  });
  const text = `${JSON.stringify({ ...analysis, kernels: tuner.choices } satisfies Analysis, null, 2)}\n`;
  if (json) process.stdout.write(text);
  else {
    const { besideOf, measuresTable } = await import('./measures-table.ts'); // late, for a quick start
    console.log(`${measuresTable(analysis)}\n`);
    if (network.skip)
      console.log(verdictLines(judgeRun(analysis, undefined, subject.facts), besideOf(analysis)));
  }
  if (out !== undefined) {
    writeAtomically(out, text);
    if (!json) console.log(`\nAnalysis: ${out}`);
  }
  return 0;
}
