import { expect, test } from 'vitest';
import { type DatasetName, datasets } from '../../src/data/datasets.ts';
import { applies, experimentOn } from '../../src/experiments/experiment.ts';
import { theoryRows } from '../../src/experiments/unconstrained/settings.ts';
import { models, networks } from '../../src/models/networks.ts';
import type { Range } from '../../src/settings/row.ts';
import { optionOf, rowOf, type SettingName, settingNames } from '../../src/settings/settings.ts';

const datasetNames = Object.keys(datasets) as DatasetName[];

function rangeInWords({ minimum, maximum, above, word }: Range): string {
  const most = maximum >= 1e9 ? '' : ` to ${maximum.toLocaleString('en', { maximumFractionDigits: 4 })}`;
  return `${above ? 'above' : 'from'} ${minimum}${most}${word ? `, or \`${word}\`` : ''}`;
}

function typeInWords(name: SettingName): string {
  const { type } = rowOf(name);
  if (type === 'flag') return 'on or off';
  return 'whole' in type ? rangeInWords(type) : type.map((word) => `\`${word}\``).join(', ');
}

/** In the preset `paper`: one value, or those of the networks or datasets. */
function paperInWords(name: SettingName): string {
  const { default: usual, paper = usual } = rowOf(name);
  if (paper !== undefined) return String(paper);
  const sizes = models.flatMap((model) => {
    const { sizes, decays } = networks[model];
    const value = name === 'weightDecay' ? decays[0] : sizes(datasets.mnist)[name];
    return value === undefined ? [] : [`${value} (${model})`];
  });
  return sizes.length > 0 ? sizes.join(', ') : "the dataset's";
}

function scope(name: SettingName): string {
  const { of } = rowOf(name);
  if (of === undefined) return 'all';
  const those =
    of === 'networks'
      ? models.filter((model) => applies({ dataset: 'mnist', model }, name))
      : datasetNames.filter((dataset) => applies({ dataset, model: 'fc' }, name));
  return those.join(', ');
}

/** What presets change of `paper` in networks on MNIST. */
const presetRows = (): string[] =>
  models.flatMap((model) => {
    const { name: experiment, presets } = experimentOn('mnist', model);
    const { paper, ...others } = presets;
    return Object.entries(others).map(([preset, { settings }]) => {
      const changed = settingNames.filter((name) => settings[name] !== paper!.settings[name]);
      const words = changed.map((name) => `\`${optionOf(name)} ${settings[name]}\``);
      return `| \`${experiment} --preset ${preset}\` | ${words.join(', ')} |`;
    });
  });

/** docs/settings.md, from the table of settings. */
const page = (): string =>
  [
    '# Settings',
    '',
    'The settings of `npm run reproduce`, from `src/settings/table.ts`. *paper*: the value in the preset `paper`,',
    'which is what the paper states, or else our choice. Reports list what departs from the paper.',
    '`npx vitest run settings-page -u` writes this page.',
    '',
    '| option | value | paper | applies to | changes | |',
    '|---|---|---|---|---|---|',
    ...settingNames.map((name) => {
      const { type, paper, what, changes } = rowOf(name);
      const option = type === 'flag' && paper ? optionOf(name).replace('--', '--no-') : optionOf(name);
      const cells = [`\`${option}\``, typeInWords(name), paperInWords(name), scope(name), changes, what];
      return `| ${cells.join(' | ')} |`;
    }),
    '',
    'What the other presets change of `paper`, on MNIST:',
    '',
    '| preset | settings |',
    '|---|---|',
    ...presetRows(),
    '',
    '## The Unconstrained Jacobians Model',
    '',
    'The settings of `npm run reproduce -- unconstrained-jacobians` ([theory.md](theory.md)), in each preset.',
    '',
    '| option | value | smoke | quick | paper | |',
    '|---|---|---|---|---|---|',
    ...Object.entries(theoryRows).map(([name, { what, smoke, quick, paper, ...range }]) => {
      const presets = [smoke, quick, paper].map((value) => [value].flat().join(', '));
      return `| ${[`\`--${name}\``, rangeInWords(range), ...presets, what].join(' | ')} |`;
    }),
    '',
  ].join('\n');

test('docs/settings.md is what the table of settings says', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/settings.md');
});
