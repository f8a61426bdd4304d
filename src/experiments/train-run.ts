import type { EpochMetrics } from '../analysis/results.ts';
import { command } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { networkOf } from '../models/networks.ts';
import { Evaluator } from '../train/evaluate.ts';
import type { DeviceExamples } from '../train/examples.ts';
import { cosineRate } from '../train/schedules.ts';
import { type HostState, initialState } from '../train/state.ts';
import { type StepRecord, Trainer } from '../train/trainer.ts';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  firstNonFinite,
  refuseDifference,
  type TrainingInfo,
} from './checkpoint.ts';
import { type Interrupt, Interrupted } from './interrupt.ts';
import { Pace } from './pace.ts';
import { CHECKPOINT, METRICS, type RunFolder, readMetrics } from './run-folder.ts';
import { snapshotEpochs, snapshotFile } from './snapshots.ts';
import type { DeviceTask } from './task.ts';

/** A loss above this, or NaN, ends a run: cross-entropy starts near the logarithm of the class count. */
export const DIVERGED_LOSS = 1e4;
const IN_FLIGHT = 2;

export interface TrainingProgress {
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly epochs: number;
  /** Means over the last chunk of steps. */
  readonly loss: number;
  readonly accuracy: number;
  /** After the last full epoch of this session. */
  readonly testAccuracy: number | undefined;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

export interface TrainingSession {
  /** Epochs from one test to the next. */
  readonly testEvery: number;
  readonly interrupt: Pick<Interrupt, 'requested'>;
  /** Seconds of training after which a checkpoint is due. */
  readonly checkpointSeconds: number;
  readonly onProgress: (progress: TrainingProgress) => void;
  readonly onEpoch: (metrics: EpochMetrics) => void;
}

/** The loss is not finite or far too large. Continuing from the last checkpoint would end the same way. */
export class DivergedError extends CollimateError {}

/** Cross-entropy is 0 on a device that computes nothing, or once float32 cannot tell classes apart. */
const nothingLearned = (adapter: string, step: number): CollimateError =>
  new CollimateError(
    `training stopped: the loss is exactly 0 at step ${step} on ${adapter}`,
    `Check the adapter with \`${command('doctor')}\`; if it works, train for fewer epochs or with a larger --weight-decay.`,
  );

type Accuracies = Pick<EpochMetrics, 'testAccuracy' | 'validationAccuracy'>;

/** Steps that were queued together, with what is read after them. */
interface Chunk {
  readonly end: number;
  readonly due: boolean;
  readonly results: Promise<[StepRecord[], Accuracies | undefined, HostState | undefined]>;
}

/**
 * Trains one network in a folder, from its checkpoint if there is one, and returns its final state. The GPU
 * always has work queued; losses, test accuracies and checkpoints are read behind it. However often it is
 * interrupted, a run ends with the same checkpoint and metrics (except seconds).
 */
export async function train(
  data: DeviceTask,
  folder: RunFolder,
  info: TrainingInfo,
  session: TrainingSession,
): Promise<HostState> {
  const { gpu } = data;
  const { epochs, batch, seed } = info.training;
  const network = networkOf(info.network);
  const stepsPerEpoch = Math.floor(data.train.labels.size / batch);
  const steps = epochs * stepsPerEpoch;
  const options = { ...info.training, steps };
  const snapshots = new Set(snapshotEpochs(epochs, info.training.snapshots ?? 0));

  const saved = folder.has(CHECKPOINT) ? readOwn(folder, info, stepsPerEpoch) : undefined;
  let done = saved?.state.step ?? 0;
  if (saved && done >= steps) return saved.state;
  folder.truncateMetrics((line) => line.step <= done);
  const { sums, seconds: secondsBefore } = saved?.info.progress ?? {
    sums: { loss: 0, accuracy: 0 },
    seconds: 0,
  };
  let { loss, accuracy } = sums;
  let savedStep = saved ? done : undefined;

  using trainer = await Trainer.create(gpu, network, data.train, options);
  trainer.load(saved?.state ?? initialState(network, seed));
  // First needed after an epoch: it is compiled while steps run.
  const evaluatorOf = (examples: DeviceExamples) =>
    Evaluator.create(gpu, network, trainer.state.weights, examples);
  const evaluating = Promise.all([
    evaluatorOf(data.test),
    ...(data.validation ? [evaluatorOf(data.validation)] : []),
  ]);
  evaluating.catch(() => {});

  const begin = performance.now();
  const seconds = () => secondsBefore + (performance.now() - begin) / 1000;
  const pace = new Pace();
  let lastCheckpoint = begin;
  const untested: Accuracies = { testAccuracy: null, ...(data.validation && { validationAccuracy: null }) };
  let testAccuracy: number | undefined;
  let result: HostState | undefined;

  async function launch(): Promise<Chunk> {
    const count = Math.min(pace.steps, stepsPerEpoch - (trainer.step % stepsPerEpoch));
    trainer.queue(count);
    const end = trainer.step;
    const isTested = end === steps || end % (session.testEvery * stepsPerEpoch) === 0;
    const evaluators = isTested && (await evaluating); // What starts below must not wait for it unobserved.
    const test = evaluators ? accuracies(evaluators) : undefined;
    const due = end === steps || performance.now() - lastCheckpoint >= 1000 * session.checkpointSeconds;
    if (due) lastCheckpoint = performance.now();
    const state = due || snapshots.has(end / stepsPerEpoch) ? trainer.state.save() : undefined;
    const results = Promise.all([trainer.records(count), test, state]);
    results.catch(() => {}); // Reported when it is the chunk's turn.
    return { end, due, results };
  }

  async function settle({ end, due, results }: Chunk): Promise<void> {
    const [records, test, state] = await results;
    for (const record of records) {
      if (!(record.loss <= DIVERGED_LOSS))
        throw diverged(`the loss is ${record.loss} at step ${record.step}`);
      if (record.loss === 0) throw nothingLearned(gpu.info.name, record.step);
      loss += record.loss;
      accuracy += record.accuracy;
    }
    done = end;
    pace.done(records.length);
    const mean = (value: (r: StepRecord) => number) =>
      records.reduce((sum, r) => sum + value(r), 0) / records.length;
    if (end % stepsPerEpoch === 0) closeEpoch(test ?? untested);
    if (state && snapshots.has(end / stepsPerEpoch)) keep(state);
    if (state && due) save(state);
    session.onProgress({
      step: done,
      steps,
      epoch: Math.ceil(done / stepsPerEpoch),
      epochs,
      loss: mean((r) => r.loss),
      accuracy: mean((r) => r.accuracy),
      testAccuracy,
      imagesPerSecond: pace.stepsPerSecond * batch,
      secondsLeft: (steps - done) / pace.stepsPerSecond,
    });
  }

  function closeEpoch(tested: Accuracies): void {
    testAccuracy = tested.testAccuracy ?? testAccuracy;
    const metrics: EpochMetrics = {
      epoch: done / stepsPerEpoch,
      step: done,
      lr: cosineRate(done - 1, options), // of the last step done
      loss: loss / stepsPerEpoch,
      trainAccuracy: Math.max(0, accuracy / stepsPerEpoch),
      ...tested,
      seconds: Math.round(1000 * seconds()) / 1000,
    };
    [loss, accuracy] = [0, 0];
    // Before the checkpoint of the same step: a resumed run drops what follows its checkpoint and rewrites
    // snapshots from there.
    folder.appendMetrics(metrics);
    session.onEpoch(metrics);
  }

  function keep(state: HostState): void {
    checkFinite(state);
    const weights = { ...state, moments: [] };
    folder.write(snapshotFile(done / stepsPerEpoch), encodeCheckpoint({ info, state: weights }));
  }

  function checkFinite(state: HostState): void {
    const bad = firstNonFinite(state);
    if (bad) throw diverged(`${bad} is not finite after step ${done - 1}`);
  }

  function save(state: HostState): void {
    checkFinite(state);
    const progress = done < steps && { progress: { sums: { loss, accuracy }, seconds: seconds() } };
    folder.write(CHECKPOINT, encodeCheckpoint({ info: { ...info, ...progress }, state }));
    savedStep = done;
    if (done === steps) result = state;
  }

  function diverged(what: string): DivergedError {
    const kept =
      savedStep === undefined ? 'no checkpoint was written' : `the checkpoint of step ${savedStep} is kept`;
    return new DivergedError(
      `training diverged: ${what}; ${kept}`,
      `Begin another run with a smaller --lr (it is ${options.lr}), --momentum (${options.momentum}) or --weight-decay (${options.weightDecay}).`,
    );
  }

  try {
    const flight: Chunk[] = [];
    while (!result) {
      while (flight.length < IN_FLIGHT && trainer.step < steps && !session.interrupt.requested) {
        flight.push(await launch());
      }
      const next = flight.shift();
      if (next) await settle(next);
      else {
        // Nothing is in flight or to be queued: the user wants to stop.
        if (savedStep !== done) save(await trainer.state.save());
        throw new Interrupted(`stopped after step ${done} of ${steps}; the checkpoint is written`);
      }
    }
    return result;
  } finally {
    for (const evaluator of await evaluating.catch(() => [])) evaluator.dispose();
  }
}

async function accuracies(evaluators: readonly Evaluator[]): Promise<Accuracies> {
  const [testAccuracy, validationAccuracy] = await Promise.all(evaluators.map((e) => e.accuracy()));
  return { testAccuracy: testAccuracy!, ...(validationAccuracy !== undefined && { validationAccuracy }) };
}

/** The folder's checkpoint, which must belong to the run that its config.json and its metrics describe. */
function readOwn(folder: RunFolder, info: TrainingInfo, stepsPerEpoch: number) {
  const name = `${folder.path}/${CHECKPOINT}`;
  const checkpoint = decodeCheckpoint(folder.readBytes(CHECKPOINT), name);
  const remedy = 'Restore the file, or remove it to train from the beginning.';
  for (const part of ['experiment', 'network', 'training', 'normalization'] as const) {
    const what = `${name} belongs to another run: its ${part}`;
    refuseDifference(checkpoint.info[part], info[part], what, 'in config.json it is', remedy);
  }
  const refuse = (message: string) => {
    throw new CollimateError(`${name} ${message}`, remedy);
  };
  const { step } = checkpoint.state;
  const { progress } = checkpoint.info;
  const { epochs } = info.training;
  const steps = epochs * stepsPerEpoch;
  if (step > steps) refuse(`is of step ${step}, and the run has ${steps}`);
  if (step < steps !== (progress !== undefined)) {
    refuse(`is of step ${step} of ${steps}, and ${progress ? 'has' : 'lacks'} the progress of an epoch`);
  }
  // Lines between are of steps that will be repeated.
  const lines = readMetrics(folder.path).filter((line) => line.step <= step || line.step > steps);
  const done = Math.floor(step / stepsPerEpoch);
  const expected = Array.from({ length: done }, (_, i) => [i + 1, (i + 1) * stepsPerEpoch]);
  const what = `${folder.path}/${METRICS}: the list of epochs with their steps, up to the checkpoint's step ${step},`;
  refuseDifference(
    lines.map((line) => [line.epoch, line.step]),
    expected,
    what,
    'by the checkpoint',
    'Restore the file from a copy, or remove it and the checkpoint to train from the beginning.',
  );
  return checkpoint;
}
