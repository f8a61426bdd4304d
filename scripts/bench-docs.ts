import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { readBenchFile } from '../bench/bench-file.ts';
import type { BenchFile } from '../bench/result.ts';
import { checkTarget, writeAtomically } from '../src/atomic-write.ts';
import { main } from '../src/cli/main.ts';
import { standalone } from '../src/report/svg.ts';
import { benchmarksPage, type Day } from './bench-docs/page.ts';
import { readSummary, summaryTable } from './gpu-day/summary.ts';

const program = new Command('npm run bench:docs --')
  .description('Makes docs/benchmarks.md and its figures from results of npm run bench.')
  .argument(
    '<results...>',
    'results/bench/<time>.json, in the order in which they shall appear, and folders of npm run gpu-day',
  )
  .option('--out <folder>', 'where the page goes', 'docs')
  .option('--debug', 'print stack traces');

await main(async () => {
  program.parse();
  const { out } = program.opts<{ out: string }>();
  checkTarget(join(out, 'images', 'x'));
  const isDay = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const files = program.args.filter((path) => !isDay(path)).map(readBenchFile);
  const { markdown, figures } = benchmarksPage(files, program.args.filter(isDay).map(readDay));
  for (const { file, svg } of figures) writeAtomically(join(out, 'images', file), standalone(svg));
  writeAtomically(join(out, 'benchmarks.md'), markdown);
  console.log(join(out, 'benchmarks.md'));
  return 0;
});

/** A day's results, with its benchmarks as of one run. */
function readDay(folder: string): Day {
  const day = readSummary(folder);
  const names = readdirSync(folder).filter((name) => /^bench-.*\.json$/.test(name));
  const all = names.map((name) => readBenchFile(join(folder, name)));
  const order = day.parts.map(({ name }) => names.indexOf(`${name}.json`)).filter((at) => at >= 0);
  const files: BenchFile[] = order.map((at) => all[at]!);
  const [first] = files;
  return {
    table: summaryTable(day),
    bench: first && { ...first, command: day.command, rows: files.flatMap(({ rows }) => rows) },
  };
}
