import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import type { DeviceArray } from '../../src/autograd/array.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { recognize } from '../../src/experiments/foreign/families.ts';
import { preprocessing } from '../../src/experiments/foreign/images.ts';
import {
  openTensors,
  type TensorFiles,
  tensorFiles,
  within,
} from '../../src/experiments/foreign/tensor-files.ts';
import { cutText, readTexts } from '../../src/experiments/foreign/texts.ts';
import { bringForward, IMAGENETTE_IN_IMAGENET, rowsOf } from '../../src/experiments/foreign/weights.ts';
import { encodeSafetensors, inMemory, type TensorData } from '../../src/experiments/safetensors.ts';
import { analysisSamples, DeviceTask } from '../../src/experiments/task.ts';
import { range } from '../../src/lists.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import { ResNet, type ResNetOptions } from '../../src/models/resnet.ts';
import { checkExamples, inputsOf } from '../../src/train/examples.ts';
import type { HostState } from '../../src/train/state.ts';
import { someState } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

const BASIC: ResNetOptions = {
  ...{ inputs: [32, 32, 3], channels: 4, classes: 5, activation: 'relu', skip: true },
  ...{ block: 'basic', layers: [2, 2, 3], stem: 'small' },
};
const NETWORK = new ResNet(BASIC);
const STATE = someState(NETWORK);

/** The tensors of a network as a file has them. */
function tensorsOf(network: ResidualNetwork, { parameters, statistics }: HostState): Map<string, TensorData> {
  const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
  return new Map(
    [...parameters, ...statistics].map(([name, data]) => [
      name,
      { dtype: 'F32', shape: shapes.get(name) ?? [data.length], data },
    ]),
  );
}

const filesOf = (tensors: ReadonlyMap<string, TensorData>): TensorFiles =>
  tensorFiles('a', within('a', inMemory(encodeSafetensors(tensors))));

/** Tensors of the network, changed. */
function changed(change: (tensors: Map<string, TensorData>) => void): TensorFiles {
  const tensors = tensorsOf(NETWORK, STATE);
  change(tensors);
  return filesOf(tensors);
}

const vector = (...values: number[]): TensorData => ({
  ...{ dtype: 'F32', shape: [values.length] },
  data: Float32Array.from(values),
});

describe('a network is recognized by its tensors', () => {
  test.each<[string, Partial<ResNetOptions>]>([
    ['basic blocks', {}],
    ['bottlenecks', { block: 'bottleneck', layers: [2, 3] }],
    ['the stem of large images', { stem: 'large', inputs: [224, 224, 3], classes: 7 }],
  ])('a ResNet with %s', (_, options) => {
    const network = new ResNet({ ...BASIC, ...options });
    const state = someState(network);
    const found = recognize(filesOf(tensorsOf(network, state)));
    expect(found.options).toEqual(network.options);
    expect(found.state()).toEqual(state);
    expect(recognize(filesOf(tensorsOf(network, state)), { side: 48 }).options).toMatchObject({
      inputs: [48, 48, 3],
    });
  });

  test('with or without counts of batches, and under the prefixes of wrappers', () => {
    const count = { dtype: 'I64', shape: [], data: BigInt64Array.of(5n) } as const;
    const counted = changed((tensors) => tensors.set('layer2.0.downsample.1.num_batches_tracked', count));
    expect(recognize(counted).state()).toEqual(STATE);
    for (const prefix of ['module.', '_orig_mod.', 'model.', 'module._orig_mod.']) {
      const named = [...tensorsOf(NETWORK, STATE)].map(([name, t]): [string, TensorData] => [
        prefix + name,
        { dtype: 'F64', shape: t.shape, data: Float64Array.from(t.data as Float32Array) },
      ]);
      expect(recognize(filesOf(new Map(named))).state()).toEqual(STATE);
      named[0]![0] = 'conv1.weight'; // a prefix of all but one is none
      expect(() => recognize(filesOf(new Map(named)))).toThrow('a is of no known family');
    }
  });
});

