import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** From the roof down: a file may import from its own floor and from those below. */
const FLOORS = [
  'cli',
  'report',
  'experiments',
  'analysis',
  'models',
  'train',
  'data',
  'host',
  'autograd',
  'kernels',
  'tuner',
  'gpu',
];
const SRC = resolve(import.meta.dirname, '../src');

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));
}

/** Relative imports of a file, as paths below src. */
function imports(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((m) => m[1]!);
  return specifiers.map((s) => relative(SRC, resolve(SRC, dirname(file), s)));
}

test('no file imports from a floor above its own', () => {
  const files = sources(SRC);
  expect(files.length).toBeGreaterThan(40);
  const upward = files.flatMap((file) => {
    const floor = FLOORS.indexOf(file.split('/')[0]!);
    if (floor < 0) return []; // src/index.ts and src/errors.ts stand beside the floors
    return imports(file)
      .filter((target) => target.includes('/') && FLOORS.indexOf(target.split('/')[0]!) < floor)
      .map((target) => `${file} imports ${target}`);
  });
  expect(upward).toEqual([]);
});

test('every folder of src is a floor', () => {
  const folders = readdirSync(SRC, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name);
  expect(folders.sort()).toEqual([...FLOORS].sort());
});

const ENGINE = ['autograd', 'kernels', 'gpu'];

test('the engine needs nothing that only Node has', () => {
  const foreign = sources(SRC)
    .filter((file) => ENGINE.includes(file.split('/')[0]!))
    .flatMap((file) => {
      const specifiers = readFileSync(join(SRC, file), 'utf8').matchAll(
        /(?:from|import)\s*\(?\s*'([^.'][^']*)'/g,
      );
      return [...specifiers].map(([, specifier]) => `${file} imports ${specifier}`);
    });
  expect(foreign).toEqual([]);
});

test('only the library’s face and tests import the interpreter', () => {
  const users = sources(SRC).filter((file) => imports(file).includes('autograd/interpret.ts'));
  expect(users).toEqual(['index.ts']);
});
