import { describe, expect, test } from 'vitest';
import { CollimateError } from '../../src/errors.ts';
import {
  type Checkpoint,
  checksum,
  decodeCheckpoint,
  encodeCheckpoint,
  firstNonFinite,
} from '../../src/experiments/checkpoint.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/experiments/safetensors.ts';
import { range } from '../../src/lists.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { type NetworkOptions, networkOf } from '../../src/models/networks.ts';
import { initialState } from '../../src/train/state.ts';

const options = {
  kind: 'fc',
  inputs: 6,
  depth: 2,
  width: 4,
  classes: 3,
  activation: 'relu',
  skip: true,
} as const;
const network = new FcResNet(options);

/** With momentum's buffers, or with as many other running averages. */
function checkpoint(moments: boolean | 2): Checkpoint {
  const state = initialState(network, 3);
  const buffers = range(Number(moments)).map(
    (i) => new Map([...state.parameters].map(([name, values]) => [name, values.map((x) => x / (3 + i))])),
  );
  return {
    info: {
      experiment: 'mnist-fc',
      network: options,
      training: { seed: 3, images: 50, epochs: 2, batch: 10, lr: 0.1, momentum: 0.9, weightDecay: 0 },
      normalization: { mean: [0.13], std: [0.3] },
      progress: { sums: { loss: 0.1 + 0.2, accuracy: 1 / 3 }, seconds: 1.5 },
    },
    state: { ...state, step: 7, moments: buffers },
  };
}

type Tensors = ReturnType<typeof decodeSafetensors>['tensors'];

/** A changed checkpoint whose checksum is right. */
function damaged(damage: (tensors: Tensors, metadata: Record<string, string>) => void): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(encodeCheckpoint(checkpoint(true)), 'a');
  delete metadata.sha256;
  damage(tensors, metadata);
  return encodeSafetensors(tensors, { sha256: checksum(tensors, metadata), ...metadata });
}

