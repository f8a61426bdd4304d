import * as v from 'valibot';
import { full, relu } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { range } from '../lists.ts';
import { whole } from '../schema.ts';
import type { Normalizer, Weights } from '../train/network.ts';
import { halfOf, type NetworkKind, SOON, sharedOptions } from './network-kind.ts';
import {
  type Architecture,
  blockOptions,
  checkedOptions,
  type Layer,
  linear,
  ResidualNetwork,
} from './residual-network.ts';

const fields = {
  ...blockOptions,
  /** Features of an input, and outputs. */
  inputs: whole(1, 2 ** 28),
  /** Number L of residual blocks, half of them before the code. */
  depth: whole(2, 10_000),
  /** Number D of features of all blocks. */
  width: whole(1, 65_536),
};
const schema = v.strictObject({ kind: v.literal('autoencoder'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;
/** Sizes of an {@link Autoencoder}; `classes` is the dimension of the code. */
export type AutoencoderOptions = Omit<Options, 'kind'>;

/** The block between encoder and decoder, which nothing goes past. */
const CODE = 'code';

/**
 * A residual autoencoder: stem Linear–BN–ReLU, half of the blocks h ← σ(h + F(h)), code
 * Linear–Linear–BN–ReLU without a skip connection, the other blocks, and a linear layer that puts out
 * inputs. The branch F is Linear–BN–ReLU–Linear–BN. Example: {@link FcResNet}
 */
export class Autoencoder extends ResidualNetwork {
  declare readonly options: Options;

  constructor(options: AutoencoderOptions) {
    super({ ...checkedOptions(fields, options), kind: 'autoencoder' }, architecture(options));
  }

  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    return relu(norm(linear(weights, 'stem.linear', x), 'stem.bn', weights));
  }

  protected override layers(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
    const first = linear(weights, `${block}.linear1`, h);
    const hidden = block === CODE ? first : relu(norm(first, `${block}.bn1`, weights));
    return norm(linear(weights, `${block}.linear2`, hidden), `${block}.bn2`, weights);
  }

  protected override shortcut(_: Weights, block: string, h: Tensor): Tensor {
    return block === CODE ? full(0, h.shape) : h;
  }
}

function architecture({ inputs, depth, width, classes }: AutoencoderOptions): Architecture {
  const before = Math.ceil(depth / 2);
  const encoder = range(before).map((i) => `encoder.${i}`);
  const decoder = range(depth - before).map((i) => `decoder.${i}`);
  const blocks = [...encoder, CODE, ...decoder];
  const layer = (block: string, n: string, from: number, to: number): Layer => ({
    weight: { name: `${block}.linear${n}.weight`, shape: [to, from], init: { fanIn: from } },
    ...(`${block}${n}` !== `${CODE}1` && { norm: { name: `${block}.bn${n}`, features: to, positions: 1 } }),
  });
  const layers = blocks.flatMap((block) => {
    const inner = block === CODE ? classes : width;
    return [layer(block, '1', width, inner), layer(block, '2', inner, width)];
  });
  return {
    ...{ input: [inputs], reconstructs: true, blocks, layers: [layer('stem', '', inputs, width), ...layers] },
    stages: [encoder, decoder].map((own) => ({ blocks: own, shape: [width], reach: 0 })),
  };
}

export const autoencoder: NetworkKind<Options> = {
  title: 'residual autoencoder',
  convolutional: false,
  schema,
  create: (options) => new Autoencoder(options),
  sizes: () => ({ depth: 8, width: 128, code: 10 }),
  variations: [],
  decays: [5e-2, 1e-2],
  trainedAt: 0.3,
  optionsOf: (settings, [height, width, channels]) => ({
    ...{ kind: 'autoencoder', inputs: height * width * channels, ...sharedOptions(settings) },
    ...{ depth: settings.depth!, width: settings.width!, classes: settings.code! },
  }),
  presets: (dataset) => ({
    smoke: {
      of: 'quick',
      summary: 'seconds: less than quick, 2 epochs',
      changes: { epochs: 2, images: halfOf(dataset, 5_000), samples: 4 },
    },
    quick: {
      summary: 'minutes: 10 epochs, momentum 0.9, learning rate 0.02',
      changes: { ...SOON, epochs: 10, lr: 0.02 },
    },
    paper: 'hours',
  }),
  shape: ({ depth, width, code }) =>
    `The network is an autoencoder, which the paper does not have: ${depth} blocks of width ${width}, half of them before a code of ${code} features. It is trained on the squared error of the inputs. C is the dimension of the code, and accuracy is R², the share of the inputs’ variance explained, about one mean of all pixels.`,
  probe: {
    ...{ kind: 'autoencoder', inputs: 784, depth: 2, width: 128 },
    ...{ classes: 10, activation: 'relu', skip: true },
  },
};
