import * as v from 'valibot';
import { CollimateError } from '../../errors.ts';
import type { TransformerOptions } from '../../models/transformer-shape.ts';
import { checked } from '../../schema.ts';
import type { Family, Inputs, Shapes } from './family.ts';
import { type Mapping, rowsOf } from './weights.ts';

/** A family's names for our tensors: whole, or stems of `.weight` and `.bias`; layers' follow a prefix. */
interface Layout {
  /** `#` stands for the layer's number. */
  readonly layers: string;
  readonly names: Readonly<Record<string, string>>;
  /** Queries, keys and values in one tensor, `attention.qkv`: one after the other, or head by head. */
  readonly qkv?: 'whole' | 'by head';
  /** Whether the layers' matrices are [in, out]. */
  readonly transposed?: true;
}

const PARTS = ['query', 'key', 'value'];

/** A family: the layout of its tensors, and what is its own. */
interface Kind extends Layout, Pick<Family, 'title' | 'signs' | 'reads'> {
  /** Accepted values of `model_type`: others use the same names but compute something else. */
  readonly types: readonly string[];
  /** Whether to assume heads of 64 features where nothing says how many heads there are. */
  readonly usual?: (width: number) => boolean;
  readonly own: (said: Said, shapes: Shapes, heads: number) => Partial<TransformerOptions>;
}

/** Where tensors of this layout lie. */
function placed({ layers, names, qkv, transposed }: Layout): NonNullable<Family['mapping']> {
  return (options, { has, sizes }, { texts }): Mapping =>
    (name, shape) => {
      const [, layer = '', own = ''] = /^(?:blocks\.(\d+)\.)?(.*)$/.exec(name)!;
      const [, part = own, leaf = ''] = /^(.*)\.(weight|bias)$/.exec(own) ?? [];
      const index = qkv ? PARTS.indexOf(part.replace('attention.', '')) : -1;
      const tied = part === 'head' && !has(`${names.head}.weight`);
      if (tied && !texts) return undefined;
      const key = index >= 0 ? 'attention.qkv' : tied ? 'embedding' : part;
      const there = (layer && layers.replace('#', layer)) + (names[own] ?? `${names[key]}.${leaf}`);
      const found = sizes(there);
      const lead = Math.max(0, found.length - shape.length);
      const [total = 0] = found;
      if (part === 'head' && texts) return rowsOf(there, shape, { total, at: (r) => texts.next[r]! });
      if (part === 'embedding') return rowsOf(there, shape, { total, at: (r) => texts!.used[r]! });
      if (part === 'positions' && texts) return rowsOf(there, shape, { total: Math.max(total, shape[0]!) });
      const whole = transposed === true && layer !== '' && shape.length === 2;
      if (index < 0) return rowsOf(there, shape, { transposed: whole, lead });
      const [rows] = shape as [number];
      const each = qkv === 'whole' ? rows : rows / (options as TransformerOptions).heads;
      const at = (r: number) => (3 * Math.floor(r / each) + index) * each + (r % each);
      return rowsOf(there, shape, { total: 3 * rows, at, transposed: whole });
    };
}

const MLPS: Readonly<Record<string, 'gelu' | 'gelu-tanh' | 'relu' | 'gated-silu'>> = {
  ...{ gelu: 'gelu', gelu_new: 'gelu-tanh', gelu_pytorch_tanh: 'gelu-tanh', relu: 'relu' },
  silu: 'gated-silu',
};
const mlps = v.optional(v.picklist(Object.keys(MLPS)));
const count = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)));
const number = v.optional(v.number());
const flag = v.optional(v.boolean());
/** What configurations of transformers add to shapes. */
const schema = v.object({
  ...{ model_type: v.optional(v.string()), n_head: count, num_heads: count, num_attention_heads: count },
  ...{ layer_norm_epsilon: number, layer_norm_eps: number, rms_norm_eps: number, rotary_pct: number },
  ...{ rotary_emb_base: number, rope_theta: number, activation_function: mlps, hidden_act: mlps },
  ...{ use_parallel_residual: flag, tie_word_embeddings: flag, use_sliding_window: flag },
  ...{ sliding_window: v.nullish(v.number()), num_key_value_heads: count, max_position_embeddings: count },
  ...{ hidden_size: count, n_embd: count, num_hidden_layers: count, n_layer: count },
  // Other values are refused.
  ...{ rope_scaling: v.nullish(v.null()), scale_attn_by_inverse_layer_idx: v.optional(v.literal(false)) },
  ...{ scale_attn_weights: v.optional(v.literal(true)), global_pool: v.optional(v.picklist(['token', ''])) },
  rope_parameters: v.nullish(
    v.object({
      ...{ rope_theta: number, partial_rotary_factor: number, rope_type: v.optional(v.literal('default')) },
    }),
  ),
});

