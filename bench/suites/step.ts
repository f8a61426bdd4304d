import { sample, statisticsOf } from '../statistics.ts';
import { stepProfile } from '../step-profile.ts';
import type { Context, Suite } from '../suite.ts';
import { CLASSES, INPUTS, loadData, mnistFc, type StepShape, Training, timeSteps } from '../training.ts';

/** Steps to a submit, as many as training queues while it watches. */
const STEPS = 20;
/** Steps that are queued without ever waiting. */
const LONG = 1000;

/** Whole training steps of the trainer, on MNIST: D = 128, L = 8, batch 128, with BatchNorm and without. */
export const stepSuite: Suite = {
  name: 'step',
  summary: 'training steps of mnist-fc, with BatchNorm and without',
  threads: 'default',
  async run(context) {
    using data = await loadData(context.gpu);
    for (const norm of [true, false]) {
      const shape = { ...mnistFc, norm };
      using training = await Training.create(context.gpu, data, shape);
      await timeOne(context, shape, training);
      if (norm) await queueMany(context, shape, training);
      if (context.profile) context.say(await stepProfile(context.gpu, training));
    }
  },
};

const sizeOf = ({ depth, width, batch }: StepShape) => `L=${depth} D=${width} batch=${batch}`;
const nameOf = ({ norm }: StepShape) => (norm ? 'with BatchNorm' : 'without BatchNorm');

async function timeOne({ gpu, time, add, peers }: Context, shape: StepShape, training: Training) {
  const check = await training.check();
  const hosts: number[] = [];
  const milliseconds = await sample(
    async () => {
      const { whole, host } = await timeSteps(gpu, training, STEPS);
      hosts.push(host);
      return whole;
    },
    { time: 4 * time },
  );
  const host = statisticsOf(hosts).median;
  const { norm, depth, width, batch } = shape;
  const work = {
    kind: 'step',
    norm,
    depth,
    width,
    inputs: INPUTS,
    classes: CLASSES,
    batch,
    steps: STEPS,
  } as const;
  const beside = await peers?.beside(
    work,
    async () => (await timeSteps(gpu, training, STEPS)).whole,
    // The data are each one's own, so that a loss can only be seen to be one.
    (loss) => (loss >= 0 && loss < 10 ? undefined : `its loss is ${loss}`),
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
}

/** Whether the host is free while the device works through many steps that were queued at once. */
async function queueMany({ gpu, add }: Context, shape: StepShape, training: Training) {
  training.restart();
  const { whole, host } = await timeSteps(gpu, training, LONG);
  const [record] = await training.trainer.records(1);
  add({
    name: `${LONG} steps queued at once`,
    size: sizeOf(shape),
    clock: 'wall',
    milliseconds: statisticsOf([whole]),
    ...training.work,
    figures: {
      'ms until the host was free': host * LONG,
      'ms until all had run': whole * LONG,
      'last loss': record!.loss,
    },
  });
}
