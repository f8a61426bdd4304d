import type { Gpu } from '../../src/gpu/device.ts';
import { Recorder } from '../../src/gpu/runnable.ts';
import type { Measured } from '../result.ts';
import { sample, statisticsOf } from '../statistics.ts';
import type { Suite } from '../suite.ts';
import { loadData, nameOf, type StepShape, sizeOf, stepShapes, Training } from '../training.ts';

/** Maximum steps per submit, and milliseconds that they may take on the device. */
const STEPS = 20;
const SUBMIT_MS = 100;

/** The host's part of a training step, which bounds small steps on a fast GPU. */
export const hostSuite: Suite = {
  name: 'host',
  summary: "the host's own time for the training steps of the step suite",
  threads: 'default',
  async run({ gpu, time, add }) {
    using data = await loadData(gpu);
    for (const shape of stepShapes) {
      using training = await Training.create(gpu, data, shape);
      add(await timeHost(gpu, shape, training, time));
    }
  },
};

/** The row of a step of one shape. */
export async function timeHost(
  gpu: Gpu,
  shape: StepShape,
  training: Training,
  time: number,
): Promise<Measured> {
  const dispatches = training.dispatches.length;
  await queueSteps(gpu, training, 1);
  const { whole } = await queueSteps(gpu, training, 1);
  const steps = Math.max(1, Math.min(STEPS, Math.floor(SUBMIT_MS / whole)));
  const encoding: number[] = [];
  const milliseconds = await sample(
    async () => {
      const { encoded, submitted } = await queueSteps(gpu, training, steps);
      encoding.push(encoded / submitted);
      return submitted;
    },
    { time: 4 * time, minimum: 10 },
  );
  return {
    ...{ name: nameOf(shape), size: sizeOf(shape), clock: 'host', milliseconds, flops: 0, bytes: 0 },
    figures: {
      dispatches,
      'µs per dispatch': (1000 * milliseconds.min) / dispatches,
      'share of encoding': statisticsOf(encoding).median,
    },
  };
}

/** Milliseconds per step until the host has encoded some, has submitted them, and they have run. */
async function queueSteps(gpu: Gpu, { trainer }: Training, steps: number) {
  const start = performance.now();
  const encoder = gpu.device.createCommandEncoder();
  const recorder = new Recorder(encoder);
  for (let i = 0; i < steps; i++) for (const program of trainer.programs) program.encode(recorder);
  recorder.end();
  const encoded = (performance.now() - start) / steps;
  gpu.device.queue.submit([encoder.finish()]);
  const submitted = (performance.now() - start) / steps;
  await gpu.idle();
  return { encoded, submitted, whole: (performance.now() - start) / steps };
}
