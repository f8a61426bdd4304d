import { DeviceArray } from '../autograd/array.ts';
import { sizeOf as product } from '../autograd/shape.ts';
import { datasets } from '../data/datasets.ts';
import type { Gpu } from '../gpu/device.ts';
import { type Model, models, type NetworkOptions, networkOf, networks } from '../models/networks.ts';
import { controlSettings } from '../settings/settings.ts';
import { classesOf, type Settings } from '../settings/table.ts';
import type { Network } from '../train/network.ts';
import { initialState } from '../train/state.ts';
import { Trainer } from '../train/trainer.ts';
import { type Experiment, imageShape } from './experiment.ts';

export interface Size {
  readonly image: readonly [number, number, number];
  readonly parameters: number;
  /** Floating-point operations to train and test the network, and its control if there is one. */
  readonly flops: number;
}

/** Operations of training per one of the forward pass: input and weight gradients cost one more each. */
const TRAINING = 3;

/** The size of an experiment, from the shapes of its layers alone. */
export function workOf({ dataset, model }: Experiment, settings: Settings): Size {
  const image = imageShape(dataset, settings);
  const { epochs, images, classes, batch, controlWeightDecay, validation, testEvery } = settings;
  const facts = datasets[dataset];
  const share = facts.regression ? 1 : classes / classesOf(facts, settings);
  const train = Math.floor(Math.min(images, facts.images * share) / batch) * batch;
  const of = (own: Settings) => networkOf(networks[model].optionsOf(own, image));
  const each = (own: Settings) => {
    const forward = forwardFlops(of(own));
    const tested = Math.ceil(epochs / testEvery) * (facts.test * share + validation);
    return forward * (epochs * TRAINING * train + tested);
  };
  return {
    image,
    parameters: of(settings).parameters.reduce((sum, { shape }) => sum + product(shape), 0),
    flops: each(settings) + (controlWeightDecay === null ? 0 : each(controlSettings(settings))),
  };
}

/**
 * Multiplications and additions in linear layers and convolutions, for one example's forward pass. A weight
 * before a BatchNorm counts once per position, the classifier's once, a shared one once per use.
 */
export function forwardFlops({ parameters, norms }: Network): number {
  const positions = new Map(norms.map((norm) => [`${norm.name}.weight`, norm.positions]));
  return parameters.reduce((flops, { shape, uses = 1 }, i) => {
    if (shape.length < 2) return flops;
    return flops + 2 * product(shape) * uses * (positions.get(parameters[i + 1]!.name) ?? 1);
  }, 0);
}

/** Operations per second of training steps on an adapter, by kind of network. */
export type Rates = Readonly<Record<string, number>>;

const PROBE = { images: 256, batch: 128, lr: 1e-3, momentum: 0, weightDecay: 0, steps: 1e6, seed: 1 };
const PROBE_MS = 300;

/** Measures how fast an adapter trains a two-block network of each kind. Takes seconds, mostly compiling. */
export async function measureRates(gpu: Gpu, which: readonly Model[] = models): Promise<Rates> {
  const rates = new Map<NetworkOptions, number>();
  for (const probe of new Set(which.map((model) => networks[model].probe)))
    rates.set(probe, await measureRate(gpu, networkOf(probe)));
  return Object.fromEntries(which.map((model) => [model, rates.get(networks[model].probe)!]));
}

async function measureRate(gpu: Gpu, network: Network): Promise<number> {
  using images = DeviceArray.zeros(gpu, [PROBE.images, product(network.input)], 'u8', 'probe');
  using labels = DeviceArray.zeros(gpu, [PROBE.images], 'u8', 'probe');
  using trainer = await Trainer.create(gpu, network, { images, labels, scale: [1], shift: [0] }, PROBE);
  trainer.load(initialState(network, PROBE.seed));
  const time = async (steps: number) => {
    const start = performance.now();
    trainer.queue(steps);
    await gpu.idle();
    return performance.now() - start;
  };
  await time(1);
  let [steps, ms] = [1, await time(1)];
  while (ms < PROBE_MS) {
    steps = Math.min(4 * steps, Math.ceil((1.2 * PROBE_MS * steps) / ms));
    ms = await time(steps);
  }
  return (1000 * steps * PROBE.batch * TRAINING * forwardFlops(network)) / ms;
}
