import type { Command } from 'commander';
import type { Settings } from '../experiments/experiment.ts';
import { choices, ranges } from '../experiments/settings.ts';

/** The options that stand for settings, all but `--preset` and `--no-control`. */
export function addSettings(program: Command): void {
  for (const { option, what, least, most, above, word } of Object.values(ranges)) {
    const numbers = most >= 1e9 ? `${above ? 'above' : 'from'} ${least}` : `${least} to ${most}`;
    program.option(
      `${option} <number${word ? `|${word}` : ''}>`,
      `${what}, ${numbers}${word ? `, or ${word}` : ''}`,
    );
  }
  for (const { option, what, values } of Object.values(choices)) {
    program.option(`${option} <name>`, `${what}: ${values.join(' or ')}`);
  }
  program
    .option('--superclasses', 'the 20 superclasses of CIFAR-100')
    .option('--no-skip', 'train a network without skip connections, and no control');
}

/** The options that make an experiment's preset into settings. */
export function settingArguments(settings: Settings, preset: Settings): string[] {
  const names = Object.keys(settings) as (keyof Settings)[];
  return names.flatMap((name) => {
    const value = settings[name];
    if (value === preset[name]) return [];
    if (value === null) return ['--no-control'];
    if (name === 'skip') return ['--no-skip'];
    if (name === 'superclasses') return ['--superclasses'];
    const { option } =
      name in ranges ? ranges[name as keyof typeof ranges] : choices[name as keyof typeof choices];
    return [option, `${value}`];
  });
}