type Said = v.InferInput<typeof schema>;
type Texts = NonNullable<Inputs['texts']>;
/** An MLP's configured activation, or the usual one. */
const mlpOf = (name: string | undefined, usual: string) => ({ mlp: MLPS[name ?? usual]! });

/** Checks that a configuration fits a network's sizes. */
function agree(said: Said, { depth, width, groups }: Partial<TransformerOptions>): void {
  const pairs = [
    ['layers', said.num_hidden_layers ?? said.n_layer, depth],
    ['features', said.hidden_size ?? said.n_embd, width],
    ['heads of keys', groups === undefined ? undefined : said.num_key_value_heads, groups],
  ] as const;
  for (const [what, stated, found] of pairs)
    if (stated !== undefined && stated !== found)
      throw new CollimateError(
        `the number of ${what} is ${stated} in the configuration, and ${found} in the tensors`,
        'Use a whole file, and the configuration that belongs to it.',
      );
}

/** Checks that a network can read such texts and predict what follows. */
function readable({ names }: Kind, said: Said, shapes: Shapes, { length, used, next }: Texts): void {
  const { sizes, has, shape } = shapes;
  const [known] = shape(`${names.embedding}.weight`, 2) as [number, number];
  if (!has(`${names.head}.weight`) && said.tie_word_embeddings === false)
    throw new CollimateError(
      `there is no ${names.head}.weight, and the configuration says that embeddings do not serve in its place`,
      'Use a file with the whole language model.',
    );
  const [ends = known] = sizes(`${names.head}.weight`);
  const strange = used.find((id) => id >= known) ?? next.find((id) => id >= ends);
  if (strange !== undefined)
    throw new CollimateError(
      `a text has the token ${strange}, and the network knows ${Math.min(known, ends)} tokens`,
      'Make the ids with the tokenizer that belongs to the network.',
    );
  const slides = said.use_sliding_window ?? said.model_type !== 'qwen2';
  const [positions = said.max_position_embeddings ?? length] = sizes(`${names.positions}.weight`);
  const most = Math.min(positions, (slides ? said.sliding_window : undefined) ?? length);
  if (length > most)
    throw new CollimateError(
      `the network reads ${length} tokens of each text, and sees ${most} at most`,
      'Give shorter texts.',
    );
}