describe('a checkpoint', () => {
  test.each([true, false, 2] as const)('is read as it was written (moments %s)', (moments) => {
    const written = checkpoint(moments);
    expect(decodeCheckpoint(encodeCheckpoint(written), 'a')).toEqual(written);
  });

  test('has the names, types and shapes that PyTorch would give', () => {
    const { tensors, metadata } = decodeSafetensors(encodeCheckpoint(checkpoint(true)), 'a');
    const described = [...tensors].map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape}]`);
    expect(described).toContain('stem.linear.weight F32 [4,6]');
    expect(described).toContain('blocks.1.bn2.running_var F32 [4]');
    expect(described).toContain('blocks.1.bn2.num_batches_tracked I64 []');
    expect(described).toContain('optimizer.momentum.head.bias F32 [3]');
    const adam = decodeSafetensors(encodeCheckpoint(checkpoint(2)), 'a').tensors;
    expect([...adam.keys()].filter((name) => name.endsWith('head.bias'))).toEqual([
      ...['head.bias', 'optimizer.exp_avg.head.bias', 'optimizer.exp_avg_sq.head.bias'],
    ]);
    expect(tensors.get('stem.bn.num_batches_tracked')?.data).toEqual(BigInt64Array.of(7n));
    expect(metadata).toMatchObject({ format: 'collimate/checkpoint@1', step: '7', seed: '3' });
  });

  test('of a convolutional network is read as it was written', () => {
    const conv: NetworkOptions = {
      ...{ kind: 'conv', inputs: [8, 8, 3], depth: 2, channels: 4, survival: 0.9 },
      ...{ classes: 3, activation: 'relu', skip: true, stem: { size: 3, stride: 2, padding: 1 } },
    };
    const written = {
      info: { ...checkpoint(false).info, network: conv, normalization: { mean: [1, 2, 3], std: [4, 5, 6] } },
      state: initialState(networkOf(conv), 2),
    };
    const file = encodeCheckpoint(written);
    expect(decodeCheckpoint(file, 'a')).toEqual(written);
    expect(decodeSafetensors(file, 'a').tensors.get('blocks.0.conv1.weight')?.shape).toEqual([4, 4, 3, 3]);
  });

  test('of a fully connected network of another kind has its biases and scales', () => {
    const other: NetworkOptions = { ...options, norm: 'none', branchScale: 'learned', dropout: 0.1 };
    const { info } = checkpoint(false);
    const written = { info: { ...info, network: other }, state: initialState(networkOf(other), 2) };
    const file = encodeCheckpoint(written);
    expect(decodeCheckpoint(file, 'a')).toEqual(written);
    const { tensors } = decodeSafetensors(file, 'a');
    expect(tensors.get('blocks.1.linear2.bias')?.shape).toEqual([4]);
    expect(tensors.get('blocks.1.scale')).toMatchObject({ shape: [1], data: Float32Array.of(0) });
    expect([...tensors.keys()].filter((name) => name.includes('bn'))).toEqual([]);
  });

  test('depends on nothing but the state once training is over', () => {
    const { info, state } = checkpoint(true);
    const { progress: _, ...finished } = info;
    expect(decodeSafetensors(encodeCheckpoint({ info: finished, state }), 'a').metadata).not.toHaveProperty(
      'progress',
    );
  });

  test('that describes no network is refused', () => {
    for (const [network, message] of [
      ['{"kind":"conv","depth":2}', 'network.classes is missing'],
      [
        '{"kind":"conv","inputs":[8,8,1],"depth":2,"channels":4,"classes":3,"skip":true,"activation":"relu"}',
        'network.stem is missing',
      ],
      [
        '{"kind":"transformer"}',
        'network.kind: expected "fc" or "conv" or "resnet34" or "vit" or "gpt" or "autoencoder", got "transformer"',
      ],
    ] as const) {
      expect(() =>
        decodeCheckpoint(
          damaged((_, m) => Object.assign(m, { network })),
          'a',
        ),
      ).toThrow(`a: its metadata: ${message}`);
    }
  });

  test.each<[string, (tensors: Tensors, metadata: Record<string, string>) => void]>([
    ['lacks the tensor head.bias, which its network has', (t) => t.delete('head.bias')],
    [
      'has a tensor head.gain, which its network does not have',
      (t) => t.set('head.gain', { dtype: 'F32', shape: [1], data: Float32Array.of(1) }),
    ],
    [
      'has the tensor head.bias as F32 [4], expected F32 [3]',
      (t) => t.set('head.bias', { dtype: 'F32', shape: [4], data: new Float32Array(4) }),
    ],
    [
      'has values in the tensor head.bias that are not finite',
      (t) => t.set('head.bias', { dtype: 'F32', shape: [3], data: Float32Array.of(0, Number.NaN, 0) }),
    ],
    [
      'does not say its format, where this version of Collimate reads collimate/checkpoint@1',
      (_, m) => Reflect.deleteProperty(m, 'format'),
    ],
    [
      'has negative values in the tensor stem.bn.running_var, which holds variances',
      (t) =>
        t.set('stem.bn.running_var', { dtype: 'F32', shape: [4], data: Float32Array.of(1, 1, -1e-9, 1) }),
    ],
    [
      'claims 9999 blocks',
      (_, m) => Object.assign(m, { network: JSON.stringify({ ...options, depth: 9999 }) }),
    ],
    [
      'contradicts itself: it is of step 8, and stem.bn.num_batches_tracked is 7',
      (_, m) => Object.assign(m, { step: '8' }),
    ],
    ['contradicts itself: its seed is 4, and in its training 3', (_, m) => Object.assign(m, { seed: '4' })],
  ])('that %s is refused', (message, damage) => {
    expect(() => decodeCheckpoint(damaged(damage), 'x.safetensors')).toThrow(`x.safetensors ${message}`);
  });

  test.each<[string, Record<string, unknown>]>([
    ...['-1', '', '0x10', '7.0', ' 7', '1e1', '9'.repeat(400)].map((step): [string, { step: string }] => [
      'step: expected a whole number',
      { step },
    ]),
    ['network is not JSON', { network: '{' }],
    ['network: expected an object, got null', { network: 'null' }],
    [
      'network.depth: expected a whole number from 1 to 10000, got 1000000000',
      { network: JSON.stringify({ ...options, depth: 1e9 }) },
    ],
    [
      'network.classes is missing',
      { network: `${'{"kind":"fc","depth":'.repeat(50_000)}1${'}'.repeat(50_000)}` },
    ],
    [
      'training.lr: expected a number above 0',
      { training: '{"seed":3,"images":50,"epochs":2,"batch":10,"lr":"0.1"}' },
    ],
    ['training.seed is missing', { training: `${'['.repeat(200_000)}${']'.repeat(200_000)}` }],
    ['progress.sums is missing', { progress: '{}' }],
    ['normalization.std[0]: expected a number above 0, got 0', { normalization: '{"mean":[0],"std":[0]}' }],
    ['more is not known here', { more: '1' }],
  ])('whose metadata has another %s is refused', (message, change) => {
    expect(() =>
      decodeCheckpoint(
        damaged((_, m) => Object.assign(m, change)),
        'x',
      ),
    ).toThrow(`x: its metadata: ${message}`);
  });

  test('of which any bit was flipped is refused', () => {
    const network = { ...options, inputs: 1, depth: 1, width: 1, classes: 2 };
    const state = initialState(new FcResNet(network), 3);
    const { info } = checkpoint(false);
    const moments = [new Map([...state.parameters].map(([name, x]) => [name, x.map(() => 0.5)]))];
    const file = encodeCheckpoint({ info: { ...info, network }, state: { ...state, step: 3, moments } });
    expect(decodeCheckpoint(file, 'a').state.step).toBe(3);
    for (let bit = 0; bit < 8 * file.length; bit++) {
      file[bit >> 3]! ^= 1 << (bit & 7);
      let thrown: unknown;
      try {
        decodeCheckpoint(file, 'a');
      } catch (error) {
        thrown = error;
      }
      if (!(thrown instanceof CollimateError)) expect.unreachable(`bit ${bit}: ${thrown}`);
      file[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  test('keeps its checksum when another program writes its tensors and metadata in another order', () => {
    const written = checkpoint(true);
    const { tensors, metadata } = decodeSafetensors(encodeCheckpoint(written), 'a');
    const turned = encodeSafetensors(
      new Map([...tensors].reverse()),
      Object.fromEntries(Object.entries(metadata).reverse()),
    );
    expect(decodeCheckpoint(turned, 'a')).toEqual(written);
  });
});

test('a state that is not finite is told by the tensor', () => {
  const { state } = checkpoint(true);
  expect(firstNonFinite(state)).toBeUndefined();
  state.moments[0]!.get('blocks.0.linear1.weight')![2] = Number.POSITIVE_INFINITY;
  expect(firstNonFinite(state)).toBe('optimizer.momentum.blocks.0.linear1.weight');
});