describe('what is refused says what was found', () => {
  test('of no family', () => {
    expect(() => recognize(filesOf(new Map([['w', vector(1, 2)]])))).toThrow(
      'a is of no known family: it has 1 tensors, such as w [2]',
    );
    expect(() => recognize(filesOf(new Map()))).toThrow('it has 0 tensors');
  });

  test('missing, of another shape, and left over, in one message', () => {
    const files = changed((tensors) => {
      for (const name of ['bn1.weight', 'bn1.bias', 'bn1.running_mean', 'bn1.running_var'])
        tensors.delete(name);
      tensors.set('layer2.1.bn1.bias', vector(1, 2)).set('layer2.1.se.weight', vector(1));
    });
    expect(() => recognize(files).state()).toThrow(
      'a, as a ResNet of torchvision or timm, lacks bn1.weight, bn1.bias, bn1.running_mean and 1 more; ' +
        'it has layer2.1.bn1.bias as [2], expected [8]; it has layer2.1.se.weight beside its tensors',
    );
  });

  test.each<[string, string, TensorData, string]>([
    ['not finite', 'bn1.bias', vector(1, 2, Number.NaN, 4), 'has values in bn1.bias that are not finite'],
    ['negative variances', 'bn1.running_var', vector(1, 2, -1, 4), 'that are negative, but is of variances'],
    [
      'too precise',
      'bn1.bias',
      { dtype: 'F64', shape: [4], data: Float64Array.of(0.1, 1, 1, 1) },
      'has the tensor bn1.bias as F64, which float32 does not hold exactly',
    ],
    ['of integers', 'bn1.bias', { dtype: 'I32', shape: [4], data: new Int32Array(4) }, 'as I32, which'],
  ])('values that are %s', (_, name, tensor, message) => {
    const files = changed((tensors) => tensors.set(name, tensor));
    expect(() => recognize(files).state()).toThrow(message);
  });

  test('a stage that has no block to measure', () => {
    const network = { ...BASIC, layers: [2, 2] };
    const tensors = tensorsOf(new ResNet(network), someState(new ResNet(network)));
    for (const name of tensors.keys()) if (name.startsWith('layer2.1.')) tensors.delete(name);
    expect(() => recognize(filesOf(tensors))).toThrow(
      'layers[1]: expected a whole number from 2 to 1000, got 1',
    );
  });
});

describe('files', () => {
  const folder = join(inject('scratch'), 'foreign');
  const [first, second] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  const write = (name: string, value: object) => writeFileSync(join(folder, name), JSON.stringify(value));

  beforeAll(() => {
    mkdirSync(folder, { recursive: true });
    const all = [...tensorsOf(NETWORK, STATE)];
    const parts = [all.slice(0, 9), all.slice(9)].map((part) => new Map(part));
    for (const [i, name] of [first, second].entries())
      writeFileSync(join(folder, name), encodeSafetensors(parts[i]!));
    const where = all.map(([name], i) => [name, i < 9 ? first : second]);
    write('model.safetensors.index.json', { metadata: {}, weight_map: Object.fromEntries(where) });
    write('config.json', { image_size: 40, model_type: 'resnet' });
    write('other.json', { image_size: 48 });
    write('preprocessor_config.json', { image_mean: [0.5, 0.5, 0.5], image_std: [0.2, 0.2, 0.3] });
  });

  test('of several parts are read by their index, given by itself or in its folder', () => {
    for (const path of [folder, join(folder, 'model.safetensors.index.json')]) {
      const files = openTensors(path);
      expect(recognize(files).state()).toEqual(STATE);
      const { side, mean, std } = preprocessing(files.config(), files.path);
      expect({ side, mean, std }).toEqual({ side: 40, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.3] });
    }
    expect(preprocessing(openTensors(folder, join(folder, 'other.json')).config(), 'a').side).toBe(48);
    expect(() => openTensors(folder, join(folder, 'none.json')).config()).toThrow('none.json');
  });

  test('that an index lists and are not there, or have not what it says, are named', () => {
    const listed = Object.fromEntries(
      [...tensorsOf(NETWORK, STATE).keys()].map((name, i) => [name, i < 9 ? first : second]),
    );
    const { 'fc.bias': _, ...others } = listed;
    for (const [weight_map, message] of [
      [others, `${second} has fc.bias, which ${join(folder, 'bad.index.json')} does not list`],
      [{ ...listed, 'fc.bias': first }, `says to be in ${first}`],
      [{ ...listed, more: first }, `says that ${first} has more, which it lacks`],
    ] as const) {
      write('bad.index.json', { weight_map });
      expect(() => openTensors(join(folder, 'bad.index.json'))).toThrow(message);
    }
    write('bad.index.json', { weight_map: { 'fc.weight': '../foreign/gone.safetensors' } });
    expect(() => openTensors(join(folder, 'bad.index.json'))).toThrow(
      `cannot read ${join(folder, 'gone.safetensors')}`,
    );
    expect(() => openTensors(join(folder, 'nowhere'))).toThrow(`cannot read ${join(folder, 'nowhere')}`);
    expect(() => openTensors('/dev/zero')).toThrow('cannot read /dev/zero: it is not a file');
  });
});

