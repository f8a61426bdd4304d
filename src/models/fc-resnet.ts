import { add, matmul, relu } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import type { Network, Normalizer, NormSpec, ParameterSpec, Weights } from '../train/network.ts';

export interface FcResNetOptions {
  /** Features of an input. */
  readonly inputs: number;
  /** Number L of residual blocks. */
  readonly depth: number;
  /** Number D of features throughout. */
  readonly width: number;
  readonly classes: number;
  /** σ in h ← σ(h + F(h)). */
  readonly activation: 'relu' | 'identity';
  /** Without skip connections, h ← σ(F(h)). */
  readonly skip: boolean;
}

/**
 * The fully connected residual network: a stem Linear–BN–ReLU, L blocks h ← σ(h + F(h)) with the branch
 * F = Linear–BN–ReLU–Linear–BN, and a linear classifier. No biases beside BatchNorm's and the classifier's.
 */
export class FcResNet implements Network {
  readonly options: FcResNetOptions;
  readonly parameters: readonly ParameterSpec[];
  readonly norms: readonly NormSpec[];

  constructor(options: FcResNetOptions) {
    for (const [name, least] of Object.entries({ inputs: 1, depth: 1, width: 1, classes: 2 })) {
      const value = options[name as 'depth'];
      if (!Number.isInteger(value) || value < least) {
        throw new CollimateError(`${name} is ${value}`, `It must be a whole number, at least ${least}.`);
      }
    }
    this.options = options;
    const { inputs, depth, width, classes } = options;
    const linear = (name: string, fanOut: number, fanIn: number): ParameterSpec => ({
      name: `${name}.weight`,
      shape: [fanOut, fanIn],
      init: { fanIn },
    });
    const norm = (name: string): ParameterSpec[] => [
      { name: `${name}.weight`, shape: [width], init: { value: 1 } },
      { name: `${name}.bias`, shape: [width], init: { value: 0 } },
    ];
    const blocks = Array.from({ length: depth }, (_, i) => blockName(i));
    this.parameters = [
      linear('stem.linear', width, inputs),
      ...norm('stem.bn'),
      ...blocks.flatMap((block) =>
        ['1', '2'].flatMap((n) => [linear(`${block}.linear${n}`, width, width), ...norm(`${block}.bn${n}`)]),
      ),
      linear('head', classes, width),
      { name: 'head.bias', shape: [classes], init: { fanIn: width } },
    ];
    this.norms = ['stem.bn', ...blocks.flatMap((b) => [`${b}.bn1`, `${b}.bn2`])].map((name) => ({
      name,
      features: width,
    }));
  }

  /** h_1 of inputs [n, inputs]. */
  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    return relu(norm(linear(x, weights['stem.linear.weight']!), 'stem.bn', weights));
  }

  /** σ(h + F(h)), or σ(F(h)) without skip connections. */
  join(h: Tensor, branch: Tensor): Tensor {
    const sum = this.options.skip ? add(h, branch) : branch;
    return this.options.activation === 'relu' ? relu(sum) : sum;
  }

  /** Logits [n, classes] of h_{L+1}. */
  head(weights: Weights, h: Tensor): Tensor {
    return add(linear(h, weights['head.weight']!), weights['head.bias']!);
  }

  /** h_1 … h_{L+1}, each [n, width]. */
  representations(weights: Weights, x: Tensor, norm: Normalizer): Tensor[] {
    const hs = [this.stem(weights, x, norm)];
    for (let i = 0; i < this.options.depth; i++) {
      const h = hs.at(-1)!;
      hs.push(this.join(h, residualBranch(weights, blockName(i), h, norm)));
    }
    return hs;
  }

  forward(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    return this.head(weights, this.representations(weights, x, norm).at(-1)!);
  }
}

export const blockName = (i: number): string => `blocks.${i}`;

/** The branch F of the block whose weights are called `<block>.…`, at h [… , n, width]. */
export function residualBranch(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
  const inner = relu(norm(linear(h, weights[`${block}.linear1.weight`]!), `${block}.bn1`, weights));
  return norm(linear(inner, weights[`${block}.linear2.weight`]!), `${block}.bn2`, weights);
}

/** x Wᵀ with W [out, in], PyTorch's layout. */
function linear(x: Tensor, weight: Tensor): Tensor {
  return matmul(x, weight, { transposeB: true });
}
