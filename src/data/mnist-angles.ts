import { philoxUniform } from '../kernels/philox.ts';
import type { Dataset, ImageDataset } from './dataset.ts';
import { mnist } from './mnist.ts';

const KEY: [number, number] = [8, 0];
/** Maximum rotation of digits; beyond it some look like others, or like themselves. */
const LARGEST = Math.PI / 3;

/** MNIST's digits, rotated; the cosine and sine of the angle are the targets. */
export const mnistAngles: Dataset = {
  ...mnist,
  title: 'turned MNIST',
  ...{ classes: 2, regression: true, trainedAt: 0.7 },
  deviation:
    'MNIST’s digits are turned by angles up to 60°, and the targets are cosine and sine. C is the dimension of the target, and accuracy is R², the share of its variance explained.',
  about: 'MNIST, turned by angles',
  async load(options, place) {
    const { train, test } = await mnist.load(options, place);
    const { images = train.count } = options;
    return { train: turned(train, Math.min(images, train.count), 0), test: turned(test, test.count, 1) };
  },
};

function turned(
  { name, images, height, width, ...rest }: ImageDataset,
  count: number,
  stream: number,
): ImageDataset {
  const draws = philoxUniform(count, KEY, stream);
  const size = height * width;
  const result = new Uint8Array(count * size);
  const targets = new Float32Array(2 * count);
  const [cy, cx] = [(height - 1) / 2, (width - 1) / 2];
  draws.forEach((u, n) => {
    const angle = LARGEST * (2 * u - 1);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    targets.set([cos, sin], 2 * n);
    const at = (y: number, x: number) =>
      y < 0 || x < 0 || y >= height || x >= width ? 0 : images[n * size + y * width + x]!;
    for (let i = 0; i < size; i++) {
      const [dy, dx] = [Math.floor(i / width) - cy, (i % width) - cx];
      const [y, x] = [cy + cos * dy - sin * dx, cx + sin * dy + cos * dx];
      const [top, left] = [Math.floor(y), Math.floor(x)];
      const [v, w] = [y - top, x - left];
      const row = (r: number) => (1 - w) * at(r, left) + w * at(r, left + 1);
      result[n * size + i] = Math.round((1 - v) * row(top) + v * row(top + 1));
    }
  });
  const labels = Uint8Array.from(draws, (u) => 10 * u);
  return {
    ...rest,
    name: `turned ${name}`,
    images: result,
    labels,
    targets,
    count,
    height,
    width,
    classes: 2,
  };
}
