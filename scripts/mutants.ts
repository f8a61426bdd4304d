/**
 * Makes small slips in the sources, one at a time, and counts how many `npm test` notices:
 * `npm run mutants -- [--sample 500] [--shard 1/2] [--only src/analysis]`. See docs/testing.md.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { main } from '../src/cli/main.ts';
import { type Mutant, mutantsOf, nameOf } from './mutants/operators.ts';
import { Sandbox } from './mutants/sandbox.ts';

const ROOT = resolve(import.meta.dirname, '..');
/** What computes, judges or tabulates numbers. How pages look is not what mutants are made of. */
const SOURCES =
  /^src\/((autograd|kernels|train|analysis|settings|experiments)\/|numbers\.ts|report\/(csv|data|gather|numbers|sweep|sweep-tables|tables|verdicts)\.ts)/;
/** Test files are run in portions that take together up to these seconds, nearest to the mutant first. */
const PORTION_SECONDS = [15, 60, Number.POSITIVE_INFINITY];

interface Tried {
  readonly mutant: string;
  readonly killedBy: string | null;
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

function typescript(folder: string): string[] {
  const all = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return all
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file}`)
    .sort();
}

/** A sample that stays the same where lines stay the same. */
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

/** Each test file with the sources that it imports, directly or not, and over how many files each is reached. */
function testImports(): Map<string, Map<string, number>> {
  const direct = new Map<string, string[]>();
  const importsOf = (file: string): string[] => {
    let known = direct.get(file);
    if (!known) {
      const text = existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : '';
      const found = text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
      known = [...found].map(([, path]) => relative(ROOT, resolve(ROOT, dirname(file), path!)));
      // These run commands in processes of their own.
      if (/^test\/(cli|scripts)\//.test(file)) known.push(...typescript('src/cli'));
      direct.set(file, known);
    }
    return known;
  };
  const tests = typescript('test').filter((file) => file.endsWith('.test.ts'));
  return new Map(
    tests.map((test) => {
      const reached = new Map<string, number>([[test, 0]]);
      for (const [file, hops] of reached)
        for (const next of importsOf(file)) if (!reached.has(next)) reached.set(next, hops + 1);
      return [test, reached];
    }),
  );
}

await main(async () => {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: ROOT,
    encoding: 'utf8',
  }).trim();
  mkdirSync(out, { recursive: true });
  const results = join(out, `${commit}-${seed}.jsonl`);
  const known = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n').filter(Boolean) : [];
  const tried = new Map(known.map((line) => JSON.parse(line) as Tried).map((t) => [t.mutant, t]));
  const mutants = chosen();

  using sandbox = new Sandbox();
  const seconds = await baseline(sandbox, join(out, `${commit}-times.json`));
  const imports = testImports();
  for (const mutant of mutants) {
    const name = nameOf(mutant);
    if (tried.has(name)) continue;
    const start = performance.now();
    const killedBy = await attempt(sandbox, mutant, seconds, imports);
    const result = { mutant: name, killedBy, seconds: Math.round((performance.now() - start) / 1000) };
    tried.set(name, result);
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

/** How long each test file takes, from a run of all on unchanged sources, which has to pass. */
async function baseline(sandbox: Sandbox, path: string): Promise<Record<string, number>> {
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'));
  const { passed, by, seconds } = await sandbox.test([], { bail: false, timeoutSeconds: 3600 });
  if (!passed) throw new Error(`the suite fails on unchanged sources: ${by}`);
  writeFileSync(path, JSON.stringify(Object.fromEntries(seconds)));
  return Object.fromEntries(seconds);
}

/** The test file that notices a mutant, or null. */
async function attempt(
  sandbox: Sandbox,
  mutant: Mutant,
  seconds: Readonly<Record<string, number>>,
  imports: ReadonlyMap<string, ReadonlyMap<string, number>>,
): Promise<string | null> {
  const { file, start, end, mutated } = mutant;
  const text = readFileSync(join(ROOT, file), 'utf8');
  const folder = dirname(file).replace(/^src/, 'test');
  const hops = (test: string) =>
    test === file.replace(/^src/, 'test').replace(/\.ts$/, '.test.ts')
      ? -1
      : (imports.get(test)?.get(file) ?? Number.MAX_VALUE) / (dirname(test) === folder ? 2 : 1);
  const order = Object.keys(seconds).sort((a, b) => hops(a) - hops(b) || seconds[a]! - seconds[b]!);
  const portions: string[][] = PORTION_SECONDS.map(() => []);
  let total = 0;
  for (const test of order) {
    total += seconds[test]!;
    if (total > Number(limit ?? Number.POSITIVE_INFINITY)) break;
    portions[PORTION_SECONDS.findIndex((most) => total <= most)]!.push(test);
  }
  return sandbox.with(file, text.slice(0, start) + mutated + text.slice(end), async () => {
    for (const files of portions.filter((files) => files.length)) {
      const expected = files.reduce((sum, test) => sum + seconds[test]!, 0);
      const { passed, by } = await sandbox.test(files, { bail: true, timeoutSeconds: 60 + 5 * expected });
      if (!passed) return by ?? 'unknown';
    }
    return null;
  });
}
