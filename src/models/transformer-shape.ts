import * as v from 'valibot';
import { range } from '../lists.ts';
import { above0, whole } from '../schema.ts';
import type { ParameterSpec } from '../train/network.ts';
import {
  type Architecture,
  blockOptions,
  imageSides,
  type Layer,
  refuseOptions,
} from './residual-network.ts';

export const fields = {
  ...blockOptions,
  activation: v.literal('identity'),
  /** Height, width and channels of an image, cut into patches; or the number of token ids of a text. */
  inputs: v.union([imageSides, whole(1, 2 ** 20)]),
  /** Side of a patch, a divisor of height and width; for images only. */
  patch: v.exactOptional(whole(1, 1024)),
  /** Number of token ids; for texts only. */
  vocabulary: v.exactOptional(whole(2, 2 ** 24)),
  /** Layers, each of attention and an MLP. */
  depth: whole(1, 10_000),
  /** Number D of features throughout. */
  width: whole(1, 65_536),
  heads: whole(1, 1024),
  /** Heads of keys and values, each serving as many heads of queries; default: `heads`. */
  groups: v.exactOptional(whole(1, 1024)),
  /** Features of a head; default: width / heads. */
  headWidth: v.exactOptional(whole(1, 65_536)),
  /** Features inside the MLP; default: 4 · width. */
  hidden: v.exactOptional(whole(1, 2 ** 20)),
  /** `gelu` is exact, `gelu-tanh` GPT-2's; `gated-silu`: down(silu(gate x) · up x). Default: `gelu`. */
  mlp: v.exactOptional(v.picklist(['gelu', 'gelu-tanh', 'relu', 'gated-silu'])),
  /** LayerNorm, or RMSNorm, which has no bias; default: `layer`. */
  norm: v.exactOptional(v.picklist(['layer', 'rms'])),
  /** Default: 1e-5. */
  epsilon: v.exactOptional(above0('a number above 0', 1)),
  /** Norms before attention and MLP, or after the sums; default: `pre`. */
  order: v.exactOptional(v.picklist(['pre', 'post'])),
  /** Whether a norm precedes the classifier; default: with `pre`. */
  finalNorm: v.exactOptional(v.boolean()),
  /** Whether MLP and attention both read h and are added to it at once (GPT-NeoX); default: false. */
  parallel: v.exactOptional(v.boolean()),
  /** Whether tokens see only themselves and earlier ones; default: false. */
  causal: v.exactOptional(v.boolean()),
  /** Biases of queries, keys and values, and of all other linear layers of the blocks; default: true. */
  qkvBias: v.exactOptional(v.boolean()),
  bias: v.exactOptional(v.boolean()),
  /** `rotary`: queries and keys turn by their position (Su et al., 2021). Default: `learned`. */
  positions: v.exactOptional(v.picklist(['learned', 'rotary', 'none'])),
  /** Share of a head's features that turn, the first; default: 1. Base of frequencies; default: 10,000. */
  rotaryShare: v.exactOptional(above0('a share above 0 and at most 1', 1)),
  rotaryBase: v.exactOptional(above0('a number above 0')),
  /** Whether the classifier reads a token put in front of the patches; default: false. */
  classToken: v.exactOptional(v.boolean()),
  /** Initial factor per feature of a branch (LayerScale: Touvron et al., 2021); default: none. */
  layerScale: v.exactOptional(above0('a number above 0')),
  /** Token that is classified; default: `first` with a class token, else `last` if causal, else `mean`. */
  pool: v.exactOptional(v.picklist(['first', 'last', 'mean'])),
  /** Whether the classifier has a bias; default: true. Whether it is the token embedding; default: false. */
  headBias: v.exactOptional(v.boolean()),
  tiedHead: v.exactOptional(v.boolean()),
  /** A block is a layer's attention and MLP together, or each apart; default: `together`. Same weights. */
  branches: v.exactOptional(v.picklist(['together', 'apart'])),
  /**
   * Jacobians are of F's token `to` by h's token `from`, negative numbers counting from the end; default:
   * the token that the classifier reads for both or, if it reads the mean, all tokens by all tokens.
   */
  token: v.exactOptional(
    v.strictObject({ from: v.pipe(v.number(), v.integer()), to: v.pipe(v.number(), v.integer()) }),
  ),
};
/** Settings of a transformer at every size. */
export const SETTINGS = { activation: 'identity', weightDecay: 1e-3 } as const;

