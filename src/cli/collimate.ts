#!/usr/bin/env node
import { Command } from 'commander';
import { version } from '../host/home.ts';
import { main } from './main.ts';

/** Runs a command with the words after its name. Returns the exit status. */
type Run = (words: readonly string[]) => Promise<number>;

/** Each is loaded on demand, for a quick start. */
const commands: Readonly<Record<string, readonly [what: string, load: () => Promise<{ run: Run }>]>> = {
  reproduce: ['train networks and measure Residual Alignment in them', () => import('./reproduce.ts')],
  list: [
    'show the experiments and sweeps, with times',
    async () => {
      const { run } = await import('./reproduce.ts');
      return { run: (words) => run(['list', ...words]) };
    },
  ],
  analyze: ['measure Residual Alignment in a trained network', () => import('./analyze.ts')],
  sweep: ['submit sweeps to a cluster, and show their progress', () => import('./sweep.ts')],
  data: ['show, fetch and verify datasets', () => import('./data.ts')],
  tune: ['show or delete the record of the fastest kernels', () => import('./tune.ts')],
  doctor: ['list the adapters, and say how to get a better one', () => import('./doctor.ts')],
};

await main(async () => {
  let status = 0;
  const program = new Command('collimate')
    .description('Trains residual networks on WebGPU and measures Residual Alignment in them.')
    .version(version)
    .enablePositionalOptions();
  for (const [name, [what, load]] of Object.entries(commands)) {
    program
      .command(name)
      .description(what)
      .argument('[words...]')
      .usage('[options], which --help lists')
      .helpOption(false)
      .allowUnknownOption()
      .action(async () => {
        status = await (await load()).run(process.argv.slice(3));
      });
  }
  await program.parseAsync();
  return status;
});
