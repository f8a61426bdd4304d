import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const DOCS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs')).flatMap((f) => (f.endsWith('.md') ? [`docs/${f}`] : [])),
];
/** Columns before which lines of prose end. */
const COLUMNS = 110;

/** The lines of prose: no code, no tables, no images. */
function prose(markdown: string): string[] {
  const lines = markdown.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').split('\n');
  return lines.filter((line) => !/^( {4,}(?![-*\d])|\||!\[)/.test(line));
}

test('the README has at most 100 lines', () => {
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(100);
});

test('code, tables and images are not prose', () => {
  const text = 'a\n```ts\nb\n```\n    c\n| d |\n![e](f)\n  - g\n    - h';
  expect(prose(text)).toEqual(['a', '', '  - g', '    - h']);
});

test.each(DOCS)('lines of prose in %s end before column 110', (file) => {
  const long = prose(readFileSync(join(ROOT, file), 'utf8')).filter((line) => line.length >= COLUMNS);
  // A word alone, such as an address, cannot be broken.
  expect(long.filter((line) => line.trim().includes(' '))).toEqual([]);
});

const SOURCES = ['src', 'test', 'bench', 'peers', 'scripts', 'web'];

test.each(SOURCES)('comments in %s end before column 110', (folder) => {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  const long = files
    .filter((file) => /\.tsx?$/.test(file))
    .flatMap((file) => {
      const lines = readFileSync(join(ROOT, folder, file), 'utf8').split('\n');
      return lines.flatMap((line, i) =>
        /^ *(\/\/|\/?\*)/.test(line) && line.length >= COLUMNS ? [`${file}:${i + 1}`] : [],
      );
    });
  expect(long).toEqual([]);
});

test.each(DOCS)('the sources that %s names exist', (file) => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const paths = [...text.matchAll(/`((?:src|test|bench|peers|scripts)\/[\w./-]+)`/g)].map(
    (match) => match[1]!,
  );
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  const known = SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }),
  );
  const names = new Set(known.map((path) => basename(path)));
  const named = [...text.matchAll(/`([\w-]+\.ts)`/g)].map((match) => match[1]!);
  // The README lets its reader write one.
  expect(named.filter((name) => !names.has(name) && name !== 'example.ts')).toEqual([]);
});
