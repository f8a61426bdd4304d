import { expect, test } from 'vitest';
import { measureNetwork } from '../../src/analysis/measure-network.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { randomNumbers, syntheticExamples, upload } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';
import { layersOf, linear, lively, ours, type Row, relu } from './plain.ts';

const SIZES = { inputs: 12, depth: 3, width: 22, classes: 4, activation: 'relu', skip: true } as const;
const EXAMPLES = 3;

const someInputs = () => {
  const next = randomNumbers(4);
  return Array.from({ length: EXAMPLES }, () => Array.from({ length: SIZES.inputs }, () => 4 * next() - 2));
};

test('dense networks concatenate: each block reads all that was written, and writes beside it', () => {
  const network = new FcResNet({ ...SIZES, shortcut: 'dense' });
  const state = lively(network, 2);
  const { of, bn } = layersOf(state, true);
  const x = someInputs();
  // 22 features: 7 of the stem, then 5 of each of three blocks.
  const wanted = x.map((input) => {
    let h = relu(bn(linear(input, of('stem.linear.weight'), [0, 7], 12, 12), 'stem.bn'));
    const path = [h];
    for (let i = 0; i < 3; i++) {
      const start = 7 + 5 * i;
      expect(h).toHaveLength(start);
      const hidden = relu(
        bn(linear(h, of(`blocks.${i}.linear1.weight`), [0, 22], start, 22), `blocks.${i}.bn1`),
      );
      const own = bn(
        linear(hidden, of(`blocks.${i}.linear2.weight`), [start, start + 5], 22, 22),
        `blocks.${i}.bn2`,
        start,
      );
      h = [...h, ...relu(own)];
      path.push(h);
    }
    const logits = linear(h, of('head.weight'), [0, 4], 22, 22).map((v, c) => v + of('head.bias')[c]!);
    const filled = path.map((p) => [...p, ...new Array<number>(22 - p.length).fill(0)]);
    return [...filled, logits];
  });
  const found = ours(network, state, x);
  for (const [l, values] of found.entries()) {
    const expected = wanted.flatMap((each) => each[l]!);
    expect(values).toHaveLength(expected.length);
    for (const [i, v] of values.entries()) expect(v).toBeCloseTo(expected[i]!, 10);
  }
  expect(Math.max(...wanted.map(([, , , h]) => Math.max(...h!.slice(17))))).toBeGreaterThan(0);
});

test('inception branches are paths of one, two and three layers side by side', () => {
  const network = new FcResNet({ ...SIZES, branch: 'inception' });
  const state = lively(network, 3);
  const { of, bn } = layersOf(state, false);
  const x = someInputs();
  const layer = (h: Row, name: string, n: number, to: number) =>
    relu(bn(linear(h, of(`${name}.linear${n}.weight`), [0, to], h.length, h.length), `${name}.bn${n}`));
  const wanted = x.map((input) => {
    let h = relu(bn(linear(input, of('stem.linear.weight'), [0, 22], 12, 12), 'stem.bn'));
    for (let i = 0; i < 3; i++) {
      const at = `blocks.${i}`;
      const [a, b, c] = [0, 1, 2].map((p) => `${at}.paths.${p}`) as [string, string, string];
      // Of 22 features 12, 5 and 5.
      const hidden = [
        ...layer(h, a, 1, 12),
        ...layer(layer(h, b, 1, 5), b, 2, 5),
        ...layer(layer(layer(h, c, 1, 5), c, 2, 5), c, 3, 5),
      ];
      const own = bn(linear(hidden, of(`${at}.linear2.weight`), [0, 22], 22, 22), `${at}.bn2`);
      h = relu(h.map((v, d) => v + own[d]!));
    }
    return linear(h, of('head.weight'), [0, 4], 22, 22).map((v, c) => v + of('head.bias')[c]!);
  });
  const logits = ours(network, state, x).at(-1)!;
  for (const [i, v] of logits.entries()) expect(v).toBeCloseTo(wanted.flat()[i]!, 10);
});

test('training leaves what dense blocks do not read or write at exactly 0, and all else moves', async () => {
  await withGpu(async (gpu) => {
    const network = new FcResNet({ ...SIZES, shortcut: 'dense', branch: 'inception' });
    using device = upload(gpu, syntheticExamples(64, SIZES.inputs, SIZES.classes));
    const options = { batch: 32, seed: 1, lr: 0.1, momentum: 0.9, weightDecay: 1e-2, steps: 12 };
    using trainer = await Trainer.create(gpu, network, device, options);
    const before = initialState(network, 1);
    trainer.load(before);
    trainer.queue(12);
    const after = await trainer.state.save();
    for (const { name, within } of network.parameters) {
      if (!within || !/weight$/.test(name)) continue;
      const values = before.parameters.get(name)!;
      const zeros = values.filter((v) => v === 0).length;
      const moved = [...after.parameters.get(name)!].filter((v, i) => v !== values[i]);
      expect(
        values.every((v, i) => v !== 0 || after.parameters.get(name)![i] === 0),
        name,
      ).toBe(true);
      if (!/paths.0.linear1/.test(name))
        expect(moved.length, name).toBeGreaterThan(0.6 * (values.length - zeros));
    }
    expect([...before.parameters.get('blocks.1.bn2.weight')!].map((v) => v !== 0).indexOf(true)).toBe(12);
  });
});

test('the Jacobians of dense blocks write into slices of their own, so nothing of one is left in the bases of another', async () => {
  await withGpu(async (gpu) => {
    const network = new FcResNet({ ...SIZES, shortcut: 'dense' });
    const samples = { inputs: Float32Array.from(someInputs().flat()), labels: [0, 1, 2], indices: [0, 1, 2] };
    const measured = await measureNetwork(
      gpu,
      network,
      lively(network, 2),
      samples,
      analysisSettings(network, { seed: 1 }),
    );
    for (const { diagonalShare, leftRight, numericalRank } of measured.samples) {
      diagonalShare.forEach((row, i) => {
        row.forEach((share, j) => {
          if (i === j) expect(share).toBeGreaterThan(0.99);
          else expect(share).toBeNull();
        });
      });
      for (const cosines of leftRight.flat()) expect(Math.abs(cosines ?? 0)).toBeLessThan(1e-3);
      for (const rank of numericalRank) expect(rank).toBeLessThanOrEqual(5);
    }
    expect(measured.summary.diagonalShare.mean).toBeNull();
  });
});

test('a dense network takes BatchNorm behind its layers, blocks of their own, and room for all', () => {
  for (const changes of [{ norm: 'none' }, { branch: 'pre-norm' }, { tied: true }, { width: 3 }] as const)
    expect(() => new FcResNet({ ...SIZES, shortcut: 'dense', ...changes })).toThrow(
      'shortcut is dense in a network',
    );
  expect(() => new FcResNet({ ...SIZES, skip: false, shortcut: 'dense' })).toThrow(
    'shortcut is dense in a network without',
  );
  const settings = { seed: 1, convention: 'post-activation' } as const;
  expect(() => analysisSettings(new FcResNet({ ...SIZES, shortcut: 'input' }), settings)).toThrow(
    'the convention post-activation does not apply',
  );
});
