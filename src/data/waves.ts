import { philoxNormal, philoxUniform } from '../kernels/philox.ts';
import { checkDataset, type Dataset, type ImageDataset } from './dataset.ts';
import { noiseBytes } from './synthetic.ts';

const facts = { images: 20_000, test: 2_000, side: 6, channels: 1, classes: 20 };
const PIXELS = facts.side ** 2;
const KEY: [number, number] = [7, 0];
/** Standard deviation of the sines' arguments. */
const STEEPNESS = 1;
/** Philox streams: directions, phases, and pixels of both parts. */
const [DIRECTIONS, PHASES, TRAIN, TEST] = [0, 1, 2, 3];

/** A made-up function to learn: images are noise, and targets are sines of their random projections. */
export const waves: Dataset = {
  title: 'sines of projections',
  ...{ ...facts, regression: true, trainedAt: 0.8 },
  deviation:
    'The data are generated: noise, with sines of 20 random projections as targets. C is the dimension of the target, and accuracy is R², the share of its variance explained.',
  sources: {},
  about: 'noise, with up to 20 targets',
  where: () => 'generated when needed',
  load: () => ({ train: makePart(facts.images, TRAIN), test: makePart(facts.test, TEST) }),
};

function makePart(count: number, stream: number): ImageDataset {
  const { side, channels, classes } = facts;
  const directions = philoxNormal(classes * PIXELS, KEY, DIRECTIONS);
  const phases = philoxUniform(classes, KEY, PHASES);
  const images = noiseBytes(count * PIXELS, KEY[0], stream);
  const scale = (STEEPNESS * Math.sqrt(12 / PIXELS)) / 256;
  const targets = Float32Array.from({ length: count * classes }, (_, i) => {
    const [n, c] = [Math.floor(i / classes), i % classes];
    let sum = 0;
    for (let p = 0; p < PIXELS; p++) sum += directions[c * PIXELS + p]! * (images[n * PIXELS + p]! - 127.5);
    return Math.sin(scale * sum + 2 * Math.PI * phases[c]!);
  });
  const labels = Uint8Array.from({ length: count }, (_, n) => 4.999 * (1 + targets[n * classes]!));
  const sides = { count, height: side, width: side, channels, classes };
  return checkDataset({ name: 'waves', images, labels, targets, ...sides });
}
