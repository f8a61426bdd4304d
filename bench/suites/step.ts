import type { Work } from '../peer-client.ts';
import { sample, statisticsOf } from '../statistics.ts';
import { stepProfile } from '../step-profile.ts';
import type { Context, Suite } from '../suite.ts';
import {
  CLASSES,
  IMAGE,
  INPUTS,
  loadData,
  mnistFc,
  nameOf,
  STEM,
  type StepShape,
  sizeOf,
  stepShapes,
  Training,
  timeSteps,
} from '../training.ts';

/** Steps per submit, as many as training queues; fewer if they would take longer than this. */
const STEPS = 20;
const SUBMIT_MS = 1000;
/** Steps queued at once: the most that end within about this many milliseconds, or the fewest. */
const LONG = [1000, 500, 200, 100];
const LONG_MS = 25_000;

/** Whole steps of the trainer on MNIST, for both networks. */
export const stepSuite: Suite = {
  name: 'step',
  summary: 'training steps of mnist-fc, with BatchNorm and without, and of mnist-conv',
  threads: 'default',
  async run(context) {
    using data = await loadData(context.gpu);
    for (const shape of stepShapes) {
      using training = await Training.create(context.gpu, data, shape);
      const median = await timeOne(context, shape, training);
      if (shape === mnistFc) await queueMany(context, shape, training, median);
      if (context.profile) context.say(await stepProfile(context.gpu, training));
    }
  },
};

/** The same step for peers. */
const workOf = ({ kind, norm, depth, width, batch }: StepShape): Work => ({
  ...{ kind: 'step', norm, depth, width, classes: CLASSES, batch },
  ...(kind === 'fc' ? { network: kind, inputs: INPUTS } : { network: kind, inputs: IMAGE, stem: STEM }),
});

/** Adds the row of a step of one shape, and returns its median in milliseconds. */
export async function timeOne(
  { gpu, time, add, peers }: Context,
  shape: StepShape,
  training: Training,
): Promise<number> {
  const check = await training.check();
  const first = await timeSteps(gpu, training, 2);
  const steps = Math.max(2, Math.min(STEPS, Math.floor(SUBMIT_MS / first.whole)));
  const hosts: number[] = [];
  const milliseconds = await sample(
    async () => {
      const { whole, host } = await timeSteps(gpu, training, steps);
      hosts.push(host);
      return whole;
    },
    { time: 4 * time },
  );
  const host = statisticsOf(hosts).median;
  const beside = await peers?.beside(
    workOf(shape),
    async () => (await timeSteps(gpu, training, steps)).whole,
    // Each peer has data of its own, so there is no value to compare with.
    (loss) => (loss >= 0 && loss < 10 ? undefined : `its loss is ${loss}`),
    STEPS,
  );
  add({
    name: nameOf(shape),
    size: sizeOf(shape),
    clock: 'wall',
    milliseconds,
    ...training.work,
    check,
    figures: { 'host share': host / milliseconds.median, dispatches: training.dispatches.length },
    ...(beside ? { peers: beside } : {}),
  });
  return milliseconds.median;
}

/** Whether the host is free while the device works through many steps that were queued at once. */
async function queueMany({ gpu, add }: Context, shape: StepShape, training: Training, median: number) {
  const count = LONG.find((steps) => steps * median <= LONG_MS) ?? LONG.at(-1)!;
  training.restart();
  const { whole, host } = await timeSteps(gpu, training, count);
  const [record] = await training.trainer.records(1);
  add({
    name: `${count} steps queued at once`,
    size: sizeOf(shape),
    clock: 'wall',
    milliseconds: statisticsOf([whole]),
    ...training.work,
    figures: {
      'ms until the host was free': host * count,
      'ms until all had run': whole * count,
      'last loss': record!.loss,
    },
  });
}
