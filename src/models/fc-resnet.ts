import { matmul, relu } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Normalizer, NormSpec, ParameterSpec, Weights } from '../train/network.ts';
import {
  type BlockOptions,
  checkWhole,
  headParameters,
  normParameters,
  ResidualNetwork,
  type Stage,
} from './residual-network.ts';

export interface FcResNetOptions extends BlockOptions {
  /** Features of an input. */
  readonly inputs: number;
  /** Number L of residual blocks. */
  readonly depth: number;
  /** Number D of features throughout. */
  readonly width: number;
}

/**
 * The fully connected residual network: a stem Linear–BN–ReLU, L blocks h ← σ(h + F(h)) with the branch
 * F = Linear–BN–ReLU–Linear–BN, and a linear classifier. No biases beside BatchNorm's and the classifier's.
 */
export class FcResNet extends ResidualNetwork {
  declare readonly options: FcResNetOptions & { readonly kind: 'fc' };
  readonly input: readonly number[];
  readonly parameters: readonly ParameterSpec[];
  readonly norms: readonly NormSpec[];
  readonly stages: readonly Stage[];
  readonly blocks: readonly string[];
  protected readonly head = 'head';

  constructor(options: FcResNetOptions) {
    super({ ...options, kind: 'fc' });
    checkWhole(options, { inputs: 1, depth: 1, width: 1, classes: 2 });
    const { inputs, depth, width, classes } = options;
    this.input = [inputs];
    this.blocks = Array.from({ length: depth }, (_, i) => `blocks.${i}`);
    this.stages = [{ blocks: this.blocks, shape: [width], reach: 0 }];

    const layer = (block: string, n: string, fanIn: number) => ({
      linear: { name: `${block}.linear${n}.weight`, shape: [width, fanIn], init: { fanIn } },
      norm: { name: `${block}.bn${n}`, features: width, places: 1 },
    });
    const layers = [
      layer('stem', '', inputs),
      ...this.blocks.flatMap((block) => [layer(block, '1', width), layer(block, '2', width)]),
    ];
    this.parameters = [
      ...layers.flatMap(({ linear, norm }) => [linear, ...normParameters(norm)]),
      ...headParameters(this.head, classes, width),
    ];
    this.norms = layers.map(({ norm }) => norm);
  }

  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    return relu(norm(linear(x, weights['stem.linear.weight']!), 'stem.bn', weights));
  }

  branch(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
    const inner = relu(norm(linear(h, weights[`${block}.linear1.weight`]!), `${block}.bn1`, weights));
    return norm(linear(inner, weights[`${block}.linear2.weight`]!), `${block}.bn2`, weights);
  }
}

/** x Wᵀ with W [out, in], PyTorch's layout. */
function linear(x: Tensor, weight: Tensor): Tensor {
  return matmul(x, weight, { transposeB: true });
}