export type TransformerFields = v.InferOutput<v.ObjectSchema<typeof fields, undefined>>;
/** Options of a {@link Transformer}: docs/models.md. */
export type TransformerOptions = Readonly<TransformerFields> & { readonly kind: 'vit' | 'gpt' };

/** Sizes that follow from options, as far as these fit each other. */
export function sizesOf(options: TransformerOptions) {
  const { inputs, patch, vocabulary, width, heads, groups = heads, causal, classToken, classes } = options;
  const image = typeof inputs !== 'number';
  if (image !== (patch !== undefined) || image === (vocabulary !== undefined)) {
    refuseOptions(
      `inputs are ${image ? `images [${inputs}]` : `${inputs} tokens`}, patch is ${patch}, vocabulary ${vocabulary}`,
      'Give images a patch, and texts a vocabulary.',
    );
  }
  if (image && (inputs[0] % patch! || inputs[1] % patch!))
    refuseOptions(
      `patches of ${patch} do not tile images of ${inputs[0]}×${inputs[1]}`,
      'Give a divisor of both sides.',
    );
  const { headWidth = width / heads } = options;
  if (!Number.isInteger(headWidth))
    refuseOptions(`heads is ${heads} and does not divide width, ${width}`, 'Give a divisor, or headWidth.');
  if (heads % groups)
    refuseOptions(`groups is ${groups} and does not divide heads, ${heads}`, 'Give a divisor.');
  if (options.tiedHead && vocabulary !== classes)
    refuseOptions(
      `tiedHead with ${classes} classes and a vocabulary of ${vocabulary}`,
      'Give one class a token.',
    );
  if (options.parallel && (options.order === 'post' || options.branches === 'apart'))
    refuseOptions(
      'parallel layers have norms in front, and add attention and MLP at once',
      'Leave order and branches at their defaults.',
    );
  const cells = image ? (inputs[0] / patch!) * (inputs[1] / patch!) : inputs;
  const tokens = cells + (classToken ? 1 : 0);
  const read = options.pool ?? (classToken ? 'first' : causal ? 'last' : 'mean');
  const usual = { first: { from: 0, to: 0 }, last: { from: -1, to: -1 }, mean: undefined }[read];
  const { from, to } = options.token ?? usual ?? {};
  const at = (position: number) => (position < 0 ? tokens + position : position);
  const pair =
    from === undefined || to === undefined
      ? undefined
      : { count: tokens, causal: causal ?? false, from: at(from), to: at(to) };
  if (pair && !(Math.min(pair.from, pair.to) >= 0 && Math.max(pair.from, pair.to) < tokens))
    refuseOptions(
      `the Jacobian is of token ${to} by token ${from}, of ${tokens}`,
      `Give numbers from ${-tokens} to ${tokens - 1}.`,
    );
  if (pair && causal && pair.from > pair.to)
    refuseOptions(
      `the Jacobian is of token ${to} by the later token ${from}, which it does not see`,
      'Give a `from` that is at most `to`.',
    );
  const { hidden = 4 * width, order = 'pre', finalNorm = order === 'pre' } = options;
  return { cells, tokens, read, pair, heads, groups, headWidth, hidden, finalNorm };
}

/** Numbers in the largest activation of one example, or of one tangent at a token. */
export const peakOf = (
  { tokens, heads, headWidth, hidden }: ReturnType<typeof sizesOf>,
  rows = tokens,
): number => Math.max(rows * hidden, rows * heads * headWidth, heads * rows * tokens);

