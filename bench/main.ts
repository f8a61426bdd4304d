import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { checkTarget } from '../src/atomic-write.ts';
import { main } from '../src/cli/main.ts';
import { tuneOption } from '../src/cli/options.ts';
import { commandLine } from '../src/command.ts';
import { parseNumber, real } from '../src/settings/row.ts';
import type { TuneMode } from '../src/tuner/tuner.ts';
import { readBenchFile, writeBenchFile } from './bench-file.ts';
import { renderComparison } from './compare.ts';
import { Devices } from './devices.ts';
import { machineFacts } from './machine.ts';
import { Peers, peerNames, peersNamed } from './peers.ts';
import { type BenchFile, completeRow, type Row, SCHEMA } from './result.ts';
import { measureRoofline } from './roofline.ts';
import { findSuite, sizesFor, suites } from './suites.ts';
import { checkText, headLine, rooflineText, rowLine } from './table.ts';

interface Options {
  readonly sizes?: string;
  readonly adapter?: string;
  readonly peers?: string | true;
  readonly python?: string;
  readonly compare?: string;
  readonly roofline?: boolean;
  readonly profile?: boolean;
  readonly time: string;
  readonly tune?: TuneMode;
  readonly out?: string;
}

const program = new Command('npm run bench --')
  .description(
    'Measures kernels, training steps and the analysis on an adapter, and checks what it measures.',
  )
  .argument('[suites...]', 'which suites to run (default: all)')
  .option('--sizes <list>', "comma-separated sizes instead of the suite's own")
  .option('--adapter <name>', 'gpu, system, swiftshader or a part of a name (default: $COLLIMATE_ADAPTER)')
  .addOption(tuneOption())
  .option(
    '--peers [names]',
    `time ${peerNames.join(', ')}, or a comma-separated list of them, in turns with us, at matmul, conv, step and analysis`,
  )
  .option('--python <path>', 'a Python with PyTorch (default: python3, then /usr/bin/python3)')
  .option('--compare <file>', 'say what got slower or faster since an earlier results file')
  .option('--roofline', "this adapter's measured ceilings; without suites, nothing else")
  .option('--profile', 'show the steps of the step suite kernel by kernel')
  .option('--time <milliseconds>', 'spent on each row, about', '300')
  .option('--out <file>', 'where results go (default: results/bench/<time>.json)')
  .option('--debug', 'print stack traces')
  .addHelpText(
    'after',
    `
Suites:
${suites.map(({ name, summary, sizes }) => `  ${name.padEnd(10)} ${summary}${sizes ? `; sizes ${sizes.notation}` : ''}`).join('\n')}

Examples:
  npm run bench                                         everything
  npm run bench -- matmul --sizes 512,1024x128x784      products [M, K]·[K, N], written MxNxK; 512 is 512x512x512
  npm run bench -- step analysis --peers                beside the peers; npm ci --prefix peers installs them
  npm run bench -- --compare results/bench/<time>.json

A time is a median, with quartiles beside. The clock is the GPU's, from timestamps; or the wall's, around many queued
dispatches; or the host's own. GFLOPS and GB/s count what a kernel has to do and to move at least once; roofline is
the share of the speed that the measured ceilings allow at that ratio, above 100% where data stays in caches.
Everything timed is checked against float64 in the same run; the exit status is 1 if anything is wrong.`,
  );

/** How peers find the same adapter. */
const peerAdapter = { hardware: 'gpu', system: 'system', swiftshader: 'swiftshader' } as const;

await main(async () => {
  program.parse();
  const options = program.opts<Options>();
  const chosen = program.args.length ? [...new Set(program.args.map(findSuite))] : suites;
  const time = parseNumber('--time', options.time, real(1, 1e6));
  const sizes = sizesFor(chosen, program.args.length > 0, options.sizes);
  const before = options.compare === undefined ? undefined : readBenchFile(options.compare);

  const wanted = typeof options.peers === 'string' ? peersNamed(options.peers) : peerNames;

  const begun = new Date();
  const out =
    options.out ?? join('results', 'bench', `${begun.toISOString().replaceAll(':', '-').slice(0, 19)}.json`);
  checkTarget(out); // Before the work.
  using devices = new Devices(options.adapter, options.tune ?? 'on');
  const wide = await devices.open('all');
  console.log(`${wide.info.name}, ${wide.info.driver}`);
  const roofline = await measureRoofline(wide, Math.min(time, 200));
  console.log(rooflineText(roofline));
  if (options.roofline && program.args.length === 0) return 0;

  using peers = options.peers
    ? await Peers.start(options.adapter ?? peerAdapter[wide.info.source], options.python, wanted)
    : undefined;
  for (const line of peers?.description ?? []) console.log(line);

  const rows: Row[] = [];
  const results = (): BenchFile => ({
    schema: SCHEMA,
    date: begun.toISOString(),
    command: commandLine('bench', process.argv.slice(2)),
    options: { ...options, time },
    ...machineFacts(),
    adapter: wide.info,
    roofline,
    rows,
  });
  for (const suite of chosen) {
    console.log(`\n${suite.name}: ${suite.summary}\n${headLine()}`);
    await suite.run({
      gpu: await devices.open(suite.threads),
      time,
      sizes: sizes.get(suite)!,
      sizesGiven: options.sizes !== undefined,
      peers,
      profile: options.profile ?? false,
      add: (measured) => {
        const row = completeRow(
          measured,
          suite.name,
          suite.threads === 'all' ? availableParallelism() : 'default',
          roofline,
        );
        rows.push(row);
        console.log(rowLine(row));
        writeBenchFile(out, results()); // Each: the later ones may take long, or be cut off.
      },
      say: (text) => console.log(text),
    });
    const checked = checkText(rows.filter((row) => row.suite === suite.name));
    if (checked) console.log(checked);
  }
  console.log(`\nResults: ${out}`);
  if (before) console.log(`\n${renderComparison(before, results())}`);
  const wrong = rows.filter(({ error }) => error);
  if (wrong.length) console.error(`${wrong.length} of ${rows.length} rows are errors.`);
  return wrong.length ? 1 : 0;
});
