import * as v from 'valibot';
import {
  add,
  array,
  attention,
  cast,
  concat,
  gelu,
  layerNorm,
  matmul,
  mean,
  mul,
  relu,
  reshape,
  rsqrt,
  silu,
  slice,
  softmax,
  square,
  sub,
  take,
  transpose,
} from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { range } from '../lists.ts';
import type { Normalizer, Weights } from '../train/network.ts';
import { checkedOptions, linear, ResidualNetwork, type Stage } from './residual-network.ts';
import { architecture, fields, peakOf, sizesOf, type TransformerOptions } from './transformer-shape.ts';

/** The tokens that a block reads, in parts, those it is computed for, and the positions of all. */
interface Read {
  readonly tokens: readonly Tensor[];
  readonly own: Tensor;
  readonly positions: ReadonlyMap<Tensor, readonly number[]>;
}

/**
 * Transformers as residual networks (Vaswani et al., 2017; Dosovitskiy et al., 2021; Radford et al., 2019);
 * options make the families. h is [tokens, D]. Each layer adds attention and an MLP:
 * h ← h + attention(norm h), h ← h + mlp(norm h), or with `order: 'post'` h ← norm(h + attention(h)),
 * h ← norm(h + mlp(h)). Names and shapes of parameters: docs/models.md.
 *
 * With `branches: 'apart'`, blocks are `blocks.0.attention` and `blocks.0.mlp`, one stage each; else
 * `blocks.0`, and F is all that a layer adds. Rotary pairs are features i and i + r/2 of r, as in Llama.
 * @example
 * const gpt = { kind: 'gpt', inputs: 8, vocabulary: 10, depth: 2, width: 16, causal: true } as const;
 * new Transformer({ ...gpt, heads: 2, classes: 10, activation: 'identity', skip: true }).blocks.length; // 2
 */
export class Transformer extends ResidualNetwork {
  declare readonly options: TransformerOptions;
  readonly activation: number;
  readonly #sizes: ReturnType<typeof sizesOf>;

  constructor(options: TransformerOptions) {
    checkedOptions({ kind: v.picklist(['vit', 'gpt']), ...fields }, options);
    const sizes = sizesOf(options);
    super(options, architecture(options, sizes));
    this.#sizes = sizes;
    this.activation = peakOf(sizes);
  }

  stem(weights: Weights, x: Tensor): Tensor {
    const { inputs, patch, classToken, positions = 'learned', width } = this.options;
    const { tokens, cells } = this.#sizes;
    let h: Tensor;
    if (typeof inputs === 'number') h = take(weights['embedding.weight']!, cast(x, 'u32'));
    else {
      // A matmul over patches, cheaper than a convolution of such a stride.
      const [rows, columns, channels] = [inputs[0] / patch!, inputs[1] / patch!, inputs[2]];
      const cut = reshape(x, [rows, patch!, columns, patch!, channels], 3);
      const each = reshape(transpose(cut, [0, 2, 4, 1, 3]), [cells, channels * patch! ** 2], 5);
      const kernels = reshape(weights['patches.weight']!, [width, channels * patch! ** 2]);
      h = add(matmul(each, kernels, { transposeB: true }), weights['patches.bias']!);
    }
    if (classToken) h = concat([reshape(weights.class!, [1, 1, width]), h], -2);
    return positions === 'learned' ? add(h, reshape(weights['positions.weight']!, [tokens, width])) : h;
  }

