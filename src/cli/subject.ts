import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DataFacts } from '../analysis/run-claims.ts';
import { sizeOf } from '../autograd/shape.ts';
import type { Dataset, DatasetOptions } from '../data/dataset.ts';
import { type DatasetName, datasets } from '../data/datasets.ts';
import { CollimateError } from '../errors.ts';
import type { AnalysisRequest } from '../experiments/analyst.ts';
import { decodeCheckpoint } from '../experiments/checkpoint.ts';
import { dataFacts, imageShape } from '../experiments/experiment.ts';
import { recognize } from '../experiments/foreign/families.ts';
import { imageFolder, normalizedAs, preprocessing } from '../experiments/foreign/images.ts';
import { openTensors, type TensorFiles } from '../experiments/foreign/tensor-files.ts';
import { cutText, readTexts } from '../experiments/foreign/texts.ts';
import {
  bringForward,
  IMAGENET_CLASSES,
  IMAGENETTE_IN_IMAGENET,
  weightsOf,
} from '../experiments/foreign/weights.ts';
import { findExperiment, resolveSettings } from '../experiments/given-settings.ts';
import { type RunConfig, readConfig } from '../experiments/run-config.ts';
import { CHECKPOINT, CONFIG } from '../experiments/run-folder.ts';
import { imagesFrom, type Task, taskOf } from '../experiments/task.ts';
import { type NetworkOptions, networkOf, networks } from '../models/networks.ts';
import type { HostState } from '../train/state.ts';
import { fetchTask } from './fetching.ts';

/** A network with its weights, and the images it is measured on. */
export interface Subject {
  readonly network: NetworkOptions;
  /** Its weights; read again each time but the first, so that nobody need keep them. */
  state(): HostState;
  /** Random seed of its training, or a substitute. */
  readonly seed: number;
  /** Of its run. */
  readonly config?: RunConfig | undefined;
  /** Our datasets that it needs. */
  readonly datasets: readonly DatasetName[];
  readonly facts: DataFacts;
  task(): Promise<Task>;
  /** Defaults of the analysis. */
  request?(task: Task): Pick<AnalysisRequest, 'triples' | 'spectrum'> & Partial<AnalysisRequest>;
}

export interface SubjectOptions {
  readonly config: string | undefined;
  readonly data: string | undefined;
  readonly experiment: string | undefined;
  readonly preset: string;
  readonly tokens: string | undefined;
  readonly text: string | undefined;
  readonly length: number | undefined;
  readonly branches: 'apart' | 'together' | undefined;
  readonly resolution: number | undefined;
  readonly images: number;
  readonly dataDir: string | undefined;
}

/** What is at a path: a run or its checkpoint, or weights from elsewhere. */
export async function subjectAt(path: string, options: SubjectOptions): Promise<Subject> {
  const checkpoint = join(path, CHECKPOINT);
  const files = openTensors(existsSync(checkpoint) ? checkpoint : path, options.config);
  const { experiment } = options;
  const isRun = experiment === undefined && files.format?.startsWith('collimate/');
  const other = OF_OTHERS.find((name) => options[name] !== undefined);
  if (other && (isRun || experiment !== undefined))
    throw new CollimateError(
      `--${other} is for published networks, and ${path} is measured as ${isRun ? 'its run was trained' : `the network of ${experiment}`}`,
      `Leave --${other} out.`,
    );
  if (experiment !== undefined) return ofExperiment(files, experiment, options);
  return isRun ? ofRun(files, options) : fromElsewhere(files, options);
}

const OF_OTHERS = ['config', 'data', 'tokens', 'text', 'length', 'branches', 'resolution'] as const;

