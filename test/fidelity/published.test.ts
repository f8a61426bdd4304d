import { Matrix, SVD } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { residualJacobians } from '../../src/analysis/jacobians.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { recognize } from '../../src/experiments/foreign/families.ts';
import type { Inputs } from '../../src/experiments/foreign/family.ts';
import { tensorFiles, within } from '../../src/experiments/foreign/tensor-files.ts';
import { encodeSafetensors, inMemory, type TensorData } from '../../src/experiments/safetensors.ts';
import { networkOf } from '../../src/models/networks.ts';
import { ResNet } from '../../src/models/resnet.ts';
import { inferenceNorm } from '../../src/train/batch-norm.ts';
import type { Weights } from '../../src/train/network.ts';
import { withGpu } from '../gpu/harness.ts';
import { branchOf, imageOf } from './reference/convolution.ts';
import {
  type File,
  gpt2,
  gptNeoX,
  jacobianOf,
  llama,
  type Published,
  pathOf,
  vit,
} from './reference/published.ts';
import { randomNumbers, referenceState, someState } from './support.ts';

const DEPTH = 2;
const WIDTH = 16;
const SAMPLES = 2;
const [VOCABULARY, CONTEXT, LENGTH] = [20, 9, 5];

/** A family's file: tensors by published names, what stands beside them, and the same network in float64. */
interface Case {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Tensors that files have beside. */
  readonly beside?: Readonly<Record<string, TensorData>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly images?: true;
  readonly reference: (file: File) => Published;
}

const layers = (shapes: (i: number) => Readonly<Record<string, readonly number[]>>) =>
  Object.assign({}, ...Array.from({ length: DEPTH }, (_, i) => shapes(i))) as Record<
    string,
    readonly number[]
  >;
/** A weight and a bias. */
const affine = (name: string, ...shape: [number, ...number[]]) => ({
  [`${name}.weight`]: shape,
  [`${name}.bias`]: [shape[0]],
});
const D = WIDTH;

const gpt2Shapes = (prefix = '') => ({
  [`${prefix}wte.weight`]: [VOCABULARY, D],
  [`${prefix}wpe.weight`]: [CONTEXT, D],
  ...layers((i) => ({
    ...affine(`${prefix}h.${i}.ln_1`, D),
    ...affine(`${prefix}h.${i}.ln_2`, D),
    [`${prefix}h.${i}.attn.c_attn.weight`]: [D, 3 * D],
    [`${prefix}h.${i}.attn.c_attn.bias`]: [3 * D],
    [`${prefix}h.${i}.attn.c_proj.weight`]: [D, D],
    [`${prefix}h.${i}.attn.c_proj.bias`]: [D],
    [`${prefix}h.${i}.mlp.c_fc.weight`]: [D, 24],
    [`${prefix}h.${i}.mlp.c_fc.bias`]: [24],
    [`${prefix}h.${i}.mlp.c_proj.weight`]: [24, D],
    [`${prefix}h.${i}.mlp.c_proj.bias`]: [D],
  })),
  ...affine(`${prefix}ln_f`, D),
});
const mask = (size: number): TensorData => ({
  ...{ dtype: 'BOOL', shape: [1, 1, size, size] },
  data: new Uint8Array(size * size),
});
const timmShapes = {
  ...{ cls_token: [1, 1, D], pos_embed: [1, 5, D] },
  ...affine('patch_embed.proj', D, 3, 2, 2),
  'patch_embed.proj.bias': [D],
  ...layers((i) => ({
    ...affine(`blocks.${i}.norm1`, D),
    ...affine(`blocks.${i}.norm2`, D),
    ...affine(`blocks.${i}.attn.qkv`, 3 * D, D),
    ...affine(`blocks.${i}.attn.proj`, D, D),
    ...affine(`blocks.${i}.mlp.fc1`, 24, D),
    ...affine(`blocks.${i}.mlp.fc2`, D, 24),
  })),
  ...affine('norm', D),
};
const image = { depth: DEPTH, side: 4, patch: 2 } as const;

