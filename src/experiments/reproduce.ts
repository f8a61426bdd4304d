import { join } from 'node:path';
import { describe } from '../analysis/network-info.ts';
import type { Analysis, EpochMetrics } from '../analysis/results.ts';
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
import { type Interrupt, Interrupted } from './interrupt.ts';
import { controlOf, type RunConfig } from './run-config.ts';
import { CONFIG, type RunFolder } from './run-folder.ts';
import { DeviceTask, type Task } from './task.ts';
import { type TrainingProgress, type TrainingSession, train } from './train-run.ts';

/** The folder of the control inside a run's. */
export const CONTROL = 'control';

/** Display names of the networks of a run. */
export const labels = {
  run: 'Residual network',
  control: 'No-skip control',
  plain: 'Plain network',
} as const;
export type NetworkName = Exclude<keyof typeof labels, 'plain'>;

export interface ReproduceSession extends Pick<TrainingSession, 'checkpointSeconds'> {
  readonly interrupt: Interrupt;
  /** Chooses the device's kernels; its choices are recorded before they are used. */
  readonly tuner: Pick<Tuner, 'choices' | 'onChoice'>;
  /** Opens a second device to compute beside the first; undefined if that gains nothing. */
  readonly openSecond?: () => Promise<Gpu | undefined>;
  /** Called as a phase begins, for one of the networks. */
  readonly onPhase?: (phase: 'train' | 'analyze', network: NetworkName) => void;
  readonly onProgress: (progress: TrainingProgress, network: NetworkName) => void;
  readonly onEpoch?: (metrics: EpochMetrics, network: NetworkName) => void;
}

/**
 * Trains and analyzes a run's network and its control, beside it on a second device if there is one, else
 * after it, and judges the claims. What the folder already holds is not redone.
 */
export async function reproduce(
  gpu: Gpu,
  task: Task,
  folder: RunFolder,
  config: RunConfig,
  session: ReproduceSession,
) {
  const remedy = 'Set or unset COLLIMATE_DATA as it was then, or restore the file from a copy.';
  refuseDifference(
    { images: config.training.images, ...config.normalization },
    { images: task.train.count, ...task.normalization },
    `${folder.path}/${CONFIG}: the number of images with their normalization`,
    'of the images at hand',
    remedy,
  );
  const { interrupt, tuner, checkpointSeconds } = session;
  const begun = new Map<RunFolder, RunConfig>();
  const record = () => {
    const kernels = Object.fromEntries(Object.entries(tuner.choices).sort()); // whichever network came first
    for (const [into, own] of begun) into.writeJson(CONFIG, { ...own, kernels });
  };
  tuner.onChoice = record;
  /** Whether the run failed, so that its control is to stop at a checkpoint as well. */
  let failed = false;
  const stop = {
    get requested() {
      return failed || interrupt.requested;
    },
  };
  let analyses = 0;

  async function runOne(network: NetworkName, into: RunFolder, own: RunConfig, data: DeviceTask) {
    begun.set(into, own);
    record();
    session.onPhase?.('train', network);
    const { experiment, network: options, training, normalization } = own;
    const { testEvery, seed, samples, compress, lens } = own.settings;
    const info = { experiment, network: options, training, normalization };
    const reporting = {
      onProgress: (progress: TrainingProgress) => session.onProgress(progress, network),
      onEpoch: (metrics: EpochMetrics) => session.onEpoch?.(metrics, network),
    };
    const state = await interrupt.graceful(
      () => train(data, into, info, { testEvery, checkpointSeconds, interrupt: stop, ...reporting }),
      () => analyses > 0,
    );
    if (stop.requested) throw new Interrupted('stopped after training; the checkpoint is written');
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
    session.onPhase?.('analyze', network);
    analyses++;
    const request = { trainingSeed: seed, seed, samples, compress, lens };
    const analysis = known ?? (await analyzeRun(data, options, () => state, request));
    if (!known) into.writeJson(ANALYSIS, analysis);
    await measureCourse(data, into, own, analysis.initialization);
    analyses--;
    return analysis;
  }

  using data = new DeviceTask(gpu, task);
  const runControl =
    config.settings.controlWeightDecay === null
      ? undefined
      : async (on: DeviceTask) => runOne('control', folder.sub(CONTROL), controlOf(config, task), on);
  const isNew = !folder.has(ANALYSIS) && !folder.has(join(CONTROL, ANALYSIS));
  using second = runControl && isNew ? await session.openSecond?.() : undefined;
  using beside = second && new DeviceTask(second, task);
  const running = runOne('run', folder, config, data);
  const ahead = beside && runControl?.(beside);
  ahead?.catch(() => {}); // Reported when it is its turn.
  const analysis = await running.catch(async (error) => {
    failed = true;
    await ahead?.catch(() => {});
    throw error;
  });
  const control = await (ahead ?? runControl?.(data));
  const facts = dataFacts(findExperiment(config.experiment), config.settings);
  // Plain networks carry no claims.
  const claims = config.settings.skip ? judgeRun(analysis, control, facts) : [];
  folder.writeJson(ANALYSIS, { ...analysis, claims } satisfies Analysis);
  return { analysis, control, claims };
}
