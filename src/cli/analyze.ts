import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import type { Analysis } from '../analysis/results.ts';
import { judgeRun } from '../analysis/run-claims.ts';
import { checkTarget, writeAtomically } from '../atomic-write.ts';
import { command, invocation } from '../command.ts';
import { datasets, packagesOf } from '../data/datasets.ts';
import { CollimateError, unreadable } from '../errors.ts';
import { analyzeRun } from '../experiments/analyst.ts';
import { type CheckpointInfo, decodeCheckpoint } from '../experiments/checkpoint.ts';
import { dataFacts, type Experiment, imageShape, networkOptions } from '../experiments/experiment.ts';
import {
  bringForward,
  decodeWeights,
  IMAGENET_CLASSES,
  IMAGENETTE_IN_IMAGENET,
} from '../experiments/foreign-weights.ts';
import { findExperiment, resolveSettings } from '../experiments/given-settings.ts';
import { Interrupt } from '../experiments/interrupt.ts';
import { type RunConfig, readConfig } from '../experiments/run-config.ts';
import { CHECKPOINT, CONFIG } from '../experiments/run-folder.ts';
import { DeviceTask } from '../experiments/task.ts';
import { fileChoices } from '../host/choices.ts';
import { openGpu } from '../host/open.ts';
import { needPackages, REPORT_PACKAGES } from '../host/packages.ts';
import { networkOf } from '../models/networks.ts';
import { parseNumber, type Range, whole } from '../settings/row.ts';
import type { TrainingOptions } from '../settings/table.ts';
import type { HostState } from '../train/state.ts';
import { type TuneMode, Tuner } from '../tuner/tuner.ts';
import { fetchTask } from './fetch-task.ts';
import { adapterOption, tuneOption } from './options.ts';
import { verdictLines } from './verdict-table.ts';

/** A network with its weights. */
interface Trained {
  readonly info: Pick<CheckpointInfo, 'experiment' | 'network'> & {
    readonly training: Pick<TrainingOptions, 'seed' | 'images'> & Partial<TrainingOptions>;
  };
  readonly state: HostState;
}

interface Options {
  readonly experiment?: string;
  readonly preset?: string;
  readonly samples?: string;
  readonly triples?: string;
  readonly seed?: string;
  readonly convention?: string;
  readonly adapter?: string;
  readonly dataDir?: string;
  readonly out?: string;
  readonly tune?: TuneMode;
  readonly json?: boolean;
}

const program = new Command(invocation('analyze'))
  .description(
    `Measures Residual Alignment in a trained network, from \`${command('reproduce')}\` or elsewhere.`,
  )
  .argument('<checkpoint>', 'a checkpoint.safetensors, or the folder of a run')
  .option('--experiment <name>', 'the file holds bare weights, for the network of this experiment')
  .option('--preset <name>', 'preset of that experiment', 'paper')
  .option(
    '--samples <number>',
    'training examples at which Jacobians are taken (default: as in its run, or 16)',
  )
  .option('--triples <number>', 'leading singular triples to compare (default: the number of classes)')
  .option('--seed <number>', 'random seed of the samples and the SVD (default: that of the training)')
  .option('--convention <name>', 'branch, J = ∂F/∂h (default), or post-activation, σ′(h + F(h)) ∂F/∂h')
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
  ${command('analyze', 'weights.safetensors --experiment imagenette-resnet34')}

Bare weights, such as torchvision's \`resnet34\` saved as safetensors, need PyTorch's names and the network's shapes, but may have any number of classes.`,
  );