describe('texts', () => {
  const file = join(inject('scratch'), 'ids.json');
  const read = (ids: unknown) => {
    writeFileSync(file, JSON.stringify(ids));
    return readTexts(file);
  };

  test('are tokens that are read, and those to be said after them', () => {
    const { length, used, next, task } = read([
      [900, 7, 900, 50_256],
      [7, 8, 900, 3],
      [900, 8, 8, 50_256],
    ]);
    expect({ length, used, next }).toEqual({ length: 3, used: [900, 7, 8], next: [50_256, 3] });
    expect([...task.train.images]).toEqual([0, 1, 0, 1, 2, 0, 0, 2, 2]);
    expect([...task.train.labels]).toEqual([0, 1, 0]);
    expect(task.test).toMatchObject({ count: 3, height: 1, width: 3, channels: 1, classes: 2 });
    // Bytes stay what they are.
    const { inputs } = analysisSamples(task, 3, 1);
    expect([...inputs].sort()).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 2]);
  });

  test('of more than 256 different tokens have two bytes for each', async () => {
    const ids = [0, 1].map((n) => [...range(300).map((i) => (n ? 700 - i : 2 * i)), n]);
    const { used, task } = read(ids);
    const wanted = ids.map((text) => text.slice(0, -1).map((id) => used.indexOf(id)));
    expect(Math.max(...wanted.flat())).toBeGreaterThan(256);
    const { inputs, indices } = analysisSamples(task, 2, 1);
    expect([...inputs]).toEqual(indices.flatMap((n) => wanted[n]!));
    await withGpu(async (gpu) => {
      using device = new DeviceTask(gpu, task);
      const { train } = device;
      checkExamples({ input: [300] }, train);
      expect(() => checkExamples({ input: [200] }, train)).toThrow('examples of 1200 bytes, 2 labels');
      const index = new Uint32Array([1, 0]);
      const f = (images: Tensor, index: Tensor) => inputsOf(images, index, train, [300]);
      const program = await compile(gpu, f, [train.images as DeviceArray, { shape: [2], dtype: 'u32' }]);
      const { data } = await program.run(train.images as DeviceArray, index);
      expect([...data]).toEqual([...wanted[1]!, ...wanted[0]!]);
    });
  });

  test.each<[unknown, string]>([
    [
      [
        [1, 2],
        [3, 4, 5],
      ],
      'has texts of 2 and of 3 tokens',
    ],
    [
      [
        [1, 2],
        [3, 2],
      ],
      'has 2 texts of 2 different tokens, and 1 at the ends',
    ],
    [Array.from({ length: 257 }, (_, i) => [7, i]), 'texts of 1 different tokens, and 257 at the ends'],
    [[[1, 2], [3]], '[1]: expected two ids or more'],
    [
      [
        [1, 2],
        [3, -4],
      ],
      '[1][1]: expected a whole number of at least 0, got -4',
    ],
    [[[1, 2]], 'expected two texts or more'],
  ])('that make no sense are refused: %j', (ids, message) => {
    expect(() => read(ids)).toThrow(message);
  });
});

