import type { Command } from 'commander';
import { optionOf, rowOf, settingNames } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';

/** The options that stand for settings, all but `--preset` and `--no-control`. */
export function addSettings(program: Command): void {
  for (const name of settingNames) {
    const { type, what, paper } = rowOf(name);
    const option = optionOf(name);
    if (type === 'flag') program.option(paper ? option.replace('--', '--no-') : option, what);
    else if ('whole' in type) {
      const { minimum, maximum, above, word } = type;
      const numbers = maximum >= 1e9 ? `${above ? 'above' : 'from'} ${minimum}` : `${minimum} to ${maximum}`;
      program.option(
        `${option} <number${word ? `|${word}` : ''}>`,
        `${what}, ${numbers}${word ? `, or ${word}` : ''}`,
      );
    } else program.option(`${option} <name>`, `${what}: ${type.join(' or ')}`);
  }
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
