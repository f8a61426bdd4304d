import type { Command } from 'commander';
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