  protected override layers(weights: Weights, block: string, h: Tensor): Tensor {
    return this.#layers(weights, block, {
      ...{ tokens: [h], own: h },
      positions: new Map([[h, range(h.shape.at(-2)!)]]),
    });
  }

  override tokenBranch(
    weights: Weights,
    block: string,
    h: Tensor,
    x: Tensor,
    norm: Normalizer,
    tokens: Stage['tokens'],
  ): Tensor {
    if (!tokens) return super.tokenBranch(weights, block, h, x, norm, tokens);
    const { count, causal, from, to } = tokens;
    // Attention does not depend on the order of what it reads: one program serves every token.
    const others = range(causal ? to + 1 : count).filter((t) => t !== from);
    const part = (...list: number[]) => take(h, array(list, [list.length], 'u32'), { axis: -2 });
    const token = reshape(x, [1, x.shape.at(-1)!], 1);
    const rest = others.length > 0 ? [part(...others)] : [];
    const own = from === to ? token : part(to);
    const positions = new Map<Tensor, number[]>(rest.map((t) => [t, others]));
    positions.set(token, [from]).set(own, [to]);
    const read = { tokens: [...rest, token], own, positions };
    return reshape(this.scaled(this.#layers(weights, block, read), weights, block), [x.shape.at(-1)!], 2);
  }

  /** What a block adds to the tokens it is computed for. */
  #layers(weights: Weights, block: string, read: Read): Tensor {
    if (weights[`${block}.query.weight`]) return this.#attention(weights, block, read);
    if (weights[`${block}.down.weight`]) return this.#mlp(weights, block, read.own);
    const { skip, order, parallel } = this.options;
    const [first, second] = [`${block}.attention`, `${block}.mlp`];
    const seen = this.#attention(weights, first, read);
    if (parallel) return add(seen, this.#mlp(weights, second, read.own));
    const sum = skip ? add(read.own, seen) : seen;
    const between = order === 'post' ? this.#norm(weights, first, sum) : sum;
    const own = this.#mlp(weights, second, between);
    if (!skip) return own;
    return order === 'post' ? add(sub(between, read.own), own) : add(seen, own);
  }

  #attention(weights: Weights, name: string, { tokens, own, positions }: Read): Tensor {
    const { causal = false } = this.options;
    const { heads, groups, headWidth } = this.#sizes;
    const normed = new Map([...tokens, own].map((t) => [t, this.#before(weights, name, t)]));
    const project = (to: 'query' | 'key' | 'value', t: Tensor) => {
      const each = to === 'query' ? heads / groups : 1;
      const y = linear(weights, `${name}.${to}`, normed.get(t)!);
      const split = transpose(reshape(y, [t.shape.at(-2)!, groups, each, headWidth], 2), [1, 2, 0, 3]);
      return to === 'value' ? split : this.#rotated(split, positions.get(t)!);
    };
    const query = project('query', own);
    const [keys, values] = (['key', 'value'] as const).map((to) => tokens.map((t) => project(to, t))) as [
      Tensor[],
      Tensor[],
    ];
    const read =
      tokens.length === 1 && own === tokens[0]
        ? attention(query, keys[0]!, values[0]!, { causal })
        : inParts(query, keys, values);
    const merged = reshape(transpose(read, [2, 0, 1, 3]), [own.shape.at(-2)!, heads * headWidth], 4);
    return this.#after(weights, name, linear(weights, `${name}.out`, merged));
  }

  #mlp(weights: Weights, name: string, h: Tensor): Tensor {
    const { mlp = 'gelu' } = this.options;
    const x = this.#before(weights, name, h);
    const up = linear(weights, `${name}.up`, x);
    const inner =
      mlp === 'gated-silu'
        ? mul(silu(linear(weights, `${name}.gate`, x)), up)
        : mlp === 'relu'
          ? relu(up)
          : gelu(up, { approximate: mlp === 'gelu-tanh' });
    return this.#after(weights, name, linear(weights, `${name}.down`, inner));
  }

  #before(weights: Weights, name: string, h: Tensor): Tensor {
    return this.options.order === 'post' ? h : this.#norm(weights, name, h);
  }

  #after(weights: Weights, name: string, y: Tensor): Tensor {
    return this.options.layerScale === undefined ? y : mul(y, weights[`${name}.layerScale`]!);
  }

  /** The norm of an attention or an MLP, or, without a name, the final one. */
  #norm(weights: Weights, name: string, x: Tensor): Tensor {
    const { norm = 'layer', epsilon = 1e-5 } = this.options;
    const of = (kind: string) => weights[[name, 'norm', kind].filter(Boolean).join('.')]!;
    if (norm === 'layer') return layerNorm(x, { weight: of('weight'), bias: of('bias'), epsilon });
    return mul(mul(x, rsqrt(add(mean(square(x), -1), epsilon))), of('weight'));
  }

  /** Queries or keys [… , tokens, d], rotated by their positions. */
  #rotated(x: Tensor, at: readonly number[]): Tensor {
    const { positions, rotaryShare = 1, rotaryBase = 10_000 } = this.options;
    if (positions !== 'rotary') return x;
    const width = x.shape.at(-1)!;
    const half = Math.floor((rotaryShare * width) / 2);
    const angles = at.flatMap((t) => range(half).map((i) => t * rotaryBase ** (-i / half)));
    const turn = (f: (angle: number) => number): Tensor => array(angles.map(f), [at.length, half]);
    const [cos, sin] = [turn(Math.cos), turn(Math.sin)];
    const part = (from: number, to: number) => (from < to ? [slice(x, from, to, -1)] : []);
    const [a, b] = [...part(0, half), ...part(half, 2 * half)] as [Tensor, Tensor];
    return concat(
      [sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin)), ...part(2 * half, width)],
      -1,
    );
  }

  override join(h: Tensor, branch: Tensor, weights: Weights, block: string): Tensor {
    const sum = super.join(h, branch, weights, block);
    if (this.options.order !== 'post') return sum;
    return this.#norm(weights, `${block}.mlp.norm.weight` in weights ? `${block}.mlp` : block, sum);
  }

  /** h_{L+1} of the token that the classifier reads, or its mean over tokens. */
  override pooled(last: Tensor): Tensor {
    const { tokens, read } = this.#sizes;
    const at = read === 'first' ? 0 : tokens - 1;
    const token = read === 'mean' ? mean(last, -2) : slice(last, at, at + 1, -2);
    return reshape(token, [this.options.width], 2);
  }

  override normed(pooled: Tensor, weights: Weights): Tensor {
    return this.#sizes.finalNorm ? this.#norm(weights, '', pooled) : pooled;
  }
}

/** Attention to keys and values in parts: only the parts that have tangents bring any. */
function inParts(query: Tensor, keys: readonly Tensor[], values: readonly Tensor[]): Tensor {
  const scale = 1 / Math.sqrt(query.shape.at(-1)!);
  const scores = keys.map((k) => matmul(query, k, { transposeB: true }));
  const shares = softmax(mul(concat(scores, -1), scale));
  let start = 0;
  return values
    .map((value) => {
      const end = start + value.shape.at(-2)!;
      const share = slice(shares, start, end, -1);
      start = end;
      return matmul(share, value);
    })
    .reduce((sum, x) => add(sum, x));
}
