import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

test('the code in the README runs as printed, and learns', () => {
  const code = /```ts\n([\s\S]*?)```/.exec(README)?.[1];
  // Inside of the repository, where the package finds itself by its own name.
  const folder = mkdtempSync(join(ROOT, 'test/.readme-'));
  try {
    const file = join(folder, 'example.ts');
    writeFileSync(file, code!);
    const printed = execFileSync(process.execPath, ['--import', 'tsx', file], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const losses = printed
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[1]));
    expect(losses).toHaveLength(6);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 5);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the commands in the README exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...README.matchAll(/npm run ([a-z]+)/g)].map((m) => m[1]!);
  expect(named).toContain('reproduce');
  for (const name of named) expect(scripts).toHaveProperty(name);
});

test('what the README and docs link to exists', () => {
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  for (const document of ['README.md', 'CHANGELOG.md', ...docs.map((name) => `docs/${name}`)]) {
    const text = readFileSync(join(ROOT, document), 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      expect(existsSync(resolve(ROOT, document, '..', target!)), `${document} links to ${target}`).toBe(true);
    }
  }
});
