import * as v from 'valibot';
import { add, globalAveragePool, matmul, mul, relu } from '../autograd/functions.ts';
import { sizeOf } from '../autograd/shape.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import { above0, checked, whole } from '../schema.ts';
import { rowOf, settingNames } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';
import type { BlockNoise, Network, Normalizer, NormSpec, ParameterSpec, Weights } from '../train/network.ts';

/** Options that every residual network has. */
export const blockOptions = {
  /** Outputs: classes, or components of a target. */
  classes: whole(1, 1e6),
  /** σ in h ← σ(h + F(h)). */
  activation: v.picklist(['relu', 'identity']),
  /** Without skip connections, h ← σ(F(h)). */
  skip: v.boolean(),
  /** α in h ← σ(α h + F(h)); default: 1. */
  skipScale: v.exactOptional(above0('a number above 0')),
  /**
   * Stochastic depth (Huang et al., ECCV 2016): the probability p with which a training step keeps a block's
   * branch, the same for all blocks. A kept branch is divided by p, so that inference is h ← σ(h + F(h)) as
   * without, and the Residual Jacobian at inference is ∂F/∂h. Default: 1.
   */
  survival: v.exactOptional(above0('a probability above 0 and at most 1', 1)),
  /**
   * Factor of F in every block; default: 1. `learned`: a parameter `<block>.scale`, 0 at first, so that
   * blocks begin as the identity (SkipInit: De & Smith, NeurIPS 2020). The Residual Jacobian includes it.
   */
  branchScale: v.exactOptional(v.union([v.literal('learned'), above0('a number above 0')])),
};

/** Height, width and channels of an image. */
export const imageSides = v.pipe(
  v.strictTuple([whole(1, 65536), whole(1, 65536), whole(1, 65536)]),
  v.readonly(),
);

/** Options of a network of any kind. */
export type BlockOptions = Readonly<v.InferOutput<v.ObjectSchema<typeof blockOptions, undefined>>>;

/** Refuses options that do not fit each other. */
export function refuseOptions(what: string, remedy: string): never {
  throw new CollimateError(what, remedy);
}

/** Returns options that are as declared. @throws CollimateError that names the first that is not */
export const checkedOptions = <O extends object>(fields: v.ObjectEntries, options: O): O =>
  checked(options, v.object(fields), 'the options of the network', 'Give the network other options.') as O;

/** Consecutive blocks between which h keeps its shape, so that their Jacobians are square and comparable. */
export interface Stage {
  /** Names of the blocks, such as `blocks.0` or `layer2.1`: the prefix of their weights. */
  readonly blocks: readonly string[];
  /** What Jacobians act on, h of an example or a token: [D], [tokens, D] or [height, width, channels]. */
  readonly shape: readonly number[];
  /** Positions to each side that an output of F sees: 2 for two 3×3 convolutions, 0 if h has none. */
  readonly reach: number;
  /**
   * Set if h is [count, ...shape] and Jacobians are of F's token `to` by h's token `from`: see
   * {@link ResidualNetwork.tokenBranch}. If `causal`, a token of F depends on no later token of h.
   */
  readonly tokens?: {
    readonly count: number;
    readonly causal: boolean;
    readonly from: number;
    readonly to: number;
  };
  /** Numbers in the largest value inside a branch, if more than `shape` has. */
  readonly peak?: number;
}

/** Shape of one example's h in a stage. */
export const stateShape = ({ shape, tokens }: Stage): readonly number[] =>
  tokens ? [tokens.count, ...shape] : shape;

/** Prefix of the names of parameters that all blocks share. */
export const SHARED = 'shared';

/** A linear layer or a convolution, and what belongs to it. */
export interface Layer {
  /** Left out if an earlier block declares it for all. */
  readonly weight?: ParameterSpec;
  readonly bias?: ParameterSpec;
  /** The BatchNorm layer behind it, or in front. */
  readonly norm?: NormSpec;
}

/** What a residual network is made of, with the names of its parameters. */
export interface Architecture {
  /** Shape of one example. */
  readonly input: readonly number[];
  /** All but the classifier, in order. */
  readonly layers: readonly Layer[];
  /** One for fc and conv, four for resnet34; blocks with a projection belong to none. */
  readonly stages: readonly Stage[];
  /** All blocks in order, those with a projection too; default: those of the stages. */
  readonly blocks?: readonly string[];
  /** Name of the classifier; default: `head`. Its weight may be one of the layers'. */
  readonly head?: string;
  /** Whether it has a bias; default: true. */
  readonly headBias?: boolean;
  /** Whether its outputs are to be its inputs rather than `classes` numbers; default: false. */
  readonly reconstructs?: boolean;
}