const cases: Record<string, Case> = {
  'GPT-2, tied': {
    shapes: gpt2Shapes(),
    beside: {
      'h.0.attn.bias': mask(CONTEXT),
      'h.0.attn.masked_bias': { dtype: 'F32', shape: [], data: Float32Array.of(-1e4) },
    },
    config: { n_head: 4, layer_norm_epsilon: 1e-3, activation_function: 'gelu_new' },
    reference: (file) => gpt2(file, { heads: 4, depth: DEPTH, epsilon: 1e-3 }),
  },
  'GPT-2 with a prefix and a head of its own': {
    shapes: { ...gpt2Shapes('transformer.'), 'lm_head.weight': [VOCABULARY, D] },
    config: { n_head: 1 },
    reference: (file) =>
      gpt2(new Map([...file].map(([name, t]) => [name.replace('transformer.', ''), t])), {
        ...{ heads: 1, depth: DEPTH, epsilon: 1e-5 },
      }),
  },
  ...Object.fromEntries(
    [true, false].map((parallel): [string, Case] => [
      `GPT-NeoX, ${parallel ? 'parallel' : 'in turn'}`,
      {
        shapes: {
          ...{ 'gpt_neox.embed_in.weight': [VOCABULARY, D], 'embed_out.weight': [VOCABULARY, D] },
          ...layers((i) => ({
            ...affine(`gpt_neox.layers.${i}.input_layernorm`, D),
            ...affine(`gpt_neox.layers.${i}.post_attention_layernorm`, D),
            ...affine(`gpt_neox.layers.${i}.attention.query_key_value`, 3 * D, D),
            ...affine(`gpt_neox.layers.${i}.attention.dense`, D, D),
            ...affine(`gpt_neox.layers.${i}.mlp.dense_h_to_4h`, 24, D),
            ...affine(`gpt_neox.layers.${i}.mlp.dense_4h_to_h`, D, 24),
          })),
          ...affine('gpt_neox.final_layer_norm', D),
        },
        beside: {
          'gpt_neox.layers.0.attention.bias': mask(CONTEXT),
          'gpt_neox.layers.0.attention.rotary_emb.inv_freq': {
            dtype: 'F32',
            shape: [1],
            data: Float32Array.of(1),
          },
        },
        config: {
          ...{ num_attention_heads: 2, rotary_pct: 0.5, rotary_emb_base: 100, layer_norm_eps: 1e-4 },
          ...{ use_parallel_residual: parallel, hidden_act: 'gelu' },
        },
        reference: (file) =>
          gptNeoX(file, { heads: 2, depth: DEPTH, epsilon: 1e-4, share: 0.5, base: 100, parallel }),
      },
    ]),
  ),
  'Llama with grouped heads': {
    shapes: {
      ...{ 'model.embed_tokens.weight': [VOCABULARY, D], 'lm_head.weight': [VOCABULARY, D] },
      ...layers((i) => ({
        [`model.layers.${i}.input_layernorm.weight`]: [D],
        [`model.layers.${i}.post_attention_layernorm.weight`]: [D],
        [`model.layers.${i}.self_attn.q_proj.weight`]: [D, D],
        [`model.layers.${i}.self_attn.k_proj.weight`]: [8, D],
        [`model.layers.${i}.self_attn.v_proj.weight`]: [8, D],
        [`model.layers.${i}.self_attn.o_proj.weight`]: [D, D],
        [`model.layers.${i}.mlp.gate_proj.weight`]: [24, D],
        [`model.layers.${i}.mlp.up_proj.weight`]: [24, D],
        [`model.layers.${i}.mlp.down_proj.weight`]: [D, 24],
      })),
      'model.norm.weight': [D],
    },
    config: {
      ...{ num_attention_heads: 4, num_key_value_heads: 2, rms_norm_eps: 1e-3, rope_theta: 500 },
      ...{ hidden_act: 'silu', rope_scaling: null },
    },
    reference: (file) => llama(file, { heads: 4, groups: 2, depth: DEPTH, epsilon: 1e-3, base: 500 }),
  },
  'a Vision Transformer of timm': {
    shapes: { ...timmShapes, ...affine('head', 7, D) },
    config: { num_heads: 1, global_pool: 'token' },
    images: true,
    reference: (file) => vit(file, { names: 'timm', heads: 1, epsilon: 1e-6, ...image }),
  },
  'DINOv2, without a classifier': {
    shapes: {
      ...timmShapes,
      ...layers((i) => ({ [`blocks.${i}.ls1.gamma`]: [D], [`blocks.${i}.ls2.gamma`]: [D] })),
    },
    beside: { mask_token: { dtype: 'F32', shape: [1, D], data: new Float32Array(D) } },
    config: { num_attention_heads: 2 },
    images: true,
    reference: (file) => vit(file, { names: 'timm', heads: 2, epsilon: 1e-6, ...image }),
  },
  'a Vision Transformer of Hugging Face': {
    shapes: {
      ...{ 'vit.embeddings.cls_token': [1, 1, D], 'vit.embeddings.position_embeddings': [1, 5, D] },
      ...affine('vit.embeddings.patch_embeddings.projection', D, 3, 2, 2),
      ...layers((i) => ({
        ...affine(`vit.encoder.layer.${i}.layernorm_before`, D),
        ...affine(`vit.encoder.layer.${i}.layernorm_after`, D),
        ...affine(`vit.encoder.layer.${i}.attention.attention.query`, D, D),
        ...affine(`vit.encoder.layer.${i}.attention.attention.key`, D, D),
        ...affine(`vit.encoder.layer.${i}.attention.attention.value`, D, D),
        ...affine(`vit.encoder.layer.${i}.attention.output.dense`, D, D),
        ...affine(`vit.encoder.layer.${i}.intermediate.dense`, 24, D),
        ...affine(`vit.encoder.layer.${i}.output.dense`, D, 24),
      })),
      ...affine('vit.layernorm', D),
      ...affine('classifier', 3, D),
    },
    config: { num_attention_heads: 4, layer_norm_eps: 1e-5, hidden_act: 'gelu' },
    images: true,
    reference: (file) => vit(file, { names: 'hf', heads: 4, epsilon: 1e-5, ...image }),
  },
};

