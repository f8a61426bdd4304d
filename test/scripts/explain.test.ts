import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { knownTraits, steps, subjectOf, subjects } from '../../scripts/explanation.ts';
import { openGpu } from '../../src/host/open.ts';
import { start } from '../start.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Runs the command as a shell does. */
async function explain(words: string) {
  const command = [process.execPath, ...(await start('scripts/explain.ts'))].map((word) => `"${word}"`);
  const { stdout, stderr, status } = spawnSync('sh', ['-c', `${command.join(' ')} ${words}`], {
    encoding: 'utf8',
  });
  return { stdout, stderr, status };
}

const plain = { sizes: undefined, jvp: undefined, grad: undefined };

/** Every `$ npm run explain -- …` of the page, with what stands below it; a line `…` is lines left out. */
const shown = [
  ...readFileSync(join(ROOT, 'docs/engine.md'), 'utf8').matchAll(
    /^```console\n\$ npm run explain -- (.*)\n([\s\S]*?)^```$/gm,
  ),
].map(([, words, output]) => ({ words: words!, output: output! }));

test('docs/engine.md follows a function through every step', () => {
  const words = shown.map((each) => each.words).join('\n');
  for (const step of ['--graph', '--jvp', '--grad', '--simplified', '--groups', '--plan', '--dispatch']) {
    expect(words).toContain(step);
  }
});

test.each(shown)('docs/engine.md shows what `explain $words` prints', async ({ words, output }) => {
  const { stdout, status } = await explain(words);
  expect(status).toBe(0);
  let rest = stdout;
  for (const part of output.split(/^ *…\n/m)) {
    const at = rest.indexOf(part);
    expect(at, `${part}\nis not in\n${rest}`).toBeGreaterThanOrEqual(0);
    rest = rest.slice(at + part.length);
  }
  // What is left out is said to be left out.
  if (!/^ *…$/m.test(output)) expect(output).toBe(stdout);
});

test.each(Object.entries(knownTraits))('every kernel is explained for %s', (_, traits) => {
  for (const name of subjects.map((line) => line.split(' ')[0]!)) {
    const { graph } = subjectOf(name, [], plain);
    const wgsl = steps.wgsl.text(graph, traits);
    const dispatches = steps.plan.text(graph, traits).match(/^\d+ /gm)!.length;
    expect(wgsl.match(/fn main\(/g)).toHaveLength(dispatches);
    expect(wgsl).toMatch(/^\/\/ dispatch 1: /);
  }
});

test('the traits of the bundled adapter are those it has', async () => {
  using gpu = await openGpu({ adapter: 'swiftshader' });
  expect(knownTraits.swiftshader).toEqual(gpu.traits);
});

test('a kernel has its numbers beside it', () => {
  const { graph } = subjectOf('matmul', [], { ...plain, sizes: '512,256,64' });
  expect(steps.wgsl.text(graph, knownTraits.gpu)).toContain('// sizes: m 512, n 256, k 64, ');
  expect(steps.wgsl.text(graph, knownTraits.gpu)).toContain('// the tuner also tries: tiled ');
});

test('tensors can be given instead of those of a kernel', () => {
  const { graph } = subjectOf('matmul', ['a=2,3,4', 'b=4,5'], plain);
  expect(steps.graph.text(graph, knownTraits.gpu)).toContain('f32[2,3,5] = matmul(%0, %2)');
});

test('an expression is differentiated by the tensors named', () => {
  const { graph } = subjectOf('sum(mul(a, b))', ['a=3', 'b=3'], { ...plain, grad: 'b,a' });
  expect(steps.simplified.text(graph, knownTraits.gpu)).toBe(
    'graph(%0: f32[3] 0.a, %1: f32[3] 0.b)\n  return %0, %1',
  );
});

test('an experiment is a training step of its network', () => {
  const { graph, steps: own } = subjectOf('mnist-fc', [], plain);
  expect(own).toEqual(['plan']);
  // The loss, and a gradient for each of the other inputs but images and labels.
  expect(graph.outputs.length).toBe(1 + graph.inputs.length - 2);
});

test.each([
  ['matmull', [], {}, "there is nothing named 'matmull'"],
  ['relu(x', ['x=3'], {}, "cannot evaluate 'relu(x'"],
  ['relux(x)', ['x=3'], {}, 'relux is not defined'],
  ['relu(x)', ['x=a'], {}, "'x=a' is no tensor"],
  ['matmul', [], { sizes: '3,4' }, '--sizes: expected M,N,K, got 3,4'],
  ['relu(x)', ['x=3'], { sizes: '3' }, '--sizes: expected none, got 3'],
  ['walk', [], { grad: 'y' }, "there is no tensor 'y' to differentiate by"],
])('%s of %o by %o is refused', (what, tensors, variation, message) => {
  expect(() => subjectOf(what, tensors, { ...plain, ...variation })).toThrow(message);
});

test('what cannot be understood ends with status 1 and a remedy', async () => {
  const { stderr, status } = await explain('walk --dispatch 9');
  expect(status).toBe(1);
  expect(stderr).toContain('there is no dispatch 9\nGive a number from 1 to 2: --plan lists them.');
});
