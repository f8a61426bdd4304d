import { softmaxCrossEntropy } from '../src/autograd/functions.ts';
import { trace } from '../src/autograd/graph.ts';
import { interpret } from '../src/autograd/interpret.ts';
import type { Tensor } from '../src/autograd/tensor.ts';
import { valueAndGrad } from '../src/autograd/transform.ts';
import { loadTask } from '../src/experiments/load-task.ts';
import { DeviceTask, featuresOf, type Task } from '../src/experiments/task.ts';
import type { Gpu } from '../src/gpu/device.ts';
import { shuffleIndex } from '../src/kernels/shuffle.ts';
import { ConvResNet } from '../src/models/conv-resnet.ts';
import { FcResNet } from '../src/models/fc-resnet.ts';
import { trainingNorm } from '../src/train/batch-norm.ts';
import type { Network } from '../src/train/network.ts';
import { type HostState, initialState, shuffleSeed } from '../src/train/state.ts';
import { Trainer, type TrainerOptions } from '../src/train/trainer.ts';
import { workOf } from './cases.ts';
import type { Check } from './result.ts';

/** The network and the batch of a training step. */
export interface StepShape {
  readonly kind: 'fc' | 'conv';
  /** Whether there is BatchNorm. */
  readonly norm: boolean;
  readonly depth: number;
  /** Features of a fully connected network, channels of a convolutional one. */
  readonly width: number;
  readonly batch: number;
}

/** The networks of `mnist-fc` and `mnist-conv`, and the batches that their experiments use. */
export const mnistFc: StepShape = { kind: 'fc', norm: true, depth: 8, width: 128, batch: 128 };
export const mnistConv: StepShape = { kind: 'conv', norm: true, depth: 10, width: 32, batch: 128 };

/** Of which steps are timed. */
export const stepShapes: readonly StepShape[] = [mnistFc, { ...mnistFc, norm: false }, mnistConv];

export const nameOf = ({ kind, norm }: StepShape): string =>
  `${kind === 'conv' ? 'conv ' : ''}${norm ? 'with' : 'without'} BatchNorm`;
export const sizeOf = ({ kind, depth, width, batch }: StepShape): string =>
  `L=${depth} ${kind === 'fc' ? 'D' : 'C'}=${width} batch=${batch}`;

export const CLASSES = 10;
const SEED = 1;
const optimizer = { lr: 0.01, momentum: 0.9, weightDecay: 0, steps: 1_000_000, seed: SEED };

let task: Promise<Task> | undefined;
/** MNIST, loaded once. */
const mnist = (): Promise<Task> => {
  task ??= loadTask('mnist', { classes: CLASSES, images: 60_000 });
  return task;
};
/** Height, width and channels of an MNIST image, and its features to a fully connected network. */
export const IMAGE = [28, 28, 1] as const;
export const INPUTS = 784;
/** Makes maps of 4×4 of them. */
export const STEM = { size: 7, stride: 6, padding: 1 } as const;

export function networkOf({ kind, norm, depth, width }: StepShape): Network {
  const options = { classes: CLASSES, activation: 'relu', skip: true, depth } as const;
  const whole =
    kind === 'fc'
      ? new FcResNet({ ...options, inputs: INPUTS, width })
      : new ConvResNet({ ...options, inputs: IMAGE, channels: width, stem: STEM });
  return norm ? whole : withoutNorms(whole);
}

/** The same network with identities for BatchNorm. */
function withoutNorms(network: Network): Network {
  return {
    input: network.input,
    parameters: network.parameters.filter(({ name }) => !/\.bn\d?\./.test(name)),
    norms: [],
    forward: (weights, x) => network.forward(weights, x, (h) => h),
  };
}

/** MNIST in GPU memory, for any number of trainings. */
export const loadData = async (gpu: Gpu): Promise<DeviceTask> => new DeviceTask(gpu, await mnist());

/** The training loop of a step's shape, on MNIST, at its initial state. */
export class Training implements Disposable {
  readonly trainer: Trainer;
  readonly #network: Network;
  readonly #initial: HostState;
  readonly #options: TrainerOptions;

