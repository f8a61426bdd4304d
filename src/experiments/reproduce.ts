import type { Evidence } from '../analysis/evidence.ts';
import { describe } from '../analysis/network-info.ts';
import type { Analysis } from '../analysis/results.ts';
import { judgeRun } from '../analysis/run-claims.ts';
import type { Gpu } from '../gpu/device.ts';
import { networkOf } from '../models/networks.ts';
import type { Tuner } from '../tuner/tuner.ts';
import { ANALYSIS, REPORT, readAnalysis } from './analysis-file.ts';
import { analyzeRun } from './analyst.ts';
import { refuseDifference } from './checkpoint.ts';
import { measureCourse, missingEpochs } from './course.ts';
import { dataFacts } from './experiment.ts';
import { findExperiment } from './given-settings.ts';
import { Interrupted } from './interrupt.ts';
import { controlOf, type RunConfig } from './run-config.ts';
import { CONFIG, type RunFolder } from './run-folder.ts';
import { DeviceTask, type Task } from './task.ts';
import { type TrainingSession, train } from './train-run.ts';

/** The folder of the control inside a run's. */
export const CONTROL = 'control';

/** Display names of the networks of a run. */
export const labels = {
  run: 'Residual network',
  control: 'No-skip control',
  plain: 'Plain network',
} as const;
export type NetworkName = Exclude<keyof typeof labels, 'plain'>;

export interface ReproduceSession extends Omit<TrainingSession, 'onProgress' | 'onEpoch' | 'testEvery'> {
  /** Chooses the device's kernels; its choices are recorded before they are used. */
  readonly tuner: Pick<Tuner, 'choices' | 'onChoice'>;
  /** What begins now, for one of the networks. */
  readonly onStage: (stage: 'train' | 'analyze', network: NetworkName) => void;
  readonly onProgress: TrainingSession['onProgress'];
  readonly onEpoch: TrainingSession['onEpoch'];
}

export interface Outcome {
  readonly analysis: Analysis;
  readonly control: Analysis | undefined;
  readonly claims: Evidence[];
}

/**
 * Trains and analyzes the network of a run, then its control, and judges the claims. What the folder already holds is not
 * done again.
 */
export async function reproduce(
  gpu: Gpu,
  task: Task,
  folder: RunFolder,
  config: RunConfig,
  session: ReproduceSession,
): Promise<Outcome> {
  const remedy = 'Set or unset COLLIMATE_DATA as it was then, or restore the file from a copy.';
  refuseDifference(
    { images: config.training.images, ...config.normalization },
    { images: task.train.count, ...task.normalization },
    `${folder.path}/${CONFIG}: the number of images with their normalization`,
    'of the images at hand',
    remedy,
  );
  using data = new DeviceTask(gpu, task);
  const record = (into: RunFolder, own: RunConfig) =>
    into.writeJson(CONFIG, { ...own, kernels: { ...session.tuner.choices } });
  const runOne = async (network: NetworkName, into: RunFolder, own: RunConfig) => {
    session.tuner.onChoice = () => {
      record(folder, config);
      if (into !== folder) record(into, own);
    };
    record(into, own);
    session.onStage('train', network);
    const { experiment, network: options, training, normalization } = own;
    const { testEvery, seed, samples } = own.settings;
    const info = { experiment, network: options, training, normalization };
    const state = await session.interrupt.graceful(() =>
      train(gpu, data, into, info, { ...session, testEvery }),
    );
    if (session.interrupt.requested)
      throw new Interrupted('stopped after training; the checkpoint is written');
    const known = readAnalysis(into.path);
    if (known) {
      const what = `${into.path}/${ANALYSIS}: its network with the step, the samples and the seed that were measured`;
      const { network, trained, settings } = known;
      const has = { ...network, step: trained.step, samples: trained.samples.length, seed: settings.seed };
      const expected = { ...describe(networkOf(options)), step: state.step, samples, seed };
      const again = 'Remove the file; it will be made again.';
      refuseDifference(has, expected, what, 'by the checkpoint and by config.json', again);
      if (!missingEpochs(into.path, own.settings).length) return known;
    }
    folder.remove(REPORT); // If there is one, it is of an earlier analysis.
    session.onStage('analyze', network);
    const request = { trainingSeed: seed, seed, samples };
    const analysis = known ?? (await analyzeRun(gpu, task, data, options, state, request));
    if (!known) into.writeJson(ANALYSIS, analysis);
    await measureCourse(gpu, task, data, into, own, analysis.initialization);
    return analysis;
  };

  const analysis = await runOne('run', folder, config);
  const control =
    config.settings.controlWeightDecay === null
      ? undefined
      : await runOne('control', folder.sub(CONTROL), controlOf(config, task));
  const { dataset } = findExperiment(config.experiment);
  // No claim is made of a plain network.
  const claims = config.settings.skip ? judgeRun(analysis, control, dataFacts(dataset, config.settings)) : [];
  folder.writeJson(ANALYSIS, { ...analysis, claims } satisfies Analysis);
  return { analysis, control, claims };
}
