import { philoxUniform } from '../kernels/philox.ts';
import { checkDataset, type Dataset, type ImageDataset } from './dataset.ts';

const facts = { images: 20_000, test: 2_000, classes: 10, length: 8 };
/** Share of the symbols drawn at random, labels excepted; without it, a text would soon repeat itself. */
const NOISE = 0.3;
const SEED = 1;

/**
 * Texts in a made-up language of ten symbols: each follows from the two before it by a random table, but for
 * some noise. A text's label is the symbol that follows by the table, so every label can be known.
 */
export const language: Dataset = {
  title: 'a made language',
  ...{ ...facts, side: 1, channels: 1, trainedAt: 0.9 },
  deviation: 'Texts of a made language are no data of the paper, which has images.',
  sources: {},
  about: 'each symbol follows from the two before it',
  where: () => 'generated when needed',
  load: () => ({ train: texts(1, facts.images), test: texts(2, facts.test) }),
};

function texts(stream: number, count: number): ImageDataset {
  const { length, classes } = facts;
  const symbol = (u: number) => Math.floor(u * classes);
  const table = philoxUniform(classes ** 2, [SEED, 0], 0).map(symbol);
  const drawn = philoxUniform(2 * count * length, [SEED, 0], stream);
  const images = new Uint8Array(count * length);
  const labels = new Uint8Array(count);
  for (let n = 0; n < count; n++) {
    const own = images.subarray(n * length, (n + 1) * length);
    const next = (t: number) => table[own[t - 2]! * classes + own[t - 1]!]!;
    for (let t = 0; t < length; t++) {
      const [chance, value] = drawn.subarray(2 * (n * length + t)) as unknown as [number, number];
      own[t] = t < 2 || chance < NOISE ? symbol(value) : next(t);
    }
    labels[n] = next(length);
  }
  return checkDataset({
    ...{ name: 'language', images, labels, count, height: 1, width: length, channels: 1, classes },
    text: true,
  });
}
