import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { transform } from 'esbuild';
import { describe, expect, it, test } from 'vitest';
import * as analysis from '../src/analysis/index.ts';
import { Tensor } from '../src/autograd/tensor.ts';
import * as tuner from '../src/host/tuner.ts';
import * as library from '../src/index.ts';
import * as models from '../src/models/index.ts';
import * as train from '../src/train/index.ts';
import { expectClose } from './autograd/support.ts';
import { testGpu } from './gpu/harness.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** The entry points: by what they are imported, from which file, and all that they export but types. */
const FACES: readonly (readonly [name: string, file: string, values: Record<string, unknown>])[] = [
  ['collimate', 'index.ts', library],
  ['collimate/train', 'train/index.ts', train],
  ['collimate/models', 'models/index.ts', models],
  ['collimate/analysis', 'analysis/index.ts', analysis],
  ['collimate/tuner', 'host/tuner.ts', tuner],
];

/** A statement with its value in a comment behind it. */
const CLAIM = /^( *)((?:const \w+ = )?.+); \/\/ (\[[-\d\s.,[\]]*\]|-?[\d.]+|'.*')$/gm;

/** What an example says the value of, in numbers: tensors are interpreted. */
function numbersOf(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  if (!(value instanceof Tensor)) return Array.from(value as ArrayLike<number>);
  return [...library.interpret({ inputs: [], outputs: [value] }, [])[0]!.data];
}

/** Runs code with the library's names and a device `gpu`; checks values that comments claim; counts them. */
async function run(code: string): Promise<number> {
  let claims = 0;
  const check = (value: unknown, want: unknown) => {
    claims++;
    if (typeof want === 'string') expect(value).toBe(want);
    else expectClose(numbersOf(value), [want].flat(9) as number[], 1e-5);
  };
  const names = Object.assign({}, ...FACES.map(([, , values]) => values));
  Object.assign(names, { openGpu: testGpu, gpu: await testGpu(), check });
  const checked = code.replaceAll(CLAIM, '$1check($2, $3);');
  // In a block of its own, where it may give the library's names to something else.
  const body = `export default async function (${Object.keys(names).join(', ')}) {{\n${checked}\n}}`;
  const { code: js } = await transform(body, { loader: 'ts', format: 'cjs', target: 'es2022' });
  const module: { exports: { default?: (...values: unknown[]) => Promise<void> } } = { exports: {} };
  new Function('module', js)(module);
  await module.exports.default!(...Object.values(names));
  return claims;
}

const library_md = [...read('docs/library.md').matchAll(/```ts\n([\s\S]*?)```/g)]
  .map((m) => m[1]!)
  .join('\n');

test('the code of docs/library.md runs from top to bottom, and gives what it says', async () => {
  expect(await run(library_md)).toBe(7);
});

/** Examples of doc comments, `file:line` and code: in lines of their own, or in one as `f(x) // value`. */
const examples = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => {
    const text = read(join('src', file));
    return [
      ...text.matchAll(
        /@example(?: (.+?) (\/\/ (?:\[[-\d\s.,[\]]*\]|-?[\d.]+|'.*')).*\n|\n((?: \*.*\n)+?) \*\/\n)/g,
      ),
    ].map(([, line, value, lines], i, { [i]: match }): [string, string] => [
      `${file}:${text.slice(0, match!.index).split('\n').length}`,
      line ? `${line}; ${value}` : lines!.replaceAll(/^ \* ?/gm, ''),
    ]);
  });

describe('the example runs at', () => {
  it.each(examples)('%s', async (_, code) => {
    const claims = await run(code);
    if (!code.includes('\n')) expect(claims).toBe(1);
  });
});

test('examples, and the code of the README, are TypeScript that compiles strictly', () => {
  // Inside of the repository, where the package finds itself by its own name.
  const folder = mkdtempSync(join(ROOT, 'test/.reference-'));
  try {
    const imported = FACES.map(([name, , values]) => `import { ${Object.keys(values)} } from '${name}';`);
    const types =
      "import type { Gpu, Tensor } from 'collimate';\nimport type { Weights } from 'collimate/train';";
    const functions = [library_md, ...examples.map(([, code]) => code)].map(
      (code, i) => `export async function example${i}() {\n${code}\n}`,
    );
    writeFileSync(
      join(folder, 'examples.ts'),
      [...imported, types, 'declare const gpu: Gpu;', ...functions].join('\n'),
    );
    writeFileSync(join(folder, 'readme.ts'), /```ts\n([\s\S]*?)```/.exec(read('README.md'))![1]!);
    writeFileSync(join(folder, 'tsconfig.json'), '{ "extends": "../../tsconfig.json", "include": ["*.ts"] }');
    const tsc = join(ROOT, 'node_modules/@typescript/native/bin/tsc');
    execFileSync(process.execPath, [tsc, '--noEmit', '-p', folder], { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each(FACES)('each function and class of %s has an example', (_, file, values) => {
  const comments = commentsOf(file);
  const named = Object.keys(values).filter((name) => typeof values[name] === 'function');
  expect(named.filter((name) => !hasExample(comments.get(name)))).toEqual([]);
});

/** What names such as `#host/choices` stand for. */
const CONDITIONAL: Record<string, Record<string, string>> = JSON.parse(read('src/package.json')).imports;

/** The names that a file exports, each with the comment before it where it is declared. */
function commentsOf(file: string): Map<string, string> {
  const text = read(join('src', file));
  const comments = new Map<string, string>();
  const declarations =
    /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?(?:\/\/.*\n)*export (?:declare |abstract |async )*(?:function|class|const|interface|type) (\w+)/g;
  for (const [, comment = '', name] of text.matchAll(declarations))
    comments.set(name!, comments.get(name!) || comment);
  for (const [, list, from] of text.matchAll(/export (?:type )?(?:\{([^}]*)\}|\*) from '([.#][^']+)'/g)) {
    const there = commentsOf(from! in CONDITIONAL ? CONDITIONAL[from!]!.node! : join(dirname(file), from!));
    const listed = list?.split(',').flatMap((word) => /(\w+)\s*$/.exec(word)?.[1] ?? []) ?? [...there.keys()];
    for (const name of listed) comments.set(name, there.get(name) ?? '');
  }
  return comments;
}

const all = new Map(FACES.flatMap(([, file]) => [...commentsOf(file)]));

/** Whether a comment has an example, or names an export that shows it, as in “Example: {@link Trainer}”. */
const hasExample = (comment = ''): boolean => {
  const other = /Example: \{@link (\w+)\}/.exec(comment)?.[1];
  return comment.includes('@example') || (other !== undefined && all.get(other)!.includes('@example'));
};

test.each(FACES)('%s explains all that it exports', (_, file) => {
  const comments = commentsOf(file);
  expect(comments.size).toBeGreaterThan(5);
  expect([...comments].flatMap(([name, comment]) => (comment ? [] : [name]))).toEqual([]);
});