/** Measures a network. Returns the exit status. */
export async function run(words: readonly string[]): Promise<number> {
  program.parse(words, { from: 'user' });
  const path = program.args[0]!;
  const { adapter, dataDir, out, json, tune, experiment, preset, ...given } = program.opts<Options>();
  const number = (option: string, text: string | undefined, range: Range) =>
    text === undefined ? undefined : parseNumber(option, text, range);
  const chosen = {
    samples: number('--samples', given.samples, whole(1, 1000)),
    triples: number('--triples', given.triples, whole(1, 8192)),
    seed: number('--seed', given.seed, whole(0, Number.MAX_SAFE_INTEGER)),
    convention: conventionOf(given.convention),
  };
  if (out !== undefined && existsSync(out)) {
    throw new CollimateError(
      `${out} already exists`,
      'Give a new file with `--out`, or remove this one first.',
    );
  }
  if (out !== undefined) checkTarget(out);
  const { checkpoint, config } = open(path, experiment === undefined ? undefined : { experiment, preset });
  const { network, training } = checkpoint.info;
  const { dataset } = findExperiment(checkpoint.info.experiment);
  needPackages('the analysis', [...REPORT_PACKAGES, ...packagesOf([dataset], dataDir)]);

  using _ = new Interrupt(); // Nothing needs to be saved.
  // The same kernels as the run's find again what the run found.
  const tuner = new Tuner({
    mode: tune ?? config?.tune ?? 'on',
    store: fileChoices(),
    pinned: config?.kernels,
  });
  const opening = openGpu({ adapter, chooser: tuner });
  opening.catch(() => {}); // Reported below; meanwhile the images are loaded.
  const task = await fetchTask(dataset, dataOf(checkpoint.info, dataset), dataDir);
  using gpu = await opening;
  using data = new DeviceTask(gpu, task);
  const analysis = await analyzeRun(data, network, checkpoint.state, {
    ...chosen,
    trainingSeed: training.seed,
    seed: chosen.seed ?? training.seed,
    samples: chosen.samples ?? config?.settings.samples ?? 16,
  });
  const text = `${JSON.stringify({ ...analysis, kernels: tuner.choices } satisfies Analysis, null, 2)}\n`;
  if (json) process.stdout.write(text);
  else {
    const { measuresTable } = await import('./measures-table.ts'); // late, for a quick start
    console.log(`${measuresTable(analysis)}\n`);
    const facts = dataFacts(dataset, { randomLabels: 0, ...training });
    if (network.skip) console.log(verdictLines(judgeRun(analysis, undefined, facts)));
  }
  if (out !== undefined) {
    writeAtomically(out, text);
    if (!json) console.log(`\nAnalysis: ${out}`);
  }
  return 0;
}

/** The checkpoint at a path, and the configuration of its run where that lies beside it. */
function open(
  path: string,
  own: { experiment: string; preset: string | undefined } | undefined,
): { checkpoint: Trained; config: RunConfig | undefined } {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  const file = isFolder ? join(path, CHECKPOINT) : path;
  let bytes: Uint8Array;
  try {
    if (existsSync(file) && !statSync(file).isFile()) throw new Error('it is not a file'); // /dev/zero has no end
    bytes = readFileSync(file);
  } catch (cause) {
    throw unreadable(file, cause, 'Give a checkpoint.safetensors, or the folder of a run.');
  }
  if (own) return { checkpoint: weightsOf(bytes, file, own.experiment, own.preset), config: undefined };
  const folder = dirname(file);
  return {
    checkpoint: decodeCheckpoint(bytes, file),
    config: existsSync(join(folder, CONFIG)) ? readConfig(folder) : undefined,
  };
}

/** Weights from elsewhere, as an experiment's residual network. */
function weightsOf(bytes: Uint8Array, file: string, name: string, preset: string | undefined): Trained {
  const experiment = findExperiment(name);
  const { settings } = resolveSettings(experiment, { preset });
  const options = networkOptions(experiment.model, settings, imageShape(experiment.dataset, settings));
  const { network, state } = decodeWeights(bytes, file, options);
  const { title, classes } = datasets[experiment.dataset];
  if (network.classes > classes) {
    const known = experiment.dataset === 'imagenette' && network.classes === IMAGENET_CLASSES;
    if (known) bringForward(state, networkOf(network).classifier, IMAGENETTE_IN_IMAGENET);
    console.error(
      `note: the network tells ${network.classes} classes apart, and ${title} shows ${classes}: ` +
        (known
          ? 'the outputs are reordered so that its classes come first'
          : `accuracies and neural collapse use the first ${classes} outputs`),
    );
  }
  const { seed, images } = settings;
  return { info: { experiment: name, network, training: { seed, images } }, state };
}

/** The part of a dataset that a checkpoint's network was trained on, or all of its classes where the network has more. */
function dataOf({ network, training }: Trained['info'], dataset: Experiment['dataset']) {
  const { channels, classes } = datasets[dataset];
  const features = networkOf(network).input.reduce((a, b) => a * b, 1);
  const resolution = Math.sqrt(features / channels);
  return { ...training, classes: Math.min(network.classes, classes), resolution };
}

function conventionOf(text: string | undefined): 'branch' | 'post-activation' | undefined {
  if (text === undefined || text === 'branch' || text === 'post-activation') return text;
  throw new CollimateError(`--convention is ${text}`, 'Give branch or post-activation.');
}