function ofRun({ path }: TensorFiles, { dataDir }: SubjectOptions): Subject {
  const { info, state } = decodeCheckpoint(readFileSync(path), path);
  const again = () => decodeCheckpoint(readFileSync(path), path).state;
  const { network, training } = info;
  const experiment = findExperiment(info.experiment);
  const { dataset } = experiment;
  const folder = dirname(path);
  return {
    ...{ network, state: onceHeld(state, again), seed: training.seed, datasets: [dataset] },
    config: existsSync(join(folder, CONFIG)) ? readConfig(folder) : undefined,
    facts: dataFacts(experiment, { randomLabels: 0, ...training }),
    task: () => fetchTask(dataset, { ...training, ...partFor(network, datasets[dataset]) }, dataDir),
  };
}

/** Bare weights of the network that an experiment trains, on its data. */
function ofExperiment(files: TensorFiles, name: string, { preset, dataDir }: SubjectOptions): Subject {
  const experiment = findExperiment(name);
  const { model, dataset } = experiment;
  const { settings } = resolveSettings(experiment, { preset });
  const options = networks[model].optionsOf(settings, imageShape(dataset, settings));
  const { classifier, reconstructs } = networkOf(options);
  const [classes = 0] = files.shapes.get(classifier) ?? [];
  const network = classes >= 2 && !reconstructs ? { ...options, classes } : options;
  const read = () => matched(weightsOf(files, network, `the network of ${name}`), network, datasets[dataset]);
  const state = onceHeld(read(), read);
  noteClasses(network, datasets[dataset], datasets[dataset].classes);
  const { seed, images } = settings;
  return {
    ...{ network, state, seed, datasets: [dataset] },
    facts: dataFacts(experiment, { randomLabels: 0 }),
    task: () => fetchTask(dataset, { seed, images, ...partFor(network, datasets[dataset]) }, dataDir),
  };
}

const SEED = 1;
const IMAGES = 'images with `--data`: `--data imagenette`, another dataset, or a folder.';
const SAMPLES = 16;
/** Share of correctly predicted next tokens from which a network counts as trained: our choice. */
const TEXTS_AT = 0.2;
/** Default number of tokens that a network reads of a piece of text. */
const LENGTH = 64;
/** Default number of triples to compare in a network with many classes. */
const TRIPLES = 30;

/** A published network, on the user's images or texts. */
async function fromElsewhere(files: TensorFiles, given: SubjectOptions): Promise<Subject> {
  const texts = await textsFor(files, given);
  const data = texts ? undefined : imagesFor(files, given);
  const recognized = recognize(files, { ...data, texts, branches: given.branches });
  const { family, options } = recognized;
  const network = networkOf(options);
  const classes = `${options.classes} ${texts ? `tokens that end ${texts.task.train.count} texts` : 'classes'}`;
  console.error(`${files.path} is ${family.title}: ${network.blocks.length} blocks, ${classes}`);
  const read = () => matched(recognized.state(), options, data?.dataset);
  const first = read();
  if (first.parameters.get(network.classifier)!.every((w) => w === 0))
    console.error('note: it has no classifier: accuracies, and measures of the classifier, say nothing');
  const dims = network.stages.map(({ shape }) => sizeOf(shape));
  const common = {
    ...{ network: options, state: onceHeld(first, read), seed: SEED },
    request: ({ train: { classes, count } }: Task) => {
      const triples = Math.min(options.classes, classes, TRIPLES, ...dims);
      return { triples, spectrum: Math.min(3 * triples, ...dims), samples: Math.min(SAMPLES, count) };
    },
  };
  if (texts) {
    const facts = { trainedAt: TEXTS_AT, randomLabels: false };
    return { ...common, datasets: [], facts, task: async () => texts.task };
  }
  if (!data) throw new CollimateError('there are no images to measure it at', `Give ${IMAGES}`);
  const { dataset, name } = data;
  const [side] = network.input;
  if (given.resolution !== undefined && given.resolution !== side)
    throw new CollimateError(
      `--resolution is ${given.resolution}, and the network takes images of ${side}×${side} pixels here`,
      'Leave --resolution out.',
    );
  checkImages(network.input, dataset);
  return {
    ...common,
    datasets: name ? [name] : [],
    facts: { trainedAt: dataset.trainedAt, randomLabels: false },
    async task() {
      const { images, dataDir } = given;
      const settings = { seed: SEED, images, ...partFor(options, dataset) };
      const task = await (name ? fetchTask(name, settings, dataDir) : folderTask(dataset, settings, dataDir));
      noteClasses(options, dataset, task.train.classes);
      const { test } = task;
      const some = { ...task, test: imagesFrom(test, 0, Math.min(images, test.count)) };
      return normalizedAs(some, data, name === undefined || name === 'imagenette');
    },
  };
}

