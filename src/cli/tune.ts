import { rmSync } from 'node:fs';
import { Command } from 'commander';
import { invocation } from '../command.ts';
import { choicesFile, readChoices } from '../host/choices.ts';

const program = new Command(invocation('tune')).description(
  'Shows or deletes the record of the fastest kernels, with the time that each candidate took. ' +
    'Runs time what is missing from it, unless given `--tune off`.',
);
program
  .command('show', { isDefault: true })
  .description('a table for each adapter')
  .option('--json', 'print the choices as JSON')
  .action(({ json }: { json?: boolean }) => show(!!json));
program
  .command('reset')
  .description('delete all choices')
  .action(() => rmSync(choicesFile(), { force: true }));
program
  .command('path')
  .description('print where the choices are stored')
  .action(() => console.log(choicesFile()));

export async function run(words: readonly string[]): Promise<number> {
  await program.parseAsync(words, { from: 'user' });
  return 0;
}

function show(json: boolean): void {
  const choices = readChoices(choicesFile());
  if (json) {
    console.log(JSON.stringify(choices, null, 2));
    return;
  }
  if (Object.keys(choices).length === 0) console.log('No choices are known yet.');
  for (const [adapter, classes] of Object.entries(choices)) {
    console.log(adapter);
    for (const [name, { variant, microseconds }] of Object.entries(classes)) {
      const times = Object.entries(microseconds).map(([candidate, time]) => {
        const shown = time === null ? 'fails' : `${time} µs`;
        return `${candidate === variant ? '✓ ' : ''}${candidate} ${shown}`;
      });
      console.log(`  ${name}: ${times.join(', ')}`);
    }
  }
}