/** A stem, residual blocks, and a linear classifier of h_{L+1}, pooled. Example: {@link FcResNet} */
export abstract class ResidualNetwork implements Network {
  readonly options: BlockOptions & { readonly kind: string };
  readonly input: readonly number[];
  readonly parameters: readonly ParameterSpec[];
  readonly norms: readonly NormSpec[];
  readonly stages: readonly Stage[];
  readonly blocks: readonly string[];
  readonly reconstructs: boolean;
  readonly #head: string;

  constructor(options: ResidualNetwork['options'], { input, layers, stages, ...rest }: Architecture) {
    const { blocks = stages.flatMap((stage) => stage.blocks), head = 'head', headBias = true } = rest;
    this.options = options;
    this.input = input;
    this.stages = stages;
    this.blocks = blocks;
    this.#head = head;
    this.reconstructs = rest.reconstructs ?? false;
    const outputs = this.reconstructs ? sizeOf(input) : options.classes;
    const features = stages.at(-1)!.shape.at(-1)!;
    this.norms = layers.flatMap(({ norm = [] }) => norm);
    this.parameters = [
      ...layers.flatMap(({ weight = [], bias = [], norm }) =>
        [weight, bias, norm ? normParameters(norm) : []].flat(),
      ),
      ...(layers.some(({ weight }) => weight?.name === `${head}.weight`)
        ? []
        : [{ name: `${head}.weight`, shape: [outputs, features], init: { fanIn: features } }]),
      ...(headBias ? [{ name: `${head}.bias`, shape: [outputs], init: { fanIn: features } }] : []),
      ...(options.branchScale === 'learned'
        ? blocks.map((block) => ({ name: `${block}.scale`, shape: [1], init: { value: 0 } }))
        : []),
    ];
    if (options.skip) return;
    for (const name of settingNames) {
      const { needsSkip, default: usual } = rowOf(name);
      const value = (options as Partial<Settings>)[name] ?? usual;
      if (!needsSkip || value === usual) continue;
      throw new CollimateError(
        `${name} is ${value} in a network without skip connections`,
        `Leave it at ${usual}: ${needsSkip}`,
      );
    }
  }

  /** Name of the classifier's weight, [classes, features of h_{L+1}]. */
  get classifier(): string {
    return `${this.#head}.weight`;
  }

  get survival(): Network['survival'] {
    const { survival: probability = 1 } = this.options;
    return probability < 1 ? { blocks: this.blocks, probability } : undefined;
  }

  /** What is given by name, with shared parameters under each block's name too. */
  ofBlocks<T>(given: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
    const shared = Object.keys(given).filter((name) => name.startsWith(`${SHARED}.`));
    const each = this.blocks.flatMap((block) =>
      shared.map((name) => [block + name.slice(SHARED.length), given[name]!] as const),
    );
    return { ...given, ...Object.fromEntries(each) };
  }

  /** h_1 of examples [n, ...input]. */
  abstract stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor;

  /** F of a block at h [… , n, ...shape]; `block` is the prefix under which its weights are given. */
  branch(weights: Weights, block: string, h: Tensor, norm: Normalizer, noise: BlockNoise = {}): Tensor {
    return this.scaled(this.layers(weights, block, h, norm, noise), weights, block);
  }

  /**
   * Token `to` of a block's F at h [… , ...state], as a function of h's token `from`, x [… , ...shape], by
   * which Jacobians are taken: see {@link Stage.tokens}. Without tokens, x is h.
   */
  tokenBranch(
    weights: Weights,
    block: string,
    _h: Tensor,
    x: Tensor,
    norm: Normalizer,
    _tokens: Stage['tokens'],
  ): Tensor {
    return this.branch(weights, block, x, norm);
  }

  /** F with its factor. */
  protected scaled(f: Tensor, weights: Weights, block: string): Tensor {
    const { branchScale = 1 } = this.options;
    if (branchScale === 1) return f;
    return mul(f, branchScale === 'learned' ? weights[`${block}.scale`]! : branchScale);
  }

  /** F without its factor. */
  protected abstract layers(
    weights: Weights,
    block: string,
    h: Tensor,
    norm: Normalizer,
    noise: BlockNoise,
  ): Tensor;

  /** What the skip connection of a block carries; `first` is h_1. */
  protected shortcut(
    _weights: Weights,
    _block: string,
    h: Tensor,
    _norm: Normalizer,
    _first: Tensor,
  ): Tensor {
    return h;
  }

