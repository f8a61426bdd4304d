import * as v from 'valibot';
import { conv2d, maxPool2d, relu } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Sides } from '../kernels/window.ts';
import { whole } from '../schema.ts';
import type { Normalizer, Weights } from '../train/network.ts';
import { BRANCH_REACH, convBranch, convProbe } from './conv-resnet.ts';
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
  /** Channels of the first stage, 64 in the standard network; each later stage has twice as many as the one before. */
  channels: whole(1, 65_536),
};
const schema = v.strictObject({ kind: v.literal('resnet34'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;
/** Sizes of a {@link ResNet34}: docs/models.md. */
export type ResNet34Options = Omit<Options, 'kind'>;

const STANDARD = 64;
const STAGES = [3, 4, 6, 3];
/** The side of small images. */
const SMALL = 32;

/**
 * ResNet-34 (He et al., CVPR 2016): four stages of basic blocks, the first block of the later ones with stride 2 and a
 * projection (1×1 convolution and BatchNorm) in its skip connection. Names and shapes of the weights are those of
 * torchvision's `resnet34`, and so is the initialization. Images up to 32×32 get a stem of 3×3 without stride and pooling, as is
 * usual for them. Without skip connections there are no projections either: a block is σ(F(h)) everywhere.
 * @example new ResNet34({ inputs: [224, 224, 3], channels: 64, classes: 10, activation: 'relu', skip: true }).blocks.length // 16
 */
export class ResNet34 extends ResidualNetwork {
  declare readonly options: Options;
  constructor(options: ResNet34Options) {
    super({ ...checkedOptions(fields, options), kind: 'resnet34' }, architecture(options));
  }

  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    const small = isSmall(this.input);
    const window = small ? { padding: 1 } : { stride: 2, padding: 3 };
    const h = relu(norm(conv2d(x, weights['conv1.weight']!, window), 'bn1', weights));
    return small ? h : maxPool2d(h, 3, { stride: 2, padding: 1 });
  }

  protected override layers(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
    return convBranch(weights, block, h, norm, isStrided(block) ? 2 : 1);
  }

  protected override shortcut(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
    if (!isStrided(block)) return h;
    const projected = conv2d(h, weights[`${block}.downsample.0.weight`]!, { stride: 2 });
    return norm(projected, `${block}.downsample.1`, weights);
  }
}

/** Sides after a step of stride 2, whose windows of odd size are padded evenly. */
const half = ([height, width]: Sides): Sides => [Math.ceil(height / 2), Math.ceil(width / 2)];

/** Images of this size keep their resolution in the stem. */
const isSmall = ([height, width]: readonly number[]): boolean => Math.max(height!, width!) <= SMALL;

/** Whether a block has a stride of 2, and with it a projection in its skip connection, if there is one. */
const isStrided = (block: string): boolean => /^layer[2-9]\.0$/.test(block);

function architecture({ inputs, channels, skip }: ResNet34Options): Architecture {
  const [height, width, inputChannels] = inputs;
  const small = isSmall(inputs);
  let sides: Sides = small ? [height, width] : half([height, width]);
  /** Weights are normal as torchvision draws them: with a variance of 2 over what one input feeds (He et al., ICCV 2015). */
  const layer = (conv: string, norm: string, from: number, to: number, size: number): Layer => ({
    weight: {
      name: `${conv}.weight`,
      shape: [to, from, size, size],
      init: { std: Math.sqrt(2 / (to * size ** 2)) },
    },
    norm: { name: norm, features: to, positions: sides[0] * sides[1] },
  });
  const layers = [layer('conv1', 'bn1', inputChannels, channels, small ? 3 : 7)];
  if (!small) sides = half(sides);
  let from = channels;
  const stages = STAGES.map((count, s) => {
    const to = channels * 2 ** s;
    if (s > 0) sides = half(sides);
    const blocks = Array.from({ length: count }, (_, i) => `layer${s + 1}.${i}`);
    for (const block of blocks) {
      layers.push(layer(`${block}.conv1`, `${block}.bn1`, from, to, 3));
      layers.push(layer(`${block}.conv2`, `${block}.bn2`, to, to, 3));
      if (isStrided(block) && skip)
        layers.push(layer(`${block}.downsample.0`, `${block}.downsample.1`, from, to, 1));
      from = to;
    }
    return { blocks, shape: [...sides, to], reach: BRANCH_REACH };
  });
  return {
    ...{ input: inputs, layers, head: 'fc', blocks: stages.flatMap(({ blocks }) => blocks) },
    stages: stages.map((stage) => ({ ...stage, blocks: stage.blocks.filter((b) => !isStrided(b)) })),
  };
}

export const resnet34: NetworkKind<Options> = {
  title: 'ResNet-34',
  convolutional: true,
  schema,
  create: (options) => new ResNet34(options),
  sizes: () => ({ channels: STANDARD }),
  variations: [],
  decays: [1e-1],
  optionsOf: (settings, inputs) => ({
    ...{ kind: 'resnet34', inputs, channels: settings.channels!, ...sharedOptions(settings) },
  }),
  presets(dataset) {
    const quick = { ...SOON, ...few(dataset, 10_000), epochs: 5, channels: STANDARD / 8 };
    const smoke = { epochs: 2, images: halfOf(dataset, 2_000), samples: 4 };
    return {
      smoke: {
        of: 'quick',
        summary: `less than quick: ${smoke.images} images and ${smoke.epochs} epochs; it shows that everything runs, not alignment`,
        changes: smoke,
      },
      quick: { summary: minutes(quick, 'an eighth of the channels'), changes: quick },
      paper: 'a day or more on a graphics card',
    };
  },
  shape({ channels }) {
    const standard =
      channels === STANDARD ? '' : `, with ${channels} channels in the first stage in place of ${STANDARD}`;
    return `The network is a ResNet-34${standard}; alignment is measured within its stages. Its control has no projections either.`;
  },
  probe: convProbe,
};