describe('a text', () => {
  const folder = join(inject('scratch'), 'text');
  const [file, weights] = ['text.txt', 'model.safetensors'].map((name) => join(folder, name)) as [
    string,
    string,
  ];
  const START = 0;
  const VOCABULARY = ['<s>', 'a', 'b', 'c', 'Ġ', 'ab', 'Ġc', 'Ċ'];
  /** Byte-level pairs, as GPT-2 has; `marked` puts <s> in front, as Llama's tokenizer does. */
  const tokenizer = (marked: boolean) => ({
    added_tokens: [{ id: START, content: '<s>', special: true }],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: marked
      ? {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
          ...{ pair: [], special_tokens: { '<s>': { id: '<s>', ids: [START], tokens: ['<s>'] } } },
        }
      : null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])),
      merges: [
        ['a', 'b'],
        ['Ġ', 'c'],
      ],
    },
  });
  const cut = (text: string, length: number, { marked = false, most = 100 } = {}) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, text);
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer(marked)));
    return cutText(file, weights, length, most);
  };
  const TEXT = 'ab c ca\nbab c'; // ab, Ġc, Ġc, a, Ċ, b, ab, Ġc
  const idsOf = ({ used, next, length, task: { train } }: Awaited<ReturnType<typeof cut>>) =>
    range(train.count).map((n) => [
      ...[...train.images.subarray(n * length, (n + 1) * length)].map((i) => used[i]!),
      next[train.labels[n]!]!,
    ]);

  test('is cut into pieces of tokens, of which the network is to predict the last', async () => {
    expect(idsOf(await cut(TEXT, 3))).toEqual([
      [5, 6, 6, 1],
      [7, 2, 5, 6],
    ]);
    expect(idsOf(await cut(`${TEXT}ab`, 2, { most: 2 }))).toEqual([
      [5, 6, 6],
      [1, 7, 2],
    ]);
  });

  test('has in front of each piece what its tokenizer puts before a text', async () => {
    expect(idsOf(await cut(TEXT, 3, { marked: true }))).toEqual([
      [START, 5, 6, 6],
      [START, 1, 7, 2],
    ]);
  });

  test('is taken as far as labels tell the ends apart', async () => {
    // Pairs of a digit-like token and one of 300 others, each its own token.
    const own = tokenizer(false);
    const many = range(300).map((i) => String.fromCodePoint(0x4e00 + i));
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, many.map((c) => `a${c}`).join(''));
    const vocab = Object.fromEntries(['a', ...many].map((token, id) => [token, id]));
    const plain = { ...own, pre_tokenizer: null, decoder: { type: 'Fuse' }, added_tokens: [] };
    writeFileSync(
      join(folder, 'tokenizer.json'),
      JSON.stringify({ ...plain, model: { type: 'BPE', vocab, merges: [] } }),
    );
    expect(idsOf(await cutText(file, weights, 1, 1000))).toEqual(range(256).map((i) => [0, i + 1]));
  });

  test('that is too short, or without its tokenizer, is refused', async () => {
    await expect(cut(TEXT, 8)).rejects.toThrow(
      `${file} has 0 texts of 0 different tokens, and 0 at the ends`,
    );
    await expect(cutText(file, join(folder, 'elsewhere', 'model.safetensors'), 2, 9)).rejects.toThrow(
      'tokenizer.json',
    );
    writeFileSync(join(folder, 'tokenizer.json'), '{}');
    await expect(cutText(file, weights, 2, 9)).rejects.toThrow(
      `${join(folder, 'tokenizer.json')}: Tokenizer must contain a "model" property`,
    );
  });
});

test('a family that reads something else is refused, as is an option that it does not support', () => {
  const gpt = new Map([
    ['wte.weight', { dtype: 'F32', shape: [3, 4], data: new Float32Array(12) } as const],
    ['h.0.attn.c_attn.weight', { dtype: 'F32', shape: [4, 12], data: new Float32Array(48) } as const],
    ['h.0.mlp.c_fc.weight', { dtype: 'F32', shape: [4, 16], data: new Float32Array(64) } as const],
  ]);
  const texts = { length: 2, used: [0, 1], next: [0, 1] };
  expect(() => recognize(filesOf(gpt))).toThrow('a, a GPT-2 of Hugging Face, reads texts');
  expect(() => recognize(filesOf(gpt), { texts })).toThrow('a GPT-2 of Hugging Face, lacks h.0.ln_1.weight');
  expect(() =>
    recognize(
      changed(() => {}),
      { texts },
    ),
  ).toThrow('a ResNet of torchvision or timm, reads images');
  gpt.set('h.0.ln_1.weight', { dtype: 'F32', shape: [4], data: new Float32Array(4) } as never);
  const files = { ...filesOf(gpt), config: () => ({ activation_function: 'quick_gelu' }) };
  expect(() => recognize(files, { texts })).toThrow('the configuration: activation_function: expected');
  expect(() => recognize({ ...files, config: () => ({ model_type: 'gptj' }) }, { texts })).toThrow(
    'it is like a GPT-2 of Hugging Face, but a gptj',
  );
  expect(() => recognize({ ...files, config: () => ({ n_head: 3 }) }, { texts })).toThrow(
    'heads is 3 and does not divide width, 4',
  );
});