function family(kind: Kind): Family {
  const { title, signs, reads, layers: prefix, names, transposed, usual } = kind;
  const at = (part: string, layer = 0) => prefix.replace('#', `${layer}`) + names[part]!;
  return {
    ...{ title, signs, reads, mapping: placed(kind) },
    options(shapes, { texts, branches, classes: known = 2 }) {
      const { shape, sizes, count, config } = shapes;
      const said = checked(config, schema, 'the configuration', 'Such networks are not supported.');
      if (said.model_type !== undefined && !kind.types.includes(said.model_type))
        throw new CollimateError(
          `it is like ${title}, but a ${said.model_type}`,
          'Such networks are not supported.',
        );
      const [width] = shape(`${at('attention.norm')}.weight`, 1) as [number];
      const guess = width % 64 === 0 && usual?.(width) ? width / 64 : undefined;
      const heads = said.num_attention_heads ?? said.n_head ?? said.num_heads ?? guess;
      if (heads === undefined)
        throw new CollimateError(
          `it is ${title}, and nothing says how many heads it has`,
          'Give a configuration that has `num_attention_heads` with `--config`.',
        );
      const layers = {
        ...{ depth: count((i) => `${at('attention.norm', i)}.weight`), width, heads },
        hidden: shape(`${at('mlp.up')}.weight`, 2)[transposed ? 1 : 0]!,
        ...{ activation: 'identity' as const, skip: true, ...(branches && { branches }) },
        ...kind.own(said, shapes, heads),
      };
      agree(said, layers);
      if (texts) {
        const { length, used, next } = texts;
        readable(kind, said, shapes, texts);
        const read = { inputs: length, vocabulary: used.length, classes: next.length };
        return { kind: 'gpt', ...read, causal: true, headBias: false, ...layers };
      }
      const [, colors, patch] = shape(`${names.patches}.weight`, 4) as [number, number, number];
      const [, tokens] = shape(names['positions.weight']!, 3) as [number, number];
      const side = patch * Math.round(Math.sqrt(tokens - 1));
      // Without a classifier, the classes of the data, which it does not tell apart.
      const [classes = known] = sizes(`${names.head}.weight`);
      return { kind: 'vit', inputs: [side, side, colors], patch, classes, classToken: true, ...layers };
    },
  };
}