  private constructor(trainer: Trainer, network: Network, initial: HostState, options: TrainerOptions) {
    this.trainer = trainer;
    this.#network = network;
    this.#initial = initial;
    this.#options = options;
  }

  static async create(gpu: Gpu, { train }: DeviceTask, shape: StepShape): Promise<Training> {
    const network = networkOf(shape);
    const options = { ...optimizer, batch: shape.batch };
    const trainer = await Trainer.create(gpu, network, train, options);
    const training = new Training(trainer, network, initialState(network, SEED), options);
    training.restart();
    return training;
  }

  restart(): void {
    this.trainer.load(this.#initial);
  }

  /** Kernels of one step, in order. */
  get dispatches() {
    return this.trainer.programs.flatMap((program) => program.dispatches);
  }

  /** Operations and bytes of a step. */
  get work() {
    return workOf(this.dispatches.map(({ kernel }) => kernel));
  }

  /** Runs the first step and compares its loss and parameter changes with float64. */
  async check(): Promise<Check> {
    this.restart();
    this.trainer.queue(1);
    const [[record], { parameters }] = await Promise.all([
      this.trainer.records(1),
      this.trainer.state.save(),
    ]);
    const expected = this.#reference(await mnist());
    let [difference, size] = [0, 0];
    for (const [name, gradient] of expected.gradients) {
      const [before, after] = [this.#initial.parameters.get(name)!, parameters.get(name)!];
      gradient.forEach((g, i) => {
        difference += ((before[i]! - after[i]!) / this.#options.lr - g) ** 2;
        size += g * g;
      });
    }
    const error = Math.max(
      Math.abs(record!.loss - expected.loss) / expected.loss,
      Math.sqrt(difference / size),
    );
    // Where a sum lies within rounding of 0, relu may open here and not there, which alone gives some 1e-3.
    return { relativeTo: 'the loss, and the norm of the gradients', error, tolerance: 1e-2 };
  }

  /** Loss and gradients of the first step in float64. */
  #reference({ train, normalization }: Task): { loss: number; gradients: Map<string, Float64Array> } {
    const { batch, seed } = this.#options;
    const features = featuresOf(train);
    const [x, y] = [new Float64Array(batch * features), new Float64Array(batch)];
    for (let i = 0; i < batch; i++) {
      const index = shuffleIndex(i, shuffleSeed(seed), train.count);
      y[i] = train.labels[index]!;
      for (let k = 0; k < features; k++) {
        const pixel = train.images[index * features + k]! / 255;
        x[i * features + k] = (pixel - normalization.mean[0]!) / normalization.std[0]!;
      }
    }
    const { parameters, input } = this.#network;
    const graph = trace(
      (weights: Record<string, Tensor>, images: Tensor, labels: Tensor) =>
        valueAndGrad((w: Record<string, Tensor>) =>
          softmaxCrossEntropy(this.#network.forward(w, images, trainingNorm({})), labels),
        )(weights),
      [
        Object.fromEntries(parameters.map(({ name, shape }) => [name, { shape }])),
        { shape: [batch, ...input] },
        { shape: [batch] },
      ],
    );
    const given = [...parameters.map(({ name }) => this.#initial.parameters.get(name)!), x, y];
    const [loss, ...gradients] = interpret(graph, given).map(({ data }) => data as Float64Array);
    return { loss: loss![0]!, gradients: new Map(parameters.map(({ name }, i) => [name, gradients[i]!])) };
  }

  dispose(): void {
    this.trainer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Milliseconds per step, with `steps` queued at once and then awaited; `host` is the part to queue one. */
export async function timeSteps(
  gpu: Gpu,
  { trainer }: Training,
  steps: number,
): Promise<{ whole: number; host: number }> {
  await gpu.idle();
  const start = performance.now();
  trainer.queue(steps);
  const queued = performance.now();
  await gpu.idle();
  return { whole: (performance.now() - start) / steps, host: (queued - start) / steps };
}
