import { expect, test } from 'vitest';
import { measureNetwork } from '../../src/analysis/measure-network.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { Autoencoder } from '../../src/models/autoencoder.ts';
import { randomNumbers } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';
import { layersOf, linear, lively, ours, type Row, relu } from './plain.ts';

const SIZES = { inputs: 7, depth: 3, width: 10, classes: 2, activation: 'relu', skip: true } as const;
const network = new Autoencoder(SIZES);
const next = randomNumbers(4);
const x = [0, 1, 2].map(() => Array.from({ length: 7 }, () => 4 * next() - 2));

test('an autoencoder is an encoder, a code that nothing goes past, and a decoder', () => {
  const state = lively(network, 5);
  const { of, bn } = layersOf(state, false);
  const layer = (h: Row, name: string, to: number) =>
    linear(h, of(`${name}.weight`), [0, to], h.length, h.length);
  const branch = (h: Row, at: string) =>
    bn(layer(relu(bn(layer(h, `${at}.linear1`, 10), `${at}.bn1`)), `${at}.linear2`, 10), `${at}.bn2`);
  const block = (h: Row, at: string) => relu(branch(h, at).map((v, d) => v + h[d]!));
  const wanted = x.map((input) => {
    const first = relu(bn(layer(input, 'stem.linear', 10), 'stem.bn'));
    const [a, b] = [block(first, 'encoder.0'), block(block(first, 'encoder.0'), 'encoder.1')];
    const code = layer(b, 'code.linear1', 2);
    const c = relu(bn(layer(code, 'code.linear2', 10), 'code.bn2'));
    const d = block(c, 'decoder.0');
    return [first, a, b, c, d, layer(d, 'head', 7).map((v, i) => v + of('head.bias')[i]!)];
  });
  const found = ours(network, state, x);
  expect(found).toHaveLength(6);
  for (const [l, values] of found.entries()) {
    const expected = wanted.flatMap((each) => each[l]!);
    expect(values).toHaveLength(expected.length);
    for (const [i, v] of values.entries()) expect(v).toBeCloseTo(expected[i]!, 10);
  }
});

test('it is measured in its encoder and its decoder, and its outputs are no classes', async () => {
  await withGpu(async (gpu) => {
    const samples = { inputs: Float32Array.from(x.flat()), labels: [0, 1, 9], indices: [0, 1, 2] };
    const measured = await measureNetwork(
      gpu,
      network,
      lively(network, 5),
      samples,
      analysisSettings(network, { seed: 1 }),
    );
    const [sample] = measured.samples;
    expect(sample!.sigma).toHaveLength(3);
    expect(sample!.diagonalShare[0]![1]).toBeGreaterThanOrEqual(0);
    expect(sample!.diagonalShare[0]![2]).toBeNull();
    expect(sample!.classifierShare).toEqual([null, null, null]);
    expect(sample!.pathShares).toBeNull();
  });
});

test('without skip connections it still has a code', () => {
  const plain = new Autoencoder({ ...SIZES, skip: false });
  expect(plain.parameters.map(({ name, shape }) => [name, shape])).toEqual(
    network.parameters.map(({ name, shape }) => [name, shape]),
  );
  expect(() => new Autoencoder({ ...SIZES, depth: 1 })).toThrow('depth: expected a whole number from 2');
});