/** Small numbers, near 1 where they scale a norm, in half precision in every third tensor. */
function fileOf({ shapes, beside }: Case): Map<string, TensorData> {
  const next = randomNumbers(4);
  const file = Object.entries(shapes).map(([name, shape], i): [string, TensorData] => {
    const size = shape.reduce((a, b) => a * b, 1);
    const center = /norm.*weight|ln_.*weight|layernorm.*weight/.test(name) ? 1 : 0;
    const data = Float32Array.from({ length: size }, () => center + (next() - 0.5));
    if (i % 3 > 0) return [name, { dtype: 'F32', shape, data }];
    const bits = Uint16Array.from(new Uint32Array(data.buffer), (x) => x >>> 16);
    return [name, { dtype: 'BF16', shape, data: bits }];
  });
  return new Map([...file, ...Object.entries(beside ?? {})]);
}

/** The tensors as numbers. */
const numbers = (file: ReadonlyMap<string, TensorData>): File =>
  new Map(
    [...file].map(([name, { dtype, shape, data }]) => {
      const wide = dtype === 'BF16' && new Float32Array(Uint32Array.from(data, (x) => x << 16).buffer);
      return [name, { shape, data: wide || (data as Float32Array) }];
    }),
  );

describe.each(Object.entries(cases))('%s', (_, given) => {
  const tensors = fileOf(given);
  const files = tensorFiles('a', within('a', inMemory(encodeSafetensors(tensors))), () => given.config ?? {});
  const reference = given.reference(numbers(tensors));
  const next = randomNumbers(9);
  const examples = Array.from({ length: SAMPLES }, () =>
    Array.from({ length: given.images ? 4 * 4 * 3 : LENGTH }, () =>
      given.images ? 2 * next() - 1 : Math.floor(VOCABULARY * next()),
    ),
  );
  // The measured network has only some tokens and some outputs.
  const used = [...new Set(examples.flat())];
  const outputs = [17, 3, 8];
  const inputs: Inputs = given.images ? {} : { texts: { length: LENGTH, used, next: outputs } };
  const { options, state: load } = recognize(files, inputs);
  const network = networkOf(options);
  const state = load();
  const x = Float32Array.from(examples.flat(), (v) => (given.images ? v : used.indexOf(v)));
  // The examples as the network gets them.
  const rounded = examples.map((example) => example.map((v) => Math.fround(v)));

  test('logits and σ are those of float64', async () => {
    const shapes = Object.fromEntries(network.parameters.map(({ name, shape }) => [name, { shape }]));
    const settings = analysisSettings(network, { seed: 1, spectrum: 12, triples: 3 });
    const [stage] = network.stages as [(typeof network.stages)[0]];
    const wanted = rounded.map((example) => pathOf(reference, example));
    const found = await withGpu(async (gpu) => {
      const program = await compile(
        gpu,
        (weights: Weights, x: Tensor) => {
          const { points, logits } = network.representations(weights, x, inferenceNorm);
          return [logits, ...points[0]!];
        },
        [shapes, { shape: [SAMPLES, ...network.input] }],
      );
      const [logits, ...points] = await program.run(Object.fromEntries(state.parameters), x);
      const here = points.slice(0, -1).map(({ data }) => data as Float32Array);
      using jacobians = residualJacobians(gpu, network, stage, state, here, {
        ...settings,
        columns: 16,
        triples: 3,
      });
      return { logits: logits!.data, triples: await jacobians.triples() };
    });
    const logits = wanted.flatMap((path) => {
      const all = reference.head(path.at(-1)!);
      return given.images ? all : outputs.map((o) => all[o]!);
    });
    const scale = Math.max(...logits.map(Math.abs), 1);
    expect(found.logits).toHaveLength(logits.length);
    logits.forEach((value, i) => {
      expect(Math.abs(found.logits[i]! - value)).toBeLessThan(1e-4 * scale);
    });
    const token = given.images ? 0 : LENGTH - 1;
    for (let i = 0; i < DEPTH; i++)
      for (const [n, path] of wanted.entries()) {
        const sigma = new SVD(new Matrix(jacobianOf(reference, i, path[i]!, token))).diagonal;
        const own = found.triples.s.subarray((i * SAMPLES + n) * 16);
        sigma.slice(0, 8).forEach((s, k) => {
          expect(Math.abs(own[k]! - s)).toBeLessThan(1e-4 * sigma[0]!);
        });
      }
  });
});

