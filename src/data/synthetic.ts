import { CollimateError } from '../errors.ts';
import { philox, philoxUniform } from '../kernels/philox.ts';
import { type Dataset, type DatasetSplit, type ImageDataset, squareImages } from './dataset.ts';

const facts = { images: 10_000, test: 1_000, side: 16, channels: 3, classes: 10 };
const { channels, classes } = facts;

/** Generated images of any number and size. */
export const syntheticImages: Dataset = {
  title: 'synthetic images',
  ...{ ...facts, trainedAt: 0.6 },
  settings: ['resolution'],
  deviation:
    'The images are generated: the paper uses MNIST, FashionMNIST, CIFAR10, CIFAR100 and ImageNette.',
  prefix: 'synthetic',
  sources: {},
  about: 'any number, of any size',
  where: () => 'generated when needed',
  load: ({ size = facts.side, images }) =>
    images === undefined
      ? makeImages(size, 2_000, 500)
      : makeImages(size, Math.min(images, facts.images), facts.test),
};

const SEED = 1;
const MAX_BYTES = 2 ** 32 - 1;

/** Waves that sum to a class's pattern, and their maximum periods across the image. */
const WAVES = 4;
const PERIODS = 3;
/** Amplitude in bytes: the pattern's around 128, the least share of it in an image, and the noise's. */
const AMPLITUDE = 80;
const MINIMUM_CONTRAST = 0.5;
const NOISE = 24;
/** Philox streams: the patterns', and the first of the images', two for each image. */
const PATTERNS = 0;
const IMAGES = 1;

/**
 * Generates learnable images: each class has a smooth periodic pattern, a sum of random waves per channel,
 * and each image shows it cyclically shifted, at some contrast, with noise. The shifts make a linear
 * classifier much worse. The same numbers give the same images everywhere.
 */
export function makeImages(side: number, train: number, test: number): DatasetSplit {
  const bytes = Math.max(train, test) * side * side * channels;
  if (bytes > MAX_BYTES) {
    throw new CollimateError(
      `synthetic-images of this shape take ${bytes} bytes, expected at most ${MAX_BYTES}`,
      'Ask for fewer or smaller images.',
    );
  }
  const patterns = makePatterns(side);
  return { train: makePart(side, patterns, 0, train), test: makePart(side, patterns, train, test) };
}

/** `[classes, height, width, channels]`, deviations from 128 of at most AMPLITUDE. */
function makePatterns(side: number): Float64Array {
  const patterns = new Float64Array(classes * side * side * channels);
  const numbers = philoxUniform(classes * channels * WAVES * 3, [SEED, 0], PATTERNS);
  const signed = (u: number) => Math.floor(u * (2 * PERIODS + 1)) - PERIODS;
  for (let label = 0; label < classes; label++) {
    for (let channel = 0; channel < channels; channel++) {
      const first = (label * channels + channel) * WAVES * 3;
      for (let wave = 0; wave < WAVES; wave++) {
        const [a, b, c] = numbers.subarray(first + 3 * wave, first + 3 * wave + 3) as unknown as number[];
        const [fy, fx, phase] = [signed(a!), signed(b!), 2 * Math.PI * c!];
        for (let y = 0; y < side; y++) {
          for (let x = 0; x < side; x++) {
            const angle = 2 * Math.PI * ((fy * y) / side + (fx * x) / side) + phase;
            patterns[((label * side + y) * side + x) * channels + channel]! +=
              (AMPLITUDE / WAVES) * Math.cos(angle);
          }
        }
      }
    }
  }
  return patterns;
}

function makePart(side: number, patterns: Float64Array, first: number, count: number): ImageDataset {
  const size = side * side * channels;
  const images = new Uint8Array(count * size);
  const labels = new Uint8Array(count);
  for (let n = 0; n < count; n++) {
    const stream = IMAGES + 2 * (first + n);
    const [a, b, c, d] = philox([0, stream, 0, 0], [SEED, 0]);
    const label = a % classes;
    labels[n] = label;
    const [dy, dx] = [b % side, c % side];
    const contrast = MINIMUM_CONTRAST + (1 - MINIMUM_CONTRAST) * (d / 2 ** 32);
    const noise = noiseBytes(size, SEED, stream + 1);
    for (let y = 0, i = 0; y < side; y++) {
      const row = (label * side + ((y + dy) % side)) * side;
      for (let x = 0; x < side; x++) {
        const from = (row + ((x + dx) % side)) * channels;
        for (let channel = 0; channel < channels; channel++, i++) {
          const pixel = 128 + contrast * patterns[from + channel]! + (noise[i]! / 127.5 - 1) * NOISE;
          images[n * size + i] = Math.max(0, Math.min(255, Math.round(pixel)));
        }
      }
    }
  }
  return squareImages({ images, labels }, { name: 'synthetic-images', side, channels, classes });
}

export function noiseBytes(count: number, seed: number, stream: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(count / 16) * 4);
  for (let i = 0; i < words.length; i += 4) words.set(philox([i / 4, stream, 0, 0], [seed, 0]), i);
  return new Uint8Array(words.buffer, 0, count);
}
