import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/** From the roof down: a file may import from its own floor and from those below. */
const FLOORS = [
  'cli',
  'report',
  'experiments',
  'analysis',
  'models',
  'settings',
  'train',
  'data',
  'host',
  'autograd',
  'kernels',
  'tuner',
  'gpu',
];
const ENGINE = ['autograd', 'kernels', 'tuner', 'gpu'];
const LIMITS = {
  lines: { file: 350, engine: 13_190, rest: 24_582 },
  /** Files that name one measure: tables, pages and checks are folded over all of them. */
  diagonalShare: 8,
  /** Lines of bench. */
  bench: 2_800,
};

const SRC = resolve(import.meta.dirname, '../src');
const read = (file: string) => readFileSync(join(SRC, file), 'utf8');
const floorOf = (file: string) => file.split('/')[0]!;
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort();
const linesIn = (some: readonly string[]) =>
  some.reduce((sum, file) => sum + read(file).trimEnd().split('\n').length, 0);

/** Names such as `#host/adapter`, each with the files among which conditions choose. */
const conditional: Record<string, Record<string, string>> = JSON.parse(read('package.json')).imports;

/** A file's imports, types too: relative paths as paths below src, packages by name. */
const imports = new Map(
  files.map((file) => {
    const specifiers = [...read(file).matchAll(/(?:from|import)\s*\(?\s*'([^'\n]+)'/g)].map((m) => m[1]!);
    const below = (s: string) => relative(SRC, resolve(SRC, dirname(file), s));
    const targets = (s: string) =>
      s in conditional
        ? Object.values(conditional[s]!).map((path) => relative(SRC, resolve(SRC, path)))
        : [s.startsWith('.') ? below(s) : s];
    return [file, specifiers.flatMap(targets)] as const;
  }),
);

/** Groups of files that all reach one another by imports (Tarjan's strongly connected components). */
function circles(): string[] {
  const found: string[] = [];
  const numbers = new Map<string, number>();
  const path: string[] = [];
  const visit = (file: string): number => {
    const own = numbers.size;
    numbers.set(file, own);
    path.push(file);
    let lowest = own;
    for (const target of imports.get(file)!) {
      if (!imports.has(target)) continue;
      if (!numbers.has(target)) lowest = Math.min(lowest, visit(target));
      else if (path.includes(target)) lowest = Math.min(lowest, numbers.get(target)!);
    }
    if (lowest === own) {
      const circle = path.splice(path.indexOf(file));
      if (circle.length > 1) found.push(circle.sort().join(', '));
    }
    return lowest;
  };
  for (const file of files) if (!numbers.has(file)) visit(file);
  return found;
}

describe('imports', () => {
  test('reach no floor above', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.get('host/open.ts')).toContain('host/node-adapter.ts');
    const upward = files.flatMap((file) => {
      const floor = FLOORS.indexOf(floorOf(file));
      if (floor < 0) return []; // What stands in src itself stands beside the floors.
      return imports
        .get(file)!
        .filter((target) => imports.has(target) && target.includes('/'))
        .filter((target) => FLOORS.indexOf(floorOf(target)) < floor)
        .map((target) => `${file} imports ${target}`);
    });
    expect(upward).toEqual([]);
  });

  test('find a file each', () => {
    const lost = files.flatMap((file) =>
      imports.get(file)!.filter((target) => target.endsWith('.ts') && !imports.has(target)),
    );
    expect(lost).toEqual([]);
  });

  test('make no circles, not even of types', () => {
    expect(circles()).toEqual([]);
  });

  test('bring nothing into the engine that only Node has', () => {
    const foreign = files
      .filter((file) => ENGINE.includes(floorOf(file)))
      .flatMap((file) => imports.get(file)!.filter((target) => !imports.has(target)));
    expect(foreign).toEqual([]);
  });

  test('of the interpreter are left to tests and the library’s face', () => {
    expect(files.filter((file) => imports.get(file)!.includes('autograd/interpret.ts'))).toEqual([
      'index.ts',
    ]);
  });
});

describe('sizes', () => {
  test.each(files)('%s is short', (file) => {
    expect(linesIn([file])).toBeLessThanOrEqual(LIMITS.lines.file);
  });

  test('the engine and all the rest stay small', () => {
    const engine = files.filter((file) => ENGINE.includes(floorOf(file)));
    expect(linesIn(engine), 'lines of the engine').toBeLessThanOrEqual(LIMITS.lines.engine);
    const rest = files.filter((file) => !engine.includes(file));
    expect(linesIn(rest), 'lines of the rest').toBeLessThanOrEqual(LIMITS.lines.rest);
  });
});

test('benchmarks stand on src alone, and stay few', () => {
  const bench = resolve(SRC, '../bench');
  const sources = readdirSync(bench, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file, text: readFileSync(join(bench, file), 'utf8') }));
  const outside = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/from '(\.[^']+)'/g)]
      .map((match) => relative(resolve(SRC, '..'), resolve(bench, dirname(file), match[1]!)))
      .filter((target) => !/^(bench|src)\//.test(target)),
  );
  expect(outside).toEqual([]);
  const lines = sources.reduce((sum, { text }) => sum + text.trimEnd().split('\n').length, 0);
  expect(lines).toBeGreaterThan(1000);
  expect(lines).toBeLessThanOrEqual(LIMITS.bench);
});

test('every folder of src is a floor', () => {
  const folders = readdirSync(SRC, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name);
  expect(folders.sort()).toEqual([...FLOORS].sort());
});

test('a measure is at home in few files', () => {
  const named = files.filter((file) => read(file).includes('diagonalShare'));
  expect(named.length).toBeLessThanOrEqual(LIMITS.diagonalShare);
});