  /** Whether a block's output goes on past the next block. */
  get carriesOn(): boolean {
    return this.options.skip;
  }

  /** What a skip connection adds of what it carries. */
  carried(h: Tensor): Tensor {
    const { skipScale = 1 } = this.options;
    return skipScale === 1 ? h : mul(h, skipScale);
  }

  /** σ(h + F(h)), or σ(F(h)) without skip connections, behind a block. */
  join(h: Tensor, branch: Tensor, _weights: Weights, _block: string): Tensor {
    const sum = this.options.skip ? add(this.carried(h), branch) : branch;
    return this.options.activation === 'relu' ? relu(sum) : sum;
  }

  /** What the classifier reads, [… , n, features], of h_{L+1} [… , n, ...state]. */
  features(last: Tensor, weights: Weights): Tensor {
    return this.normed(this.pooled(last), weights);
  }

  /** The same in front of a norm behind the blocks: the mean of h_{L+1} over positions, or one token. */
  pooled(last: Tensor): Tensor {
    return this.stages.at(-1)!.shape.length > 1 ? globalAveragePool(last) : last;
  }

  /** What that norm, if any, makes of it. */
  normed(pooled: Tensor, _weights: Weights): Tensor {
    return pooled;
  }

  /** Logits [… , n, classes] of what the classifier reads. */
  classify(weights: Weights, features: Tensor): Tensor {
    return linear(weights, this.#head, features);
  }

  /**
   * h before each of a stage's blocks and after its last, `points[stage]`, and F of these blocks,
   * `branches[stage]`, each [n, ...shape]; what the classifier reads, also in front of a norm; and the
   * logits. `shift` may move h before block i, and behind the last.
   */
  representations(weights: Weights, x: Tensor, norm: Normalizer, shift?: (h: Tensor, i: number) => Tensor) {
    const { path, branches, ...outputs } = this.#run(weights, x, norm, {}, shift);
    // Stages may take turns: a stage ends where the block after its last one begins.
    const places = this.stages.map(({ blocks }) => blocks.map((block) => this.blocks.indexOf(block)));
    const points = places.map((own) => [...own, own.at(-1)! + 1].map((i) => path[i]!));
    return { points, branches: places.map((own) => own.map((i) => branches[i]!)), ...outputs };
  }

  /** What `points` holds after each block, which is at a point of another stage if stages take turns. */
  behind<T>(points: readonly (readonly T[])[]): T[][] {
    const before = new Map(this.stages.flatMap(({ blocks }, s) => blocks.map((b, l) => [b, points[s]![l]!])));
    return this.stages.map(({ blocks }, s) =>
      blocks.map((b, l) => before.get(this.blocks[this.blocks.indexOf(b) + 1] ?? '') ?? points[s]![l + 1]!),
    );
  }

  forward(weights: Weights, x: Tensor, norm: Normalizer, noise?: BlockNoise): Tensor {
    return this.#run(weights, x, norm, noise).logits;
  }

  /** h before each block and after the last, F of each, what the classifier reads, and the logits. */
  #run(
    given: Weights,
    x: Tensor,
    norm: Normalizer,
    noise: BlockNoise = {},
    shift = (h: Tensor, _: number) => h,
  ) {
    const weights = this.ofBlocks(given);
    const path = [shift(this.stem(weights, x, norm), 0)];
    const branches: Tensor[] = [];
    for (const block of this.blocks) {
      const h = path.at(-1)!;
      const shortcut = this.options.skip ? this.shortcut(weights, block, h, norm, path[0]!) : h;
      const own = this.branch(weights, block, h, norm, noise);
      const branch = noise.branch?.(own, block) ?? own;
      branches.push(branch);
      path.push(shift(this.join(shortcut, branch, weights, block), path.length));
    }
    const pooled = this.pooled(path.at(-1)!);
    const features = this.normed(pooled, weights);
    return { path, branches, pooled, features, logits: this.classify(weights, features) };
  }
}

/** x Wᵀ + b with W [out, in], PyTorch's layout, or without b where a layer has none. */
export function linear(weights: Weights, name: string, x: Tensor): Tensor {
  const product = matmul(x, weights[`${name}.weight`]!, { transposeB: true });
  const bias = weights[`${name}.bias`];
  return bias ? add(product, bias) : product;
}

const normParameters = ({ name, features, within }: NormSpec): ParameterSpec[] => [
  { name: `${name}.weight`, shape: [features], init: { value: 1 }, ...(within && { within: [within] }) },
  { name: `${name}.bias`, shape: [features], init: { value: 0 } },
];
