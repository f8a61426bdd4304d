import type { Command } from 'commander';
import { catalog } from '../experiments/catalog.ts';
import { applies } from '../experiments/experiment.ts';
import type { Range } from '../settings/row.ts';
import { optionOf, rowOf, type SettingName, settingNames } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';

/** The options for settings, all but `--preset` and `--no-control`. */
export function addSettings(program: Command): void {
  for (const name of settingNames) {
    const { type, what: meaning, paper } = rowOf(name);
    const what = meaning + scopeOf(name);
    const option = optionOf(name);
    if (type === 'flag') program.option(paper ? option.replace('--', '--no-') : option, what);
    else if ('whole' in type) addNumber(program, option, what, type);
    else program.option(`${option} <name>`, `${what}: ${type.join(' or ')}`);
  }
}

/** The networks or datasets that a setting applies to, if not all. */
function scopeOf(name: SettingName): string {
  const { of } = rowOf(name);
  if (of === undefined) return '';
  const own = Object.values(catalog).filter((experiment) => applies(experiment, name));
  return ` (${[...new Set(own.map(({ model, dataset }) => (of === 'networks' ? model : dataset)))].join(', ')})`;
}

/** An option that is a number, or several with commas between. */
export function addNumber(
  program: Command,
  option: string,
  what: string,
  { minimum, maximum, above, word }: Range,
  several = false,
): void {
  const from = above ? `above ${minimum}` : maximum >= 1e9 ? `from ${minimum}` : `${minimum}`;
  const words = [what, `${from}${maximum >= 1e9 ? '' : ` to ${maximum}`}`];
  if (word) words.push(`or ${word}`);
  if (several) words.push('separated by commas');
  program.option(`${option} <number${word ? `|${word}` : ''}${several ? 's' : ''}>`, words.join(', '));
}

/** The options that make an experiment's preset into settings. */
export const settingArguments = (settings: Settings, preset: Settings): string[] =>
  settingNames.flatMap((name) => {
    const value = settings[name];
    if (value === preset[name]) return [];
    if (value === null) return ['--no-control'];
    if (value === false) return [optionOf(name).replace('--', '--no-')];
    return value === true ? [optionOf(name)] : [optionOf(name), `${value}`];
  });