/** Parameters, named and shaped as in docs/models.md#transformers. Matrices are [out, in], as in PyTorch. */
export function architecture(options: TransformerOptions, sizes: ReturnType<typeof sizesOf>): Architecture {
  const { inputs, patch, vocabulary, depth, width, norm, mlp, positions = 'learned', layerScale } = options;
  const { qkvBias = true, bias = true, headBias = true, classToken, tiedHead, branches } = options;
  const { cells, tokens, pair, heads, groups, headWidth, hidden, finalNorm } = sizes;
  const image = typeof inputs !== 'number';
  const drawn = { std: 0.02 };
  const vector = (name: string, value: number): ParameterSpec => ({ name, shape: [width], init: { value } });
  const linearLayer = (name: string, out: number, fanIn: number, withBias: boolean): Layer => ({
    weight: { name: `${name}.weight`, shape: [out, fanIn], init: { fanIn }, uses: tokens },
    ...(withBias && { bias: { name: `${name}.bias`, shape: [out], init: { fanIn } } }),
  });
  const normLayer = (name: string): Layer => ({
    weight: vector(`${name}norm.weight`, 1),
    ...(norm !== 'rms' && { bias: vector(`${name}norm.bias`, 0) }),
  });
  const scale = (name: string): Layer[] =>
    layerScale === undefined ? [] : [{ weight: vector(`${name}.layerScale`, layerScale) }];
  const block = (i: number): Layer[] => {
    const [a, m] = [`blocks.${i}.attention`, `blocks.${i}.mlp`];
    return [
      normLayer(`${a}.`),
      linearLayer(`${a}.query`, heads * headWidth, width, qkvBias),
      linearLayer(`${a}.key`, groups * headWidth, width, qkvBias),
      linearLayer(`${a}.value`, groups * headWidth, width, qkvBias),
      linearLayer(`${a}.out`, width, heads * headWidth, bias),
      ...scale(a),
      normLayer(`${m}.`),
      ...(mlp === 'gated-silu' ? [linearLayer(`${m}.gate`, hidden, width, bias)] : []),
      linearLayer(`${m}.up`, hidden, width, bias),
      linearLayer(`${m}.down`, width, hidden, bias),
      ...scale(m),
    ];
  };
  const fanIn = image ? inputs[2] * patch! ** 2 : 1;
  const layers: Layer[] = [
    image
      ? {
          weight: {
            name: 'patches.weight',
            shape: [width, inputs[2], patch!, patch!],
            init: { fanIn },
            uses: cells,
          },
          bias: { name: 'patches.bias', shape: [width], init: { fanIn } },
        }
      : // Looked up, and multiplied only as a classifier.
        {
          weight: {
            name: 'embedding.weight',
            shape: [vocabulary!, width],
            init: drawn,
            uses: tiedHead ? 1 : 0,
          },
        },
    ...(classToken ? [{ weight: { name: 'class', shape: [width], init: drawn } }] : []),
    ...(positions === 'learned'
      ? [{ weight: { name: 'positions.weight', shape: [tokens, width], init: drawn, uses: 0 } }]
      : []),
    ...range(depth).flatMap(block),
    ...(finalNorm ? [normLayer('')] : []),
  ];
  const parts = branches === 'apart' ? ['.attention', '.mlp'] : [''];
  const stage = {
    shape: pair ? [width] : [tokens, width],
    reach: tokens,
    peak: peakOf(sizes, pair ? 1 : tokens),
    ...(pair && { tokens: pair }),
  };
  return {
    input: image ? inputs : [inputs],
    layers,
    stages: parts.map((part) => ({ ...stage, blocks: range(depth).map((i) => `blocks.${i}${part}`) })),
    blocks: range(depth).flatMap((i) => parts.map((part) => `blocks.${i}${part}`)),
    head: tiedHead ? 'embedding' : 'head',
    headBias,
  };
}
