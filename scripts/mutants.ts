/**
 * Makes small slips in the sources, one at a time, and counts how many `npm test` notices:
 * `npm run mutants -- [--sample 500] [--shard 1/2] [--only src/analysis]`. See docs/testing.md.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { main } from '../src/cli/main.ts';
import { type Mutant, mutantsOf, nameOf } from './mutants/operators.ts';
import { TestOrder, typescript } from './mutants/order.ts';
import { type Outcome, Sandbox } from './mutants/sandbox.ts';

const ROOT = resolve(import.meta.dirname, '..');
/** Sources that compute, judge or tabulate numbers, not those about the look of pages. */
const SOURCES =
  /^src\/((autograd|kernels|train|analysis|settings|experiments)\/|numbers\.ts|report\/(csv|data|gather|numbers|sweep|sweep-tables|tables|verdicts)\.ts)/;

interface Tried {
  readonly mutant: string;
  readonly killedBy: string | null;
  /** Of the processors. */
  readonly seconds: number;
}

const { sample, seed, shard, only, limit, out } = new Command('mutants')
  .description('Mutation testing: the share of small mistakes in the sources that the test suite notices.')
  .option('--sample <number>', 'number of mutants to sample', '500')
  .option('--seed <number>', 'random seed of the sample', '1')
  .option('--shard <i/n>', 'only part i of n', '1/1')
  .option('--only <path…>', 'only mutants in files whose path begins with this')
  .option(
    '--limit <seconds>',
    'of test files per mutant; a mutant that these do not notice counts as survived',
  )
  .option('--out <folder>', 'folder of the results; the same command continues them', 'results/mutants')
  .parse()
  .opts<Record<'sample' | 'seed' | 'shard' | 'out', string> & { only?: string; limit?: string }>();

/** A sample that is stable where lines are unchanged. */
function chosen(): Mutant[] {
  const files = typescript('src').filter((file) => SOURCES.test(file));
  const rank = (mutant: Mutant) =>
    createHash('sha256')
      .update(`${seed} ${nameOf(mutant)}`)
      .digest('hex');
  const all = files
    .filter((file) => file.startsWith(only ?? ''))
    .flatMap((file) => mutantsOf(file, readFileSync(join(ROOT, file), 'utf8')))
    .map((mutant) => ({ mutant, rank: rank(mutant) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const [i, n] = shard.split('/').map(Number) as [number, number];
  console.log(`${all.length} mutants in ${files.length} files`);
  return all
    .slice(0, Number(sample))
    .filter((_, j) => j % n === i - 1)
    .map(({ mutant }) => mutant);
}

await main(async () => {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: ROOT,
    encoding: 'utf8',
  }).trim();
  mkdirSync(out, { recursive: true });
  const results = join(out, `${commit}-${seed}.jsonl`);
  const tried = new Map(readTried(results).map((t) => [t.mutant, t]));
  const mutants = chosen();

  using sandbox = new Sandbox();
  const seconds = await baseline(sandbox, join(out, `${commit}-times.json`));
  const order = new TestOrder(seconds);
  // Also of other commits and seeds.
  for (const file of readdirSync(out).filter((file) => file.endsWith('.jsonl')))
    for (const { mutant, killedBy } of readTried(join(out, file)))
      order.notice(mutant.slice(0, mutant.indexOf(':')), killedBy);
  for (const mutant of mutants) {
    const name = nameOf(mutant);
    if (tried.has(name)) continue;
    const tests = within(order.of(mutant.file), seconds);
    const { passed, by, cpu } = await attempt(sandbox, mutant, tests, seconds);
    const killedBy = passed ? null : (by ?? 'unknown');
    const result = { mutant: name, killedBy, seconds: Math.round(cpu) };
    tried.set(name, result);
    order.notice(mutant.file, killedBy);
    appendFileSync(results, `${JSON.stringify(result)}\n`);
    console.log(
      `${killedBy ? 'killed  ' : 'SURVIVED'} ${result.seconds} s  ${name}${killedBy ? `  (${killedBy})` : ''}`,
    );
  }

  const own = mutants.map((mutant) => tried.get(nameOf(mutant))!);
  const killed = own.filter(({ killedBy }) => killedBy).length;
  console.log(
    `${killed} of ${own.length} killed (${((100 * killed) / own.length).toFixed(1)}%) at ${commit}`,
  );
  return 0;
});

function readTried(path: string): Tried[] {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').filter(Boolean) : [];
  return lines.map((line) => JSON.parse(line));
}

/** The first of these test files that take at most `--limit` seconds together. */
function within(tests: readonly string[], seconds: Readonly<Record<string, number>>): string[] {
  let left = Number(limit ?? Number.POSITIVE_INFINITY);
  return tests.filter((test) => {
    const fits = seconds[test]! <= left;
    if (fits) left -= seconds[test]!;
    return fits;
  });
}

/** Each test file's time, from a full run on unchanged sources, which must pass. */
async function baseline(sandbox: Sandbox, path: string): Promise<Record<string, number>> {
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'));
  const all = typescript('test').filter((file) => file.endsWith('.test.ts'));
  const { passed, by, seconds } = await sandbox.test(all, () => 600);
  if (!passed) throw new Error(`the suite fails on unchanged sources: ${by}`);
  writeFileSync(path, JSON.stringify(Object.fromEntries(seconds)));
  return Object.fromEntries(seconds);
}

function attempt(
  sandbox: Sandbox,
  { file, start, end, mutated }: Mutant,
  tests: readonly string[],
  seconds: Readonly<Record<string, number>>,
): Promise<Outcome> {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return sandbox.with(file, text.slice(0, start) + mutated + text.slice(end), () =>
    sandbox.test(tests, (test) => seconds[test]!),
  );
}
