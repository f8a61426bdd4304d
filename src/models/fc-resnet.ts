import * as v from 'valibot';
import { concat, full, mul, relu } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import { range } from '../lists.ts';
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
  linear,
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
  /** Default: `batch`. Without BatchNorm, linear layers have biases. */
  norm: v.exactOptional(v.picklist(['batch', 'none'])),
  /** Where BatchNorm stands in the branch, or `inception`: parallel paths first. Default: `post-norm`. */
  branch: v.exactOptional(v.picklist(['post-norm', 'pre-norm', 'inception'])),
  /**
   * What skip connections carry: h; `dense`: all that was written before, h ← [h, F(h)] (Huang et al., CVPR
   * 2017), in a fixed width with a slice for each block; `input`: h_1. Default: `residual`.
   */
  shortcut: v.exactOptional(v.picklist(['residual', 'dense', 'input'])),
  /**
   * Dropout (Srivastava et al., JMLR 2014) before a branch's last linear layer: the share that a training
   * step drops. The rest is divided by its own share, so that inference needs no scale. Default: 0.
   */
  dropout: v.exactOptional(
    v.custom<number>((x) => (x as number) >= 0 && (x as number) < 1, 'a rate from 0 up to, but not, 1'),
  ),
  /**
   * Whether all blocks share their linear layers: one block, iterated. Each keeps BatchNorm layers of its
   * own, without which tied residual networks hardly train (Jastrzębski et al., ICLR 2018). Default: false.
   */
  tied: v.exactOptional(v.boolean()),
};
const schema = v.strictObject({ kind: v.literal('fc'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;
/** Sizes of an {@link FcResNet}: docs/models.md. */
export type FcResNetOptions = Omit<Options, 'kind'>;

/**
 * The fully connected residual network: stem Linear–BN–ReLU, L blocks h ← σ(h + F(h)), linear classifier. F
 * is Linear–BN–ReLU–Linear–BN, `pre-norm` BN–ReLU–Linear–BN–ReLU–Linear, without BatchNorm
 * Linear–ReLU–Linear, `inception` puts paths of one to three layers first. Names: docs/models.md.
 * @example
 * const sizes = { inputs: 784, depth: 8, width: 128, classes: 10, activation: 'relu', skip: true } as const;
 * new FcResNet(sizes).blocks.length; // 8
 * new Autoencoder(sizes).stages.length; // 2
 * networkOf({ kind: 'fc', ...sizes }).input; // [784]
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

  override get carriesOn(): boolean {
    return super.carriesOn && this.options.shortcut !== 'input';
  }

  protected override shortcut(_: Weights, __: string, h: Tensor, ___: Normalizer, first: Tensor): Tensor {
    return this.options.shortcut === 'input' ? first : h;
  }

  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    return relu(this.#norm(linear(weights, 'stem.linear', x), 'stem.bn', weights, norm));
  }

  protected override layers(
    weights: Weights,
    block: string,
    h: Tensor,
    norm: Normalizer,
    { inner = (x) => x }: BlockNoise,
  ): Tensor {
    const product = (x: Tensor, n: number, path = '') => linear(weights, `${block}${path}.linear${n}`, x);
    const normalize = (x: Tensor, n: number, path = '') =>
      this.#norm(x, `${block}${path}.bn${n}`, weights, norm);
    const { branch, width } = this.options;
    if (branch === 'pre-norm') {
      const x = relu(normalize(product(relu(normalize(h, 1)), 1), 2));
      return product(inner(x, block), 2);
    }
    const layer = (x: Tensor, n: number, path?: string) => relu(normalize(product(x, n, path), n, path));
    const hidden =
      branch === 'inception'
        ? concat(
            pathsOf(width).map(({ path, layers }) => range(layers, 1).reduce((x, n) => layer(x, n, path), h)),
          )
        : layer(h, 1);
    return normalize(product(inner(hidden, block), 2), 2);
  }

  #norm(x: Tensor, name: string, weights: Weights, norm: Normalizer): Tensor {
    if (this.options.norm === 'none') return x;
    if (this.options.shortcut !== 'dense') return norm(x, name, weights);
    // γ(x̂ + β): where γ and x are 0, so are all gradients; a feature that a block does not write stays 0.
    const scale = weights[`${name}.weight`]!;
    return mul(norm(x, name, { ...weights, [`${name}.weight`]: full(1, scale.shape) }), scale);
  }
}

/** Paths of an inception branch: what their layers' names begin with, numbers of layers, and widths. */
const pathsOf = (width: number) =>
  range(3).map((i) => {
    const quarter = Math.floor(width / 4);
    return { path: `.paths.${i}`, layers: i + 1, own: i === 0 ? width - 2 * quarter : quarter };
  });

type Span = readonly [from: number, to: number];

/** With `dense`: what is written before block i, from 0, and what it writes. The stem has what is left. */
function spansOf(
  i: number,
  { depth, width }: FcResNetOptions,
): { readonly reads: Span; readonly writes: Span } {
  const each = Math.floor(width / (depth + 1));
  const start = width - (depth - i) * each;
  return { reads: [0, start], writes: [start, start + each] };
}

/** A layer `<block><path>.linear<n>`; with `dense`, the inputs that it reads and outputs that it writes. */
interface Linear {
  readonly block: string;
  readonly path?: string;
  readonly n: number | '';
  readonly from: number;
  readonly to: number;
  readonly reads?: Span | undefined;
  readonly writes?: Span | undefined;
}

function architecture(options: FcResNetOptions): Architecture {
  const { inputs, depth, width, norm = 'batch', branch = 'post-norm', shortcut, tied = false } = options;
  const dense = shortcut === 'dense';
  if (norm === 'none' && branch === 'pre-norm') {
    throw new CollimateError('branch is pre-norm in a network without BatchNorm', 'Leave it at post-norm.');
  }
  if (dense && (norm === 'none' || branch === 'pre-norm' || tied || width <= depth)) {
    throw new CollimateError(
      `shortcut is dense in a network with norm ${norm}, branch ${branch}, tied ${tied}, depth ${depth} and width ${width}`,
      'Leave norm, branch and tied at their defaults, and give a width above the depth.',
    );
  }
  const blocks = range(depth).map((i) => `blocks.${i}`);
  const layer = ({ block, path = '', n, from, to, reads = [0, from], writes = [0, to] }: Linear): Layer => {
    const inner = tied && block !== 'stem';
    const linear = `${inner ? SHARED : block}${path}.linear${n}`;
    // The first block declares what all share.
    const declares = !inner || block === blocks[0];
    const init = { fanIn: reads[1] };
    return {
      ...(declares && {
        weight: {
          ...{ name: `${linear}.weight`, shape: [to, from], init },
          ...(dense && { within: [writes, reads] }),
          ...(inner && { uses: depth }),
        },
      }),
      ...(norm === 'none'
        ? declares && { bias: { name: `${linear}.bias`, shape: [to], init } }
        : {
            norm: {
              name: `${block}${path}.bn${n}`,
              features: to,
              positions: 1,
              ...(dense && { within: writes }),
            },
          }),
    };
  };
  const layersOf = (block: string, i: number) => {
    const { reads, writes } = dense ? spansOf(i, options) : {};
    const first =
      branch === 'inception'
        ? pathsOf(width).flatMap(({ path, layers, own }) => [
            layer({ block, path, n: 1, from: width, to: own, reads }),
            ...range(layers - 1, 2).map((n) => layer({ block, path, n, from: own, to: own })),
          ])
        : [layer({ block, n: 1, from: width, to: width, reads })];
    return [...first, layer({ block, n: 2, from: width, to: width, writes })];
  };
  const writes = dense ? spansOf(0, options).reads : undefined;
  return {
    input: [inputs],
    stages: [{ blocks, shape: [width], reach: 0 }],
    layers: [layer({ block: 'stem', n: '', from: inputs, to: width, writes }), ...blocks.flatMap(layersOf)],
  };
}

export const fc: NetworkKind<Options> = {
  title: 'fully connected ResNet',
  convolutional: false,
  schema,
  create: (options) => new FcResNet(options),
  sizes: () => ({ depth: 8, width: 128 }),
  variations: ['norm', 'branch', 'shortcut', 'dropout', 'tied'],
  decays: [5e-2, 1e-2],
  optionsOf: (settings, [height, width, channels]) => ({
    ...{ kind: 'fc', inputs: height * width * channels },
    ...{ depth: settings.depth!, width: settings.width! },
    ...sharedOptions(settings),
    ...unusual(settings, 'norm', 'branch', 'shortcut', 'dropout', 'tied'),
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
  probe: { kind: 'fc', inputs: 784, depth: 2, width: 128, classes: 10, activation: 'relu', skip: true },
};

function layersInWords({ norm, branch }: Pick<Settings, 'norm' | 'branch'>): string {
  if (norm === 'none')
    return 'stem Linear–ReLU, branch Linear–ReLU–Linear, with biases in place of BatchNorm';
  const layers = {
    'post-norm': 'Linear–BN–ReLU–Linear–BN',
    'pre-norm': 'BN–ReLU–Linear–BN–ReLU–Linear',
    inception: 'of one to three layers Linear–BN–ReLU side by side, then Linear–BN',
  };
  return `stem Linear–BN–ReLU, branch ${layers[branch]}`;
}
