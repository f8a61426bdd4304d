import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { expectClose } from './support.ts';

const SRC = resolve(import.meta.dirname, '../../src/autograd');

/** `@example f(array(…)) // [numbers]` in the comments of functions. */
const examples = readdirSync(SRC)
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => [
    ...readFileSync(`${SRC}/${file}`, 'utf8').matchAll(/@example (\S.*\)) \/\/ (\[[-\d\s.,[\]]*\]|[-\d.]+)/g),
  ])
  .map(([, code, values]) => ({ code: code!, values: values! }));

test('many functions have an example in one line', () => {
  expect(examples.length).toBeGreaterThan(14);
});

test.each(examples)('$code gives $values', ({ code, values }) => {
  const example = new Function(...Object.keys(c), `return ${code};`);
  const graph = trace(() => example(...Object.values(c)) as Tensor, []);
  const [got] = interpret(graph, []);
  const want = [JSON.parse(values)].flat(9) as number[];
  expectClose(got!.data, want, 1e-6);
});
