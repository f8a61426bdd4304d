import { fitLine, statisticsOf } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { loadData, mnistFc, Training, timeSteps } from '../training.ts';
import { queuedDispatch } from './dispatch.ts';

/** What varies; all else is as in mnist-fc. */
export interface Axis {
  readonly axis: 'depth' | 'width' | 'batch';
  readonly at: readonly number[];
  /** The quantity in which a step's time should be linear. */
  readonly abscissa: (value: number) => number;
  readonly unit: string;
}

export const axes: readonly Axis[] = [
  { axis: 'depth', at: [1, 2, 4, 8, 16], abscissa: (x) => x, unit: 'blocks' },
  // Each layer has D² weights.
  { axis: 'width', at: [32, 64, 128, 192, 256], abscissa: (x) => (x * x) / 1000, unit: 'D²/1000' },
  { axis: 'batch', at: [16, 32, 64, 128, 256, 512], abscissa: (x) => x, unit: 'examples' },
];

const STEPS = 5;
const ROUNDS = 7;

/** Step time against depth, width and batch, beside the cost of its dispatches if empty. */
export const scalingSuite: Suite = {
  name: 'scaling',
  summary: 'step time against depth, width and batch',
  threads: 'default',
  async run(context) {
    const cost = (await queuedDispatch(context.gpu, context.time)).median;
    for (const axis of axes) await vary(context, axis, cost);
  },
};

/** All points of an axis in turns, so that a slow minute does not bend the line. */
async function vary({ gpu, add, say }: Context, { axis, at, abscissa, unit }: Axis, cost: number) {
  using data = await loadData(gpu);
  const points: { value: number; training: Training; samples: number[] }[] = [];
  try {
    await Promise.all(
      at.map(async (value, i) => {
        const training = await Training.create(gpu, data, { ...mnistFc, [axis]: value });
        points[i] = { value, training, samples: [] };
      }),
    );
    for (let round = -1; round < ROUNDS; round++) {
      for (const { training, samples } of points) {
        const { whole } = await timeSteps(gpu, training, round < 0 ? 2 : STEPS);
        if (round >= 0) samples.push(whole);
      }
    }
    for (const { value, training, samples } of points) {
      const dispatches = training.dispatches.length;
      add({
        name: axis,
        size: `${value}`,
        clock: 'wall',
        milliseconds: statisticsOf(samples),
        ...training.work,
        figures: { dispatches, 'ms of dispatching': dispatches * cost },
      });
    }
    const { a, b, r2 } = fitLine(
      points.map(({ value, samples }) => [abscissa(value), statisticsOf(samples).median]),
    );
    say(`${axis}: ${a.toFixed(2)} ms + ${b.toPrecision(3)} ms × ${unit}, R² ${r2.toFixed(3)}`);
  } finally {
    for (const point of points) point?.training.dispose();
  }
}