/** Tensors of zeros of a Llama of two layers: width 12, three heads of queries and one of keys. */
const llama = (head = true) => {
  const layer = (i: number) =>
    Object.entries({
      ...{ input_layernorm: [12], post_attention_layernorm: [12] },
      ...{ 'self_attn.q_proj': [12, 12], 'self_attn.k_proj': [4, 12], 'self_attn.v_proj': [4, 12] },
      ...{
        'self_attn.o_proj': [12, 12],
        'mlp.gate_proj': [5, 12],
        'mlp.up_proj': [5, 12],
        'mlp.down_proj': [12, 5],
      },
    }).map(([name, shape]) => [`layers.${i}.${name}`, shape] as const);
  const shapes = [['embed_tokens', [20, 12]], ['norm', [12]], ...layer(0), ...layer(1)] as const;
  const named = [...shapes.map(([name, shape]) => [`model.${name}`, shape] as const)];
  return new Map(
    [...named, ...(head ? [['lm_head', [20, 12]] as const] : [])].map(
      ([name, shape]): [string, TensorData] => [
        `${name}.weight`,
        { dtype: 'F32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) },
      ],
    ),
  );
};
const TEXTS = { length: 4, used: [0, 7, 19], next: [3, 19] };

test('what a configuration says of a Llama is heeded, by its names of today and of before', () => {
  const heads = { model_type: 'llama', num_attention_heads: 3, num_key_value_heads: 1, hidden_size: 12 };
  const optionsWith = (config: object) =>
    recognize({ ...filesOf(llama()), config: () => ({ ...heads, ...config }) }, { texts: TEXTS }).options;
  expect(optionsWith({})).toMatchObject({ heads: 3, groups: 1, headWidth: 4, rotaryBase: 10_000, depth: 2 });
  expect(optionsWith({ rope_theta: 500 })).toMatchObject({ rotaryBase: 500 });
  const rope = { rope_type: 'default', rope_theta: 500 };
  expect(optionsWith({ rope_parameters: rope })).toMatchObject({ rotaryBase: 500 });
  expect(optionsWith({ model_type: 'mistral', sliding_window: 4 })).toMatchObject({ inputs: 4 });
  expect(optionsWith({ model_type: 'qwen2', sliding_window: 3 })).toMatchObject({ inputs: 4 });
});

test.each<[object, string, Partial<typeof TEXTS>?]>([
  [
    { rope_parameters: { rope_type: 'llama3', rope_theta: 500 } },
    'rope_parameters.rope_type: expected "default"',
  ],
  [{ num_attention_heads: 5 }, '5 heads do not divide queries of 12 features and keys of 4'],
  [{ num_attention_heads: 2 }, '2 heads do not divide queries of 12 features and keys of 4'],
  [{ num_attention_heads: 6 }, 'the number of heads of keys is 1 in the configuration, and 2 in the tensors'],
  [{ num_hidden_layers: 3 }, 'the number of layers is 3 in the configuration, and 2 in the tensors'],
  [{ hidden_size: 16 }, 'the number of features is 16 in the configuration, and 12 in the tensors'],
  [{ model_type: 'mistral', sliding_window: 3 }, 'reads 4 tokens of each text, and sees 3 at most'],
  [{ model_type: 'qwen2', use_sliding_window: true, sliding_window: 3 }, 'sees 3 at most'],
  [{ max_position_embeddings: 3 }, 'reads 4 tokens of each text, and sees 3 at most'],
  [{}, 'a text has the token 20, and the network knows 20 tokens', { used: [1, 20] }],
  [{}, 'a text has the token 20, and the network knows 20 tokens', { next: [20, 1] }],
])('a Llama that its configuration or its texts do not fit is refused: %j', (config, message, texts = {}) => {
  const heads = { model_type: 'llama', num_attention_heads: 3, num_key_value_heads: 1 };
  const files = { ...filesOf(llama()), config: () => ({ ...heads, ...config }) };
  expect(() => recognize(files, { texts: { ...TEXTS, ...texts } })).toThrow(message);
});

test('embeddings serve as the classifier unless the configuration says otherwise', () => {
  const of = (tie_word_embeddings?: boolean) => ({
    ...filesOf(llama(false)),
    config: () => ({
      num_attention_heads: 3,
      ...(tie_word_embeddings !== undefined && { tie_word_embeddings }),
    }),
  });
  expect(() => recognize(of(), { texts: TEXTS }).state()).not.toThrow();
  expect(() => recognize(of(true), { texts: TEXTS }).state()).not.toThrow();
  expect(() => recognize(of(false), { texts: TEXTS })).toThrow('there is no lm_head.weight');
  const twice = llama().set('model.lm_head.weight', vector(1));
  expect(() => filesOf(twice)).toThrow('a has lm_head.weight twice');
});

test('heads are guessed only where a head of 64 features is usual', () => {
  const gpt = (width: number): Map<string, TensorData> => {
    const zeros = (...shape: number[]): TensorData => ({
      ...{ dtype: 'F32', shape },
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
    });
    return new Map([
      ['wte.weight', zeros(20, width)],
      ['wpe.weight', zeros(6, width)],
      ['h.0.ln_1.weight', zeros(width)],
      ['h.0.attn.c_attn.weight', zeros(width, 3 * width)],
      ['h.0.mlp.c_fc.weight', zeros(width, 5)],
    ]);
  };
  expect(recognize(filesOf(gpt(128)), { texts: TEXTS }).options).toMatchObject({ heads: 2 });
  expect(() => recognize(filesOf(gpt(96)), { texts: TEXTS })).toThrow('nothing says how many heads it has');
  expect(() => recognize(filesOf(gpt(128)), { texts: { ...TEXTS, length: 7 } })).toThrow('sees 6 at most');
});

test('a ResNet of timm that only has the names of one is refused', () => {
  const files = (architecture: string) => ({ ...changed(() => {}), config: () => ({ architecture }) });
  expect(() => recognize(files('resnetblur18'))).toThrow(
    'like a ResNet of torchvision or timm, but a resnetblur18',
  );
  for (const name of ['resnet18', 'tv_resnet34']) expect(recognize(files(name)).state()).toEqual(STATE);
});

test.each([
  [{}, {}],
  [{ size: 256, crop_size: { height: 224, width: 224 } }, { side: 224 }],
  [{ size: { shortest_edge: 256 } }, { side: 256 }],
  [
    { pretrained_cfg: { input_size: [3, 288, 288], mean: [0, 0.1, 0.2], std: [1, 1, 2], crop_pct: 0.95 } },
    { side: 288, mean: [0, 0.1, 0.2], std: [1, 1, 2] },
  ],
])('the images that a configuration wants: %j', (config, expected) => {
  const found = preprocessing(config, 'a');
  expect(found).toEqual({ side: undefined, mean: undefined, std: undefined, ...expected });
});

test('a configuration that makes no sense is refused', () => {
  expect(() => preprocessing({ image_std: [0] }, 'a')).toThrow(
    'the configuration of a: image_std[0]: expected a number above 0, got 0',
  );
});

test('rows of a tensor in a file: some of them, as columns, and behind axes of size 1', () => {
  const { from: turn, ...columns } = rowsOf('w', [2, 3], { transposed: true, total: 3, at: (r) => 2 * r });
  expect(columns).toEqual({ name: 'w', shape: [3, 3] });
  expect([...turn!(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9))]).toEqual([1, 4, 7, 3, 6, 9]);
  const { from: cut, ...rows } = rowsOf('qkv', [2, 2], { total: 6, at: (r) => 2 + r });
  expect(rows).toEqual({ name: 'qkv', shape: [6, 2] });
  expect([...cut!(Float32Array.from({ length: 12 }, (_, i) => i))]).toEqual([4, 5, 6, 7]);
  const { from: same, ...vector } = rowsOf('cls', [3], { lead: 2 });
  expect(vector).toEqual({ name: 'cls', shape: [1, 1, 3] });
  expect([...same!(Float32Array.of(1, 2, 3))]).toEqual([1, 2, 3]);
});

describe('classes', () => {
  test('are reordered with their biases', () => {
    const { classifier } = NETWORK;
    const state = { ...STATE, parameters: new Map(STATE.parameters) };
    const [weight, bias] = [classifier, 'fc.bias'].map((name) => state.parameters.get(name)!);
    bringForward(state, classifier, [3, 1]);
    const row = (c: number) => weight!.subarray(16 * c, 16 * (c + 1));
    expect(state.parameters.get('fc.bias')).toEqual(Float32Array.from([3, 1, 0, 2, 4], (c) => bias![c]!));
    expect([...state.parameters.get(classifier)!]).toEqual([3, 1, 0, 2, 4].flatMap((c) => [...row(c)]));
  });

  test('of ImageNette are those of ImageNet, by the names that both have', () => {
    const imagenet = {
      'tench': 0, 'English springer': 217, 'cassette player': 482, 'chain saw': 491, 'church': 497,
      'French horn': 566, 'garbage truck': 569, 'gas pump': 571, 'golf ball': 574, 'parachute': 701,
    }; // biome-ignore format: a table
    expect(IMAGENETTE_IN_IMAGENET).toEqual(Object.values(imagenet));
  });
});
