/**
 * Random graphs on an adapter against the interpreter; exits with 1 if one fails, and prints it:
 * `npm run fuzz -- [--graphs 1000] [--seed 1] [--from 0]`. See docs/testing.md.
 */
import { Command } from 'commander';
import { printGraph } from '../../src/autograd/graph.ts';
import { main } from '../../src/cli/main.ts';
import { openGpu } from '../../src/host/open.ts';
import { parseNumber, whole } from '../../src/settings/row.ts';
import { describeFinding, runCampaign } from './campaign.ts';
import { prepare } from './case.ts';
import { check } from './check.ts';
import type { Recipe } from './graphs.ts';

async function fuzz(): Promise<number> {
  const program = new Command('fuzz')
    .description('compiles random graphs in all ways and compares them with the interpreter')
    .option('--graphs <number>', 'how many', '1000')
    .option('--seed <number>', 'random seed', '1')
    .option('--from <number>', 'number of the first graph: a later part of the same graphs', '0')
    .option('--minutes <number>', 'begin no graphs after so long')
    .option(
      '--per-structure <number>',
      'graphs in a row that share a structure, and most of their kernels',
      '100',
    )
    .option('--per-size <number>', 'and those of them that share sizes, too', '10')
    .option('--recipe <json>', 'only this graph, as a failure prints it')
    .option('--harmless', 'no special or extreme values')
    .option('--adapter <name>', 'as for reproduce')
    .option('--debug', 'print stack traces')
    .parse();
  const given = program.opts<Record<string, string | undefined> & { harmless?: boolean }>();
  const number = (option: string, key: string, minimum: number) =>
    parseNumber(option, given[key]!, whole(minimum, 1e9));
  const graphs = number('--graphs', 'graphs', 1);
  const draw = {
    seed: number('--seed', 'seed', 0),
    perStructure: number('--per-structure', 'perStructure', 1),
    perSize: number('--per-size', 'perSize', 1),
    harmless: given.harmless ?? false,
  };
  if (given.recipe) {
    using gpu = await openGpu({ adapter: given.adapter });
    const recipe = JSON.parse(given.recipe) as Recipe;
    const work = prepare(recipe);
    const [failures] = await check(gpu, [work]);
    console.log(
      describeFinding({ index: 0, recipe, text: printGraph(work.problem), failures: failures! }, draw),
    );
    return Number(failures!.length > 0);
  }
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  let name = '';
  const open = async () => {
    const gpu = await openGpu({ adapter: given.adapter });
    name = gpu.info.name;
    return gpu;
  };
  let printed = 0;
  const from = number('--from', 'from', 0);
  const { tally, failed, findings, next } = await runCampaign(open, {
    ...draw,
    from,
    graphs,
    seconds: given.minutes === undefined ? undefined : 60 * number('--minutes', 'minutes', 1),
    onBatch: ({ next, failed }) => {
      if (elapsed() - printed < 30 && next < from + graphs) return;
      printed = elapsed();
      console.log(
        `${next - from} graphs, ${failed} failed, ${((next - from) / elapsed()).toFixed(1)} a second; next is ${next}`,
      );
    },
    onFinding: (finding) => console.log(`${describeFinding(finding, draw)}\n`),
  });
  const elements = tally.sharp + tally.loose + tally.skipped;
  const percent = (n: number) => `${((100 * n) / elements).toFixed(1)}%`;
  console.log(
    `${next - from} graphs in ${tally.programs} programs on ${name}, ${elapsed().toFixed(0)} s: ${failed} failed, of ${findings.length} structures.
Of ${elements} elements of outputs ${percent(tally.sharp)} were bounded to 1e-3 or a special value, ${percent(tally.loose)} loosely; ${percent(tally.skipped)} could be anything.
Go on with --from ${next}.`,
  );
  return Number(failed > 0);
}

await main(fuzz);
