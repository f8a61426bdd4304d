import * as v from 'valibot';
import { add, matmul, relu } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import { whole } from '../schema.ts';
import { unusual } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';
import type { BlockNoise, Normalizer, Weights } from '../train/network.ts';
import { halfOf, type NetworkKind, SOON, sharedOptions } from './network-kind.ts';
import {
  type Architecture,
  blockOptions,
  checkedOptions,
  type Layer,
  ResidualNetwork,
  SHARED,
} from './residual-network.ts';

const fields = {
  ...blockOptions,
  /** Features of an input. */
  inputs: whole(1, 2 ** 28),
  /** Number L of residual blocks. */
  depth: whole(1, 10_000),
  /** Number D of features throughout. */
  width: whole(1, 65_536),
  /** Default: `batch`. Without BatchNorm linear layers have biases. */
  norm: v.exactOptional(v.picklist(['batch', 'none'])),
  /** Where BatchNorm stands in the branch; default: `post-norm`. */
  branch: v.exactOptional(v.picklist(['post-norm', 'pre-norm'])),
  /**
   * Dropout (Srivastava et al., JMLR 2014) in front of the last linear layer of every branch: the share that a training step
   * drops. The rest is divided by its own share, so that inference has nothing to scale. Default: 0.
   */
  dropout: v.exactOptional(
    v.custom<number>((x) => (x as number) >= 0 && (x as number) < 1, 'a rate from 0 up to, but not, 1'),
  ),
  /**
   * Whether all blocks share their linear layers: one block, iterated. BatchNorm layers stay each block's own, without which tied
   * residual networks hardly train (Jastrzębski et al., ICLR 2018). Default: false.
   */
  tied: v.exactOptional(v.boolean()),
};
const schema = v.strictObject({ kind: v.literal('fc'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;
/** Sizes of an {@link FcResNet}: docs/models.md. */
export type FcResNetOptions = Omit<Options, 'kind'>;

/**
 * The fully connected residual network: a stem Linear–BN–ReLU, L blocks h ← σ(h + F(h)), and a linear classifier. The branch F
 * is Linear–BN–ReLU–Linear–BN, or `pre-norm` BN–ReLU–Linear–BN–ReLU–Linear, or without BatchNorm Linear–ReLU–Linear. No
 * biases beside BatchNorm's and the classifier's, where there is BatchNorm. Linear layers that blocks share are called
 * `shared.linear1` and `shared.linear2`.
 * @example new FcResNet({ inputs: 784, depth: 8, width: 128, classes: 10, activation: 'relu', skip: true }).blocks.length // 8
 */
export class FcResNet extends ResidualNetwork {
  declare readonly options: Options;

  constructor(options: FcResNetOptions) {
    super({ ...checkedOptions(fields, options), kind: 'fc' }, architecture(options));
  }

  get dropout() {
    const { dropout: rate = 0 } = this.options;
    return rate > 0 ? { blocks: this.blocks, rate } : undefined;
  }

  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    return relu(this.#norm(this.#linear(x, 'stem.linear', weights), 'stem.bn', weights, norm));
  }

  protected override layers(
    weights: Weights,
    block: string,
    h: Tensor,
    norm: Normalizer,
    { inner = (x) => x }: BlockNoise,
  ): Tensor {
    const linear = (x: Tensor, n: 1 | 2) => this.#linear(x, `${block}.linear${n}`, weights);
    const normalize = (x: Tensor, n: 1 | 2) => this.#norm(x, `${block}.bn${n}`, weights, norm);
    if (this.options.branch === 'pre-norm') {
      const x = relu(normalize(linear(relu(normalize(h, 1)), 1), 2));
      return linear(inner(x, block), 2);
    }
    return normalize(linear(inner(relu(normalize(linear(h, 1), 1)), block), 2), 2);
  }

  /** x Wᵀ + b with W [out, in], PyTorch's layout; b only where there is no BatchNorm. */
  #linear(x: Tensor, name: string, weights: Weights): Tensor {
    const product = matmul(x, weights[`${name}.weight`]!, { transposeB: true });
    return this.options.norm === 'none' ? add(product, weights[`${name}.bias`]!) : product;
  }

  #norm(x: Tensor, name: string, weights: Weights, norm: Normalizer): Tensor {
    return this.options.norm === 'none' ? x : norm(x, name, weights);
  }
}

function architecture(options: FcResNetOptions): Architecture {
  const { inputs, depth, width, norm = 'batch', branch, tied = false } = options;
  if (norm === 'none' && branch === 'pre-norm') {
    throw new CollimateError('branch is pre-norm in a network without BatchNorm', 'Leave it at post-norm.');
  }
  const blocks = Array.from({ length: depth }, (_, i) => `blocks.${i}`);
  const layer = (block: string, n: string, fanIn: number): Layer => {
    const inner = tied && block !== 'stem';
    const linear = `${inner ? SHARED : block}.linear${n}`;
    // The first block declares what all share.
    const declares = !inner || block === blocks[0];
    return {
      ...(declares && {
        weight: {
          ...{ name: `${linear}.weight`, shape: [width, fanIn], init: { fanIn } },
          ...(inner && { uses: depth }),
        },
      }),
      ...(norm === 'none'
        ? declares && { bias: { name: `${linear}.bias`, shape: [width], init: { fanIn } } }
        : { norm: { name: `${block}.bn${n}`, features: width, positions: 1 } }),
    };
  };
  return {
    input: [inputs],
    stages: [{ blocks, shape: [width], reach: 0 }],
    layers: [
      layer('stem', '', inputs),
      ...blocks.flatMap((block) => [layer(block, '1', width), layer(block, '2', width)]),
    ],
  };
}

export const fc: NetworkKind<Options> = {
  title: 'fully connected ResNet',
  convolutional: false,
  schema,
  create: (options) => new FcResNet(options),
  sizes: () => ({ depth: 8, width: 128 }),
  variations: ['norm', 'branch', 'dropout', 'tied'],
  decays: [5e-2, 1e-2],
  optionsOf: (settings, [height, width, channels]) => ({
    ...{ kind: 'fc', inputs: height * width * channels },
    ...{ depth: settings.depth!, width: settings.width! },
    ...sharedOptions(settings),
    ...unusual(settings, 'norm', 'branch', 'dropout', 'tied'),
  }),
  presets: (dataset) => ({
    smoke: {
      of: 'paper',
      summary: 'seconds: half of the images, 3 epochs, and momentum 0.9, with which alignment shows soonest',
      changes: { ...SOON, epochs: 3, images: halfOf(dataset) },
    },
    quick: { summary: "minutes: the paper's settings, but 10 epochs", changes: { epochs: 10 } },
    paper: 'hours',
  }),
  shape: ({ depth, width, ...settings }) =>
    `The network's shape is our choice: ${depth} blocks of width ${width}, ${layersInWords(settings)}.`,
  probe: {
    ...{ kind: 'fc', inputs: 784, depth: 2, width: 128 },
    ...{ classes: 10, activation: 'relu', skip: true },
  },
};

function layersInWords({ norm, branch }: Pick<Settings, 'norm' | 'branch'>): string {
  if (norm === 'none')
    return 'stem Linear–ReLU, branch Linear–ReLU–Linear, with biases in place of BatchNorm';
  const layers = branch === 'pre-norm' ? 'BN–ReLU–Linear–BN–ReLU–Linear' : 'Linear–BN–ReLU–Linear–BN';
  return `stem Linear–BN–ReLU, branch ${layers}`;
}
