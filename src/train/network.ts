import type { Tensor } from '../autograd/tensor.ts';

/** Tensors by their PyTorch-style names, e.g. `blocks.0.bn1.weight`. */
export type Weights = Readonly<Record<string, Tensor>>;

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** PyTorch's default for linear layers, uniform in ±1/√fanIn; or a constant. */
  readonly init: { readonly fanIn: number } | { readonly value: number };
}

/** A BatchNorm layer: its running statistics are called `<name>.running_mean` and `<name>.running_var`. */
export interface NormSpec {
  readonly name: string;
  readonly features: number;
}

/** Normalizes activations [n, features] as the BatchNorm layer `name` would. */
export type Normalizer = (x: Tensor, name: string, weights: Weights) => Tensor;

/** What the training loop has to know of a network. */
export interface Network {
  readonly parameters: readonly ParameterSpec[];
  readonly norms: readonly NormSpec[];
  /** Logits [n, classes] of inputs [n, features]. */
  forward(weights: Weights, x: Tensor, norm: Normalizer): Tensor;
}
