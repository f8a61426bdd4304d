import { DeviceArray } from '../autograd/array.ts';
import { checkWhole } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { philox, philoxNormal, philoxUniform } from '../kernels/philox.ts';
import { range } from '../lists.ts';
import { Layout } from './layout.ts';
import { type Network, type ParameterSpec, statisticsOf } from './network.ts';

/** Everything that training carries from step to step, in host memory. */
export interface HostState {
  /** Steps done. */
  step: number;
  parameters: Map<string, Float32Array>;
  /** Running means and variances. */
  statistics: Map<string, Float32Array>;
  /** The optimizer's running averages by parameter: none, momentum, or AdamW's two. */
  moments: readonly Map<string, Float32Array>[];
}

export function keyOf(seed: number): [number, number] {
  checkWhole('seed', seed, 0);
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

/** The u32 from which the order of each epoch follows. */
export const shuffleSeed = (seed: number): number => philox([0, 0, 0, 1], keyOf(seed))[0];

/** A network as PyTorch initializes it; numbers depend on the seed alone. Example: {@link TrainingState} */
export function initialState(network: Network, seed: number): HostState {
  const parameters = new Map(
    network.parameters.map((parameter, stream) => [
      parameter.name,
      initialValues(parameter, keyOf(seed), stream),
    ]),
  );
  const statistics = new Map(
    statisticsOf(network).map(({ kind, name, shape: [features] }) => [
      name,
      new Float32Array(features!).fill(kind === 'var' ? 1 : 0),
    ]),
  );
  return { step: 0, parameters, statistics, moments: [] };
}

function initialValues({ shape, init, within }: ParameterSpec, key: [number, number], stream: number) {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = drawn(size, init, key, stream);
  if (!within) return values;
  const isInside = isWithin(shape, within);
  return values.map((x, i) => (isInside(i) ? x : 0));
}

/** Whether element i of an array lies where {@link ParameterSpec.within} says. */
export function isWithin(shape: readonly number[], within: NonNullable<ParameterSpec['within']>) {
  const outer = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return (i: number): boolean =>
    within.every(([from, to], axis) => {
      const at = Math.floor(i / outer[axis]!) % shape[axis]!;
      return at >= from && at < to;
    });
}

function drawn(size: number, init: ParameterSpec['init'], key: [number, number], stream: number) {
  if ('value' in init) return new Float32Array(size).fill(init.value);
  if ('std' in init) return Float32Array.from(philoxNormal(size, key, stream), (z) => z * init.std);
  const bound = 1 / Math.sqrt(init.fanIn);
  return Float32Array.from(philoxUniform(size, key, stream), (u) => (2 * u - 1) * bound);
}

/**
 * The same in GPU memory: one array each for parameters, gradients, momenta and statistics.
 *
 * @example
 * const net = new FcResNet({ inputs: 2, depth: 2, width: 8, classes: 2, activation: 'relu', skip: true });
 * const state = new TrainingState(gpu, net);
 * state.load(initialState(net, 1));
 * const f = (weights: Weights, x: Tensor) => net.forward(weights, x, inferenceNorm);
 * const logits = await compile(gpu, f, [state.weights, [3, 2]]);
 * logits.graph.outputs[0]!.shape; // [3, 2]
 */
export class TrainingState implements Disposable {
  readonly parameterLayout: Layout;
  readonly statisticsLayout: Layout;
  readonly parameters: DeviceArray;
  readonly moments: readonly DeviceArray[];
  /** Running statistics. */
  readonly running: DeviceArray;
  /** The last batch's statistics, in the same layout. */
  readonly batch: DeviceArray;
  /** Steps done, u32[1]. */
  readonly step: DeviceArray<'u32'>;
  #gradients: DeviceArray | undefined;

  /** `moments` many running averages; default: none, for weights that are only read. */
  constructor(
    private readonly gpu: Gpu,
    network: Network,
    moments = 0,
  ) {
    this.parameterLayout = new Layout(network.parameters);
    this.statisticsLayout = new Layout(statisticsOf(network));
    this.parameters = this.parameterLayout.allocate(gpu, 'parameters');
    this.moments = range(moments).map((i) => this.parameterLayout.allocate(gpu, `moment ${i}`));
    this.running = this.statisticsLayout.allocate(gpu, 'running statistics');
    this.batch = this.statisticsLayout.allocate(gpu, 'batch statistics');
    this.step = DeviceArray.zeros(gpu, [1], 'u32', 'step');
  }

  /** Allocated on first use: weights that are only read have none. */
  get gradients(): DeviceArray {
    this.#gradients ??= this.parameterLayout.allocate(this.gpu, 'gradients');
    return this.#gradients;
  }

  /** Parameters and running statistics by name. */
  get weights(): Record<string, DeviceArray> {
    return { ...this.parameterLayout.views(this.parameters), ...this.statisticsLayout.views(this.running) };
  }

  /** Copies a state to the GPU, with all that {@link HostState} holds. */
  load(host: HostState): void {
    this.parameterLayout.write(this.parameters, host.parameters);
    this.statisticsLayout.write(this.running, host.statistics);
    const zeros = this.moments.length
      ? this.parameterLayout.entries.map((e) => [e.name, new Float32Array(e.size)] as const)
      : [];
    for (const [i, moment] of this.moments.entries())
      this.parameterLayout.write(moment, new Map([...zeros, ...(host.moments[i] ?? [])]));
    this.step.write([host.step]);
  }

  /** A snapshot in host memory, taken after everything queued so far. */
  async save(): Promise<HostState> {
    const [step, parameters, running, ...moments] = await Promise.all([
      this.step.read(),
      ...[this.parameters, this.running, ...this.moments].map((x) => x.read() as Promise<Float32Array>),
    ]);
    return {
      step: step[0]!,
      parameters: this.parameterLayout.unpack(parameters!),
      statistics: this.statisticsLayout.unpack(running!),
      moments: moments.map((moment) => this.parameterLayout.unpack(moment)),
    };
  }

  /** Frees its arrays. */
  dispose(): void {
    const { parameters, moments, running, batch, step } = this;
    for (const array of [parameters, ...moments, running, batch, step]) array.dispose();
    this.#gradients?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
