import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
/** Seconds that every test file takes besides its tests. */
const OVERHEAD_SECONDS = 0.1;

/** All TypeScript of a folder, as paths from the repository's root. */
export function typescript(folder: string): string[] {
  const all = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return all
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file}`)
    .sort();
}

/** Each test file's sources, imported directly or not, with how many imports away each is. */
function testImports(): Map<string, Map<string, number>> {
  const direct = new Map<string, string[]>();
  const importsOf = (file: string): string[] => {
    let known = direct.get(file);
    if (!known) {
      const text = existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : '';
      // Imports, and what is named for a process or worker of its own.
      const found = [...text.matchAll(/'([\w./-]+\.ts)'/g)].map(([, path]) => path!);
      known = found
        .flatMap((path) => [resolve(ROOT, dirname(file), path), resolve(ROOT, path)])
        .filter((path) => existsSync(path))
        .map((path) => relative(ROOT, path));
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

/**
 * The order of test files for a change of one source: by how likely each is to notice it per second it
 * takes. Likelier are a source's own test, tests that import it over few files, and those that noticed
 * earlier changes of it. Test files that do not reach the source are left out.
 */
export class TestOrder {
  readonly #seconds: Readonly<Record<string, number>>;
  readonly #imports = testImports();
  /** For each source file, the test files that noticed its changes, once per change. */
  readonly #noticed = new Map<string, string[]>();

  constructor(seconds: Readonly<Record<string, number>>) {
    this.#seconds = seconds;
  }

  notice(source: string, test: string | null): void {
    if (test) this.#noticed.set(source, [...(this.#noticed.get(source) ?? []), test]);
  }

  of(source: string): string[] {
    const noticed = this.#noticed.get(source) ?? [];
    const own = source.replace(/^src/, 'test').replace(/\.ts$/, '.test.ts');
    const chance = (test: string) => {
      const hops = test === own ? 1 : (this.#imports.get(test)?.get(source) ?? Number.POSITIVE_INFINITY);
      const near = dirname(test) === dirname(own) ? 2 : 1;
      return (near / (1 + hops) + noticed.filter((by) => by === test).length) / (1 + noticed.length);
    };
    const worth = new Map(
      Object.entries(this.#seconds).map(([test, s]) => [test, chance(test) / (OVERHEAD_SECONDS + s)]),
    );
    return [...worth.keys()].filter((test) => worth.get(test)).sort((a, b) => worth.get(b)! - worth.get(a)!);
  }
}
