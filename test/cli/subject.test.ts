import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, beforeEach, expect, inject, type MockInstance, test, vi } from 'vitest';
import { type SubjectOptions, subjectAt } from '../../src/cli/subject.ts';
import { encodeSafetensors, type TensorData } from '../../src/experiments/safetensors.ts';
import { ResNet } from '../../src/models/resnet.ts';
import { initialState } from '../../src/train/state.ts';

const root = join(inject('scratch'), 'subjects');
const weights = join(root, 'model.safetensors');
const photos = join(root, 'photos');
const network = new ResNet({
  ...{ inputs: [224, 224, 3], channels: 4, classes: 12, activation: 'relu', skip: true },
  ...{ block: 'bottleneck', layers: [2, 2], stem: 'large' },
});
const NOTHING: SubjectOptions = {
  ...{ config: undefined, data: undefined, experiment: undefined, preset: 'paper' },
  ...{
    tokens: undefined,
    text: undefined,
    length: undefined,
    branches: undefined,
    resolution: undefined,
    images: 2000,
    dataDir: root,
  },
};

beforeAll(async () => {
  const { parameters, statistics } = initialState(network, 3);
  const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
  const tensors = [...parameters, ...statistics].map(([name, data]): [string, TensorData] => [
    name,
    { dtype: 'F32', shape: shapes.get(name) ?? [data.length], data },
  ]);
  for (const part of ['train', 'val'])
    for (const [i, name] of ['bird', 'cat', 'dog'].entries()) {
      mkdirSync(join(photos, part, name), { recursive: true });
      for (let n = 0; n < 2; n++) {
        const background = { r: 100 * i, g: 100 * n, b: 30 };
        const image = sharp({ create: { width: 12, height: 9, channels: 3, background } });
        await image.png().toFile(join(photos, part, name, `${n}.png`));
      }
    }
  writeFileSync(weights, encodeSafetensors(new Map(tensors)));
  const own = { pretrained_cfg: { input_size: [3, 24, 24], mean: [0, 0, 0.5], std: [1, 1, 0.5] } };
  writeFileSync(join(root, 'own.json'), JSON.stringify(own));
});

let said: MockInstance;
beforeEach(() => {
  said = vi.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => said.mockRestore());

test('a published network is measured on photographs in a folder, normalized as ImageNet was', async () => {
  const subject = await subjectAt(root, { ...NOTHING, data: photos, resolution: 16, images: 5 });
  expect(subject.network).toEqual({ ...network.options, inputs: [16, 16, 3] });
  expect(said.mock.calls.flat()).toEqual([
    `${weights} is a ResNet of torchvision or timm: 4 blocks, 12 classes`,
  ]);
  const { train, test, normalization } = await subject.task();
  expect(train).toMatchObject({ count: 5, height: 16, width: 16, channels: 3, classes: 3 });
  expect(test.count).toBe(5);
  expect(normalization).toEqual({ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
  expect(subject.request!(await subject.task())).toEqual({ triples: 3, spectrum: 9, samples: 5 });
});

test('or on a dataset, as its configuration says', async () => {
  const config = join(root, 'own.json');
  const subject = await subjectAt(weights, { ...NOTHING, data: 'synthetic-images', config, images: 20 });
  const task = await subject.task();
  expect(said.mock.calls.flat()[1]).toBe(
    'note: the network tells 12 classes apart, and synthetic images shows 10: accuracies and neural collapse use the first 10 outputs',
  );
  expect(task.train).toMatchObject({ count: 20, height: 24, width: 24, classes: 10 });
  expect(task.test.count).toBe(20);
  expect(task.normalization).toEqual({ mean: [0, 0, 0.5], std: [1, 1, 0.5] });
  const usual = await subjectAt(weights, {
    ...NOTHING,
    data: 'synthetic-images',
    resolution: 16,
    images: 20,
  });
  const { normalization } = await usual.task();
  expect(normalization.mean[0]).toBeCloseTo(0.5, 1); // its own
});

test('without images that it takes, it is refused', async () => {
  await expect(subjectAt(weights, NOTHING)).rejects.toThrow('there are no images to measure it at');
  expect(said.mock.calls.flat()[0]).toContain('is a ResNet');
  await expect(subjectAt(weights, { ...NOTHING, data: 'mnist' })).rejects.toThrow(
    'the network takes images of 28×28 pixels and 3 channels, and those of MNIST have 28×28 and 1',
  );
});

test('options that would change nothing are refused', async () => {
  await expect(subjectAt(weights, { ...NOTHING, experiment: 'mnist-fc', data: 'mnist' })).rejects.toThrow(
    `--data is for published networks, and ${weights} is measured as the network of mnist-fc`,
  );
  await expect(subjectAt(weights, { ...NOTHING, data: 'mnist', resolution: 40 })).rejects.toThrow(
    '--resolution is 40, and the network takes images of 28×28 pixels here',
  );
  await expect(subjectAt(weights, { ...NOTHING, length: 8 })).rejects.toThrow(
    '--length is for pieces of --text, and there is none',
  );
});
