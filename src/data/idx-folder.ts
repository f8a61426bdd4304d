import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from './dataset.ts';
import { LIKE_MNIST, readIdxImages } from './idx-images.ts';
import { dataFolder } from './locate.ts';

/** The user's images in MNIST's form: square, any size and number, up to 10 classes; `idx` in the data. */
export const idxFolder: Dataset = {
  title: 'own IDX files',
  ...LIKE_MNIST,
  settings: ['resolution'],
  trainedAt: 0.5,
  deviation:
    'The images are the user’s own: the paper uses MNIST, FashionMNIST, CIFAR10, CIFAR100 and ImageNette.',
  sources: {},
  about: 'own images in MNIST’s form, of any size and number',
  where: (dataDir) => (existsSync(join(dataDir, 'idx')) ? `in ${join(dataDir, 'idx')}` : undefined),
  load: ({ dataDir = dataFolder(), size: side = LIKE_MNIST.side }) =>
    readIdxImages({
      ...{ name: 'idx', folder: join(dataDir, 'idx'), side, published: {}, own: true },
      remedy:
        'Put the four files of a set in MNIST’s form there, and give `--resolution` the side of its images.',
    }),
};
