import type { Tensor } from '../autograd/tensor.ts';

/** Tensors by their PyTorch-style names, e.g. `blocks.0.bn1.weight`. */
export type Weights = Readonly<Record<string, Tensor>>;

/** A parameter: its name in files, its shape, and how it is initialized. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** Uniform in ±1/√fanIn, PyTorch's default for linear layers and convolutions; normal; or a constant. */
  readonly init: { readonly fanIn: number } | { readonly std: number } | { readonly value: number };
  /** Where it is not 0 at first, as [from, to) per axis; default: everywhere. */
  readonly within?: readonly (readonly [from: number, to: number])[];
  /** How often an example is multiplied by it, in layers or at tokens; default: 1. */
  readonly uses?: number;
}

/** A BatchNorm layer: its running statistics are called `<name>.running_mean` and `<name>.running_var`. */
export interface NormSpec {
  readonly name: string;
  readonly features: number;
  /** Output positions per example at which each feature is measured: height × width for images, else 1. */
  readonly positions: number;
  /** Where its scale is not 0 at first; default: everywhere. */
  readonly within?: readonly [from: number, to: number];
}

/** Normalizes activations [n, features] or [n, height, width, features] as the BatchNorm layer `name`. */
export type Normalizer = (x: Tensor, name: string, weights: Weights) => Tensor;

/** What a training step does to the blocks but inference does not. */
export interface BlockNoise {
  /** To a block's branch: stochastic depth keeps it or drops it. */
  readonly branch?: (branch: Tensor, block: string) => Tensor;
  /** To what enters the last layer of a block's branch: dropout. */
  readonly inner?: (x: Tensor, block: string) => Tensor;
}

/** Maximum size of an activation or input of one example, in elements. */
export const largestActivation = ({ input, norms, parameters, activation = 0 }: Activated): number =>
  Math.max(
    input.reduce((a, b) => a * b, 1),
    ...norms.map(({ features, positions }) => features * positions),
    activation,
    ...parameters.map(({ shape }) => shape[0]!), // what a layer without BatchNorm puts out
  );

type Activated = Pick<Network, 'input' | 'norms' | 'parameters' | 'activation'>;

/** What the training loop needs to know about a network. */
export interface Network {
  /** Shape of one example: [features], or [height, width, channels]. */
  readonly input: readonly number[];
  readonly parameters: readonly ParameterSpec[];
  readonly norms: readonly NormSpec[];
  /** Size of an example's largest activation, where neither BatchNorm layers nor parameters say so. */
  readonly activation?: number;
  /** Residual blocks with stochastic depth, and the probability that a step keeps each. */
  readonly survival?: { readonly blocks: readonly string[]; readonly probability: number } | undefined;
  /** Blocks with dropout, and the share of elements that a step drops. */
  readonly dropout?: { readonly blocks: readonly string[]; readonly rate: number } | undefined;
  /** Whether it is to return its inputs. */
  readonly reconstructs?: boolean;
  /** Logits [n, classes] of examples [n, ...input], or other outputs. */
  forward(weights: Weights, x: Tensor, norm: Normalizer, noise?: BlockNoise): Tensor;
}

/** The running statistics of BatchNorm layers: per feature its mean, 0 at first, and its variance, 1. */
export const statisticsOf = ({ norms }: Pick<Network, 'norms'>) =>
  norms.flatMap((norm) =>
    (['mean', 'var'] as const).map((kind) => ({
      ...{ kind, norm, name: `${norm.name}.running_${kind}`, shape: [norm.features] },
    })),
  );
