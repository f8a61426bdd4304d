import { join } from 'node:path';
import { Command } from 'commander';
import { checkTarget, writeAtomically } from '../src/atomic-write.ts';
import { main } from '../src/cli/main.ts';
import { standalone } from '../src/report/svg.ts';
import { readBenchFile } from './bench-file.ts';
import { benchmarksPage } from './docs/page.ts';

const program = new Command('npm run bench:docs --')
  .description('Makes docs/benchmarks.md and its figures from results of npm run bench.')
  .argument('<results...>', 'results/bench/<time>.json, in the order in which they shall appear')
  .option('--out <folder>', 'where the page goes', 'docs')
  .option('--debug', 'print stack traces');

await main(async () => {
  program.parse();
  const { out } = program.opts<{ out: string }>();
  checkTarget(join(out, 'images', 'x'));
  const { markdown, figures } = benchmarksPage(program.args.map(readBenchFile));
  for (const { file, svg } of figures) writeAtomically(join(out, 'images', file), standalone(svg));
  writeAtomically(join(out, 'benchmarks.md'), markdown);
  console.log(join(out, 'benchmarks.md'));
  return 0;
});