/** Published transformers, by their papers, and by the library whose names they have. */
const kinds: readonly Kind[] = [
  {
    ...{ title: 'a GPT-2 of Hugging Face', signs: ['wte.weight', 'h.0.attn.c_attn.weight'], reads: 'texts' },
    types: ['gpt2'],
    layers: 'h.#.',
    names: {
      ...{ embedding: 'wte', positions: 'wpe', norm: 'ln_f', head: 'lm_head' },
      'attention.norm': 'ln_1',
      'attention.qkv': 'attn.c_attn',
      'attention.out': 'attn.c_proj',
      ...{ 'mlp.norm': 'ln_2', 'mlp.up': 'mlp.c_fc', 'mlp.down': 'mlp.c_proj' },
    },
    ...{ qkv: 'whole', transposed: true },
    usual: () => true,
    own: (said) => ({
      ...{ epsilon: said.layer_norm_epsilon ?? 1e-5, ...mlpOf(said.activation_function, 'gelu_new') },
    }),
  },
  {
    ...{ title: 'a GPT-NeoX of Hugging Face', reads: 'texts' },
    types: ['gpt_neox'],
    layers: 'layers.#.',
    signs: ['embed_in.weight', 'layers.0.attention.query_key_value.weight'],
    names: {
      ...{ embedding: 'embed_in', norm: 'final_layer_norm', head: 'embed_out' },
      ...{ 'attention.norm': 'input_layernorm', 'mlp.norm': 'post_attention_layernorm' },
      'attention.qkv': 'attention.query_key_value',
      'attention.out': 'attention.dense',
      ...{ 'mlp.up': 'mlp.dense_h_to_4h', 'mlp.down': 'mlp.dense_4h_to_h' },
    },
    qkv: 'by head',
    own: (said) => ({
      ...{ epsilon: said.layer_norm_eps ?? 1e-5, ...mlpOf(said.hidden_act, 'gelu') },
      positions: 'rotary',
      rotaryShare: said.rope_parameters?.partial_rotary_factor ?? said.rotary_pct ?? 0.25,
      rotaryBase: said.rope_parameters?.rope_theta ?? said.rotary_emb_base ?? 10_000,
      parallel: said.use_parallel_residual ?? true,
    }),
  },
  {
    ...{ title: 'a Llama of Hugging Face, or a network like it', reads: 'texts' },
    types: ['llama', 'mistral', 'qwen2'],
    layers: 'layers.#.',
    signs: ['embed_tokens.weight', 'layers.0.self_attn.q_proj.weight', 'layers.0.mlp.gate_proj.weight'],
    names: {
      ...{ embedding: 'embed_tokens', norm: 'norm', head: 'lm_head' },
      ...{ 'attention.norm': 'input_layernorm', 'mlp.norm': 'post_attention_layernorm' },
      ...{ 'attention.query': 'self_attn.q_proj', 'attention.key': 'self_attn.k_proj' },
      ...{ 'attention.value': 'self_attn.v_proj', 'attention.out': 'self_attn.o_proj' },
      'mlp.gate': 'mlp.gate_proj',
      'mlp.up': 'mlp.up_proj',
      'mlp.down': 'mlp.down_proj',
    },
    own(said, { shape, has }, heads) {
      const [queries, keys] = ['q', 'k'].map((x) => shape(`layers.0.self_attn.${x}_proj.weight`, 2)[0]!) as [
        number,
        number,
      ];
      const headWidth = queries / heads;
      if (queries % heads || keys % headWidth)
        throw new CollimateError(
          `${heads} heads do not divide queries of ${queries} features and keys of ${keys}`,
          'Give a configuration with the right `num_attention_heads` with `--config`.',
        );
      return {
        ...{ norm: 'rms', epsilon: said.rms_norm_eps ?? 1e-6, ...mlpOf(said.hidden_act, 'silu') },
        ...{ positions: 'rotary', headWidth, groups: keys / headWidth },
        rotaryBase: said.rope_parameters?.rope_theta ?? said.rope_theta ?? 10_000,
        ...{ bias: has('layers.0.mlp.down_proj.bias'), qkvBias: has('layers.0.self_attn.q_proj.bias') },
      };
    },
  },
  {
    ...{ title: 'a Vision Transformer of timm, or a DINOv2', reads: 'images' },
    types: ['dinov2', 'timm_wrapper'],
    layers: 'blocks.#.',
    signs: ['cls_token', 'patch_embed.proj.weight', 'blocks.0.attn.qkv.weight'],
    names: {
      ...{ class: 'cls_token', 'positions.weight': 'pos_embed', patches: 'patch_embed.proj', norm: 'norm' },
      'attention.norm': 'norm1',
      'attention.qkv': 'attn.qkv',
      'attention.out': 'attn.proj',
      'mlp.norm': 'norm2',
      'mlp.up': 'mlp.fc1',
      'mlp.down': 'mlp.fc2',
      head: 'head',
      ...{ 'attention.layerScale': 'ls1.gamma', 'mlp.layerScale': 'ls2.gamma' },
    },
    qkv: 'whole',
    usual: (width) => width <= 1024 || width === 1536,
    own: (said, { has }) => ({
      ...{ epsilon: said.layer_norm_eps ?? 1e-6, ...mlpOf(said.hidden_act, 'gelu') },
      ...(has('blocks.0.ls1.gamma') && { layerScale: 1 }),
    }),
  },
  {
    ...{ title: 'a Vision Transformer of Hugging Face', reads: 'images' },
    types: ['vit'],
    layers: 'encoder.layer.#.',
    signs: ['embeddings.cls_token', 'encoder.layer.0.attention.attention.query.weight'],
    names: {
      ...{ class: 'embeddings.cls_token', 'positions.weight': 'embeddings.position_embeddings' },
      ...{ patches: 'embeddings.patch_embeddings.projection', norm: 'layernorm', head: 'classifier' },
      'attention.norm': 'layernorm_before',
      'mlp.norm': 'layernorm_after',
      ...Object.fromEntries(PARTS.map((part) => [`attention.${part}`, `attention.attention.${part}`])),
      'attention.out': 'attention.output.dense',
      ...{ 'mlp.up': 'intermediate.dense', 'mlp.down': 'output.dense' },
    },
    own: (said) => ({ epsilon: said.layer_norm_eps ?? 1e-12, ...mlpOf(said.hidden_act, 'gelu') }),
  },
];
export const transformers: readonly Family[] = kinds.map(family);
