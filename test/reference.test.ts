import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { transform } from 'esbuild';
import { describe, expect, it, test } from 'vitest';
import * as library from '../src/index.ts';
import * as train from '../src/train/index.ts';
import { expectClose } from './autograd/support.ts';
import { testGpu } from './gpu/harness.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** A statement with its value in a comment behind it. */
const CLAIM = /^( *)((?:const \w+ = )?.+); \/\/ (\[[^\]]*\]|-?[\d.]+)$/gm;

/** Numbers of what an example says the value of. */
const numbersOf = (value: unknown): number[] =>
  typeof value === 'number' ? [value] : Array.from(value as ArrayLike<number>);

/** Runs code that uses the library's names and a device `gpu`, and compares values with those that comments claim; returns how many. */
async function run(code: string): Promise<number> {
  let claims = 0;
  const check = (value: unknown, want: number | number[]) => {
    claims++;
    expectClose(numbersOf(value), numbersOf(want), 1e-5);
  };
  const names = { ...library, ...train, openGpu: testGpu, gpu: await testGpu(), check };
  const own = Object.entries(names).filter(([name]) => !new RegExp(`^const ${name} =`, 'm').test(code));
  const checked = code.replaceAll(CLAIM, '$1check($2, $3);');
  const body = `export default async function (${own.map(([name]) => name).join(', ')}) {\n${checked}\n}`;
  const { code: js } = await transform(body, { loader: 'ts', format: 'cjs' });
  const module: { exports: { default?: (...values: unknown[]) => Promise<void> } } = { exports: {} };
  new Function('module', js)(module);
  await module.exports.default!(...own.map(([, value]) => value));
  return claims;
}

test('the code of docs/library.md runs from top to bottom, and gives what it says', async () => {
  const blocks = [...read('docs/library.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((m) => m[1]!);
  expect(blocks.length).toBeGreaterThan(5);
  expect(await run(blocks.join('\n'))).toBe(7);
});

/** The examples of doc comments that begin on a line of their own: `file:line` and code. */
function examples(): [string, string][] {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const text = read(join('src', file));
      return [...text.matchAll(/ \* @example\n((?: \*.*\n)+?) \*\/\n/g)].map((m): [string, string] => {
        const line = text.slice(0, m.index).split('\n').length;
        return [`${file}:${line}`, m[1]!.replaceAll(/^ \* ?/gm, '')];
      });
    });
}

describe('the example runs at', () => {
  it.each(examples())('%s', async (_, code) => {
    await run(code);
  });
  test('as many places as there were', () => expect(examples().length).toBeGreaterThanOrEqual(12));
});
