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
  /** Channels of the first stage, 64 in the standard network; each later stage doubles them. */
  channels: whole(1, 65_536),
  /** `basic`: 3×3, 3×3. `bottleneck`: 1×1, 3×3, 1×1, and h has four times the channels. Default: basic. */
  block: v.exactOptional(v.picklist(['basic', 'bottleneck'])),
  /** Blocks of each stage; default: 3, 4, 6, 3. A first block with a projection is not measured. */
  layers: v.exactOptional(v.pipe(v.array(whole(2, 1000)), v.minLength(1, 'a stage or more'), v.readonly())),
  /** `small`: 3×3 convolution; `large`: 7×7 and pooling, each of stride 2. Default: small up to 32×32. */
  stem: v.exactOptional(v.picklist(['small', 'large'])),
};
const schema = v.strictObject({ kind: v.literal('resnet34'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;
/** Sizes of a {@link ResNet}: docs/models.md. */
export type ResNetOptions = Omit<Options, 'kind'>;

const STANDARD = 64;
const STAGES = [3, 4, 6, 3];
/** Channels of h per channel inside a bottleneck. */
const EXPANSION = 4;
/** Maximum side of small images. */
const SMALL = 32;

/**
 * ResNet-34, or ResNet-18, 50, 101 or 152 (He et al., CVPR 2016), named, shaped and initialized as in
 * torchvision. Where a block changes the shape of h, its skip connection, if any, has a projection.
 * @example
 * const shape = { inputs: [224, 224, 3], channels: 64, classes: 10 } as const;
 * new ResNet({ ...shape, activation: 'relu', skip: true }).blocks.length; // 16
 */
export class ResNet extends ResidualNetwork {
  declare readonly options: Options;
  constructor(options: ResNetOptions) {
    super({ ...checkedOptions(fields, options), kind: 'resnet34' }, architecture(options));
  }

  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    const small = isSmall(this.options);
    const window = small ? { padding: 1 } : { stride: 2, padding: 3 };
    const h = relu(norm(conv2d(x, weights['conv1.weight']!, window), 'bn1', weights));
    return small ? h : maxPool2d(h, 3, { stride: 2, padding: 1 });
  }

  protected override layers(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
    const stride = strideOf(block);
    if (this.options.block !== 'bottleneck') return convBranch(weights, block, h, norm, stride);
    const conv = (x: Tensor, n: 1 | 2 | 3, window = {}) =>
      norm(conv2d(x, weights[`${block}.conv${n}.weight`]!, window), `${block}.bn${n}`, weights);
    return conv(relu(conv(relu(conv(h, 1)), 2, { stride, padding: 1 })), 3);
  }

  protected override shortcut(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
    if (!isProjected(block, this.options)) return h;
    const projected = conv2d(h, weights[`${block}.downsample.0.weight`]!, { stride: strideOf(block) });
    return norm(projected, `${block}.downsample.1`, weights);
  }
}

/** Sides after a stride of 2 with evenly padded odd windows. */
const half = ([height, width]: Sides): Sides => [Math.ceil(height / 2), Math.ceil(width / 2)];

const isSmall = ({ inputs: [height, width], stem }: Pick<ResNetOptions, 'inputs' | 'stem'>): boolean =>
  stem ? stem === 'small' : Math.max(height, width) <= SMALL;

const strideOf = (block: string): 1 | 2 => (/^layer\d+\.0$/.test(block) && block !== 'layer1.0' ? 2 : 1);

/** Whether a block changes the shape of h, and so has a projection in its skip connection, if any. */
const isProjected = (block: string, { block: kind }: Pick<ResNetOptions, 'block'>): boolean =>
  strideOf(block) === 2 || (block === 'layer1.0' && kind === 'bottleneck');

function architecture(options: ResNetOptions): Architecture {
  const { inputs, channels, skip, block: kind = 'basic', layers: counts = STAGES } = options;
  const [height, width, inputChannels] = inputs;
  const small = isSmall(options);
  let sides: Sides = small ? [height, width] : half([height, width]);
  /** Weights as torchvision draws them: normal, variance 2 over the fan-out (He et al., ICCV 2015). */
  const layer = (conv: string, norm: string, from: number, to: number, size: number, at = sides): Layer => ({
    weight: {
      name: `${conv}.weight`,
      shape: [to, from, size, size],
      init: { std: Math.sqrt(2 / (to * size ** 2)) },
    },
    norm: { name: norm, features: to, positions: at[0] * at[1] },
  });
  const layers = [layer('conv1', 'bn1', inputChannels, channels, small ? 3 : 7)];
  if (!small) sides = half(sides);
  let from = channels;
  const stages = counts.map((count, s) => {
    const inner = channels * 2 ** s;
    const to = kind === 'basic' ? inner : EXPANSION * inner;
    const before = sides;
    if (s > 0) sides = half(sides);
    const blocks = Array.from({ length: count }, (_, i) => `layer${s + 1}.${i}`);
    for (const [i, block] of blocks.entries()) {
      const own = (n: 1 | 2 | 3, a: number, b: number, size: number, at = sides) =>
        layer(`${block}.conv${n}`, `${block}.bn${n}`, a, b, size, at);
      layers.push(
        ...(kind === 'basic'
          ? [own(1, from, to, 3), own(2, to, to, 3)]
          : [own(1, from, inner, 1, i ? sides : before), own(2, inner, inner, 3), own(3, inner, to, 1)]),
      );
      if (isProjected(block, options) && skip)
        layers.push(layer(`${block}.downsample.0`, `${block}.downsample.1`, from, to, 1));
      from = to;
    }
    return { blocks, shape: [...sides, to], reach: kind === 'basic' ? BRANCH_REACH : 1 };
  });
  return {
    ...{ input: inputs, layers, head: 'fc', blocks: stages.flatMap(({ blocks }) => blocks) },
    stages: stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.filter((b) => !isProjected(b, options)),
    })),
  };
}

export const resnet34: NetworkKind<Options> = {
  title: 'ResNet-34',
  convolutional: true,
  schema,
  create: (options) => new ResNet(options),
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