/** The user's texts, as token ids; undefined if none are given. */
async function textsFor(files: TensorFiles, { tokens, text, length, images }: SubjectOptions) {
  if (text !== undefined) return cutText(text, files.path, length ?? LENGTH, images);
  if (length === undefined) return tokens === undefined ? undefined : readTexts(tokens);
  throw new CollimateError('--length is for pieces of --text, and there is none', 'Leave it out.');
}

/** The user's images, preprocessed for the network; undefined if none are given. */
function imagesFor(files: TensorFiles, { data, resolution }: SubjectOptions) {
  if (data === undefined) return undefined;
  const name = Object.hasOwn(datasets, data) ? (data as DatasetName) : undefined;
  const dataset = name ? datasets[name] : imageFolder(data);
  const inputs = preprocessing(files.config(), files.path);
  const side = dataset.settings?.includes('resolution') ? (resolution ?? inputs.side) : dataset.side;
  return { ...inputs, side, name, dataset, classes: dataset.classes };
}

function checkImages(
  [height, , channels]: readonly number[],
  { title, side, settings, ...own }: Dataset,
): void {
  if (channels === own.channels && (height === side || settings?.includes('resolution'))) return;
  throw new CollimateError(
    `the network takes images of ${height}×${height} pixels and ${channels} channels, and those of ${title} have ${side}×${side} and ${own.channels}`,
    `Give other ${IMAGES}`,
  );
}

async function folderTask(
  folder: Dataset,
  settings: { classes: number; images: number; resolution: number },
  dataDir: string | undefined,
): Promise<Task> {
  const options: DatasetOptions = { size: settings.resolution, dataDir };
  const split = await folder.load(options, undefined as never); // it has no source
  return taskOf(split, { ...settings, classes: Math.min(settings.classes, split.train.classes) });
}

/** The part of a dataset that a network was trained on, or all of its classes where the network has more. */
function partFor(network: NetworkOptions, { channels, classes }: Dataset) {
  const { input, reconstructs } = networkOf(network);
  const resolution = Math.sqrt(input.reduce((a, b) => a * b, 1) / channels);
  return { classes: reconstructs ? classes : Math.min(network.classes, classes), resolution };
}

/** Whether a network's outputs are ImageNet's, and the data show ten of these classes. */
const isImagenet = ({ classes }: NetworkOptions, dataset: Dataset | undefined): boolean =>
  dataset === datasets.imagenette && classes === IMAGENET_CLASSES;

/** Reorders outputs to match the data, where it is known how. */
function matched(state: HostState, network: NetworkOptions, dataset: Dataset | undefined): HostState {
  if (isImagenet(network, dataset))
    bringForward(state, networkOf(network).classifier, IMAGENETTE_IN_IMAGENET);
  return state;
}

function noteClasses(network: NetworkOptions, dataset: Dataset, classes: number): void {
  if (network.classes <= classes || networkOf(network).reconstructs) return;
  console.error(
    `note: the network tells ${network.classes} classes apart, and ${dataset.title} shows ${classes}: ` +
      (isImagenet(network, dataset)
        ? 'the outputs are reordered so that its classes come first'
        : `accuracies and neural collapse use the first ${classes} outputs`),
  );
}

/** The state at hand the first time, then one that is read again. */
function onceHeld(first: HostState, again: () => HostState): Subject['state'] {
  let held: HostState | undefined = first;
  return () => {
    const state = held ?? again();
    held = undefined;
    return state;
  };
}