// Defaults of the `configuration_*.py` of Hugging Face's transformers, and of timm's layers.
test.each<[string, Record<string, unknown>, object]>([
  ['GPT-2, tied', { n_head: 4 }, { epsilon: 1e-5, mlp: 'gelu-tanh' }],
  [
    'GPT-NeoX, in turn',
    { num_attention_heads: 2 },
    { epsilon: 1e-5, mlp: 'gelu', rotaryShare: 0.25, rotaryBase: 10_000, parallel: true },
  ],
  ['Llama with grouped heads', { num_attention_heads: 4 }, { epsilon: 1e-6, rotaryBase: 10_000 }],
  ['a Vision Transformer of timm', { num_heads: 1 }, { epsilon: 1e-6, mlp: 'gelu' }],
  ['a Vision Transformer of Hugging Face', { num_attention_heads: 4 }, { epsilon: 1e-12, mlp: 'gelu' }],
])('what a configuration of %s leaves open', (name, config, expected) => {
  const given = cases[name]!;
  const files = tensorFiles('a', within('a', inMemory(encodeSafetensors(fileOf(given)))), () => config);
  const texts = { length: LENGTH, used: [0, 1], next: [0, 1, 2] };
  expect(recognize(files, given.images ? {} : { texts }).options).toMatchObject(expected);
});

test('σ of a bottleneck of torchvision are those of float64', async () => {
  const network = new ResNet({
    ...{ inputs: [5, 4, 3], channels: 2, classes: 3, activation: 'relu', skip: true },
    ...{ block: 'bottleneck', layers: [3], stem: 'small' },
  });
  const state = someState(network);
  const [stage] = network.stages as [(typeof network.stages)[0]];
  const [height, width, channels] = stage.shape as [number, number, number];
  const dim = height * width * channels;
  const next = randomNumbers(6);
  const points = stage.blocks.map(() => Float32Array.from({ length: dim }, () => 2 * next() - 0.5));
  const settings = analysisSettings(network, { seed: 1 });
  const { sketchColumns: columns, spectrum: triples } = settings;
  const found = await withGpu(async (gpu) => {
    using jacobians = residualJacobians(gpu, network, stage, state, points, {
      ...settings,
      columns,
      triples,
    });
    return await jacobians.triples();
  });
  const { tensors } = referenceState(state);
  stage.blocks.forEach((block, i) => {
    const f = (h: Float64Array) => branchOf(imageOf(h, height, width, channels), tensors, block, 1).data;
    const rows = Array.from({ length: dim }, (_, d) => {
      const [more, less] = [1e-6, -1e-6].map((by) =>
        f(Float64Array.from(points[i]!, (x, k) => (k === d ? x + by : x))),
      );
      return Array.from(more!, (y, k) => (y - less![k]!) / 2e-6);
    });
    const sigma = new SVD(new Matrix(rows)).diagonal;
    for (let k = 0; k < settings.triples; k++)
      expect(Math.abs(found.s[i * columns + k]! - sigma[k]!)).toBeLessThan(1e-4 * sigma[0]!);
  });
});
