import * as v from 'valibot';
import { conv2d, relu } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkWindow, outputSides, type Window } from '../kernels/window.ts';
import { whole } from '../schema.ts';
import type { Normalizer, ParameterSpec, Weights } from '../train/network.ts';
import { few, halfOf, minutes, type NetworkKind, SOON, sharedOptions } from './network-kind.ts';
import {
  type Architecture,
  blockOptions,
  checkedOptions,
  imageSides,
  type Layer,
  ResidualNetwork,
} from './residual-network.ts';

const fields = {
  ...blockOptions,
  /** Height, width and channels of an image. */
  inputs: imageSides,
  /** Number L of residual blocks. */
  depth: whole(1, 10_000),
  /** Channels throughout. */
  channels: whole(1, 65_536),
  /** The stem's window: with a stride, all blocks work on smaller maps. */
  stem: v.strictObject({ size: whole(1, 1024), stride: whole(1, 1024), padding: whole(0, 1024) }),
};
const schema = v.strictObject({ kind: v.literal('conv'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;
/** Sizes of a {@link ConvResNet}: docs/models.md. */
export type ConvResNetOptions = Omit<Options, 'kind'>;

/**
 * The convolutional residual network: a stem conv–BN–ReLU, L blocks h ← σ(h + F(h)) of one shape with
 * F = conv3×3–BN–ReLU–conv3×3–BN, global average pooling and a linear classifier. Only BatchNorm and the
 * classifier have biases.
 * @example
 * const stem = { size: 3, stride: 1, padding: 1 };
 * const shape = { inputs: [28, 28, 1], depth: 8, channels: 64, classes: 10, stem } as const;
 * new ConvResNet({ ...shape, activation: 'relu', skip: true }).stages[0]!.shape; // [28, 28, 64]
 */
export class ConvResNet extends ResidualNetwork {
  declare readonly options: Options;

  constructor(options: ConvResNetOptions) {
    super({ ...checkedOptions(fields, options), kind: 'conv' }, architecture(options));
  }

  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    return relu(norm(conv2d(x, weights['stem.conv.weight']!, this.options.stem), 'stem.bn', weights));
  }

  protected override layers(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
    return convBranch(weights, block, h, norm);
  }
}

function architecture({ inputs, depth, channels, stem }: ConvResNetOptions): Architecture {
  const [height, width, inputChannels] = inputs;
  const { size, stride, padding } = stem;
  const window: Window = {
    ...{ image: [height, width], size: [size, size] },
    ...{ stride: [stride, stride], padding: [padding, padding] },
  };
  checkWindow('stem', window);
  const sides = outputSides(window);
  const blocks = Array.from({ length: depth }, (_, i) => `blocks.${i}`);
  const layer = (block: string, n: string, fanIn: number, size: number): Layer => ({
    weight: convParameter(`${block}.conv${n}`, channels, fanIn, size),
    norm: { name: `${block}.bn${n}`, features: channels, positions: sides[0] * sides[1] },
  });
  return {
    input: inputs,
    stages: [{ blocks, shape: [...sides, channels], reach: BRANCH_REACH }],
    layers: [
      layer('stem', '', inputChannels, stem.size),
      ...blocks.flatMap((block) => [layer(block, '1', channels, 3), layer(block, '2', channels, 3)]),
    ],
  };
}

/** Positions to each side that an output of the branch sees through its two 3×3 convolutions. */
export const BRANCH_REACH = 2;

/** The weight of a convolution, as PyTorch initializes it by default. */
export const convParameter = (name: string, out: number, fanIn: number, size: number): ParameterSpec => ({
  name: `${name}.weight`,
  shape: [out, fanIn, size, size],
  init: { fanIn: fanIn * size * size },
});

/** conv3×3–BN–ReLU–conv3×3–BN; the first convolution may have a stride. */
export function convBranch(weights: Weights, block: string, h: Tensor, norm: Normalizer, stride = 1): Tensor {
  const conv = (x: Tensor, n: 1 | 2, s: number) =>
    norm(
      conv2d(x, weights[`${block}.conv${n}.weight`]!, { stride: s, padding: 1 }),
      `${block}.bn${n}`,
      weights,
    );
  return conv(relu(conv(h, 1, stride)), 2, 1);
}

/** A small network, to measure how fast an adapter trains convolutions. */
export const convProbe: Options = {
  ...{ kind: 'conv', inputs: [14, 14, 16], depth: 2, channels: 16, stem: stemOf(1) },
  ...{ classes: 10, activation: 'relu', skip: true },
};

export const conv: NetworkKind<Options> = {
  title: 'convolutional ResNet',
  convolutional: true,
  schema,
  create: (options) => new ConvResNet(options),
  sizes: ({ side }) => ({ depth: 8, channels: 64, stride: side > 64 ? 4 : 1 }),
  variations: [],
  decays: [1e-1],
  optionsOf: (settings, inputs) => ({
    ...{ kind: 'conv', inputs, depth: settings.depth!, channels: settings.channels! },
    ...{ stem: stemOf(settings.stride!), ...sharedOptions(settings) },
  }),
  // Depth and small maps make alignment clear within a few hundred steps: trials in docs/convolutions.md.
  presets(dataset) {
    const quick = {
      ...SOON,
      ...few(dataset, 20_000),
      ...{ epochs: 6, depth: 10, channels: 32, stride: dataset.side > 28 ? 8 : 6, controlWeightDecay: 5e-4 },
    };
    const smoke = { epochs: 5, images: halfOf(dataset, 10_000), depth: 4, samples: 4 };
    return {
      smoke: {
        of: 'quick',
        summary: `less than quick: ${smoke.images} images, ${smoke.epochs} epochs and 4 blocks, with which alignment begins to show`,
        changes: smoke,
      },
      quick: {
        summary: minutes(quick, '32 channels, 10 blocks, a stem with a large stride'),
        changes: quick,
      },
      paper: 'a day or more on a graphics card',
    };
  },
  shape: ({ depth, channels, stride }) =>
    `The network's shape is our choice: ${depth} blocks of ${channels} channels behind a stem conv–BN–ReLU of stride ${stride}, branch conv3×3–BN–ReLU–conv3×3–BN.`,
  probe: convProbe,
};

/** The smallest odd window, 3×3 or more, that leaves no gaps at a stride; maps shrink by the stride. */
function stemOf(stride: number) {
  const size = Math.max(3, stride + 1 - (stride % 2));
  return { size, stride, padding: Math.ceil((size - stride) / 2) };
}
