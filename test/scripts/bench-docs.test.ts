import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { benchmarksPage, noGpus } from '../../scripts/bench-docs/page.ts';
import { standalone } from '../../src/report/svg.ts';
import { benchFile, row } from '../bench/fixture.ts';
import { elements } from '../report/xml.ts';

const page = benchmarksPage([benchFile()]);

test('the page names machine, adapter, driver and how to measure again', () => {
  for (const part of [
    '## llvmpipe-llvm-15\n',
    '- Driver: Mesa 25',
    '- Processor: A <quick> processor, 2 cores, 8 GiB, linux x64',
    '- Software: Collimate 0.1.0 (0123456789ab), Node 20.11.0',
    'To reproduce:\n\n    npm run bench -- matmul scaling --peers\n',
    '100 GFLOPS in registers',
  ]) {
    expect(page.markdown).toContain(part);
  }
  expect(page.markdown).not.toContain('are errors');
});

test('every suite has a table with a line for each row', () => {
  expect(page.markdown).toContain('### matmul, on 2 threads');
  expect(page.markdown).toContain('### scaling\n');
  const lines = page.markdown.split('\n').filter((line) => /^\| (A·B|Aᵀ·B|depth) \|/.test(line));
  expect(lines).toHaveLength(benchFile().rows.length);
});

test('peers stand beside us with ratios, or with what kept them from it', () => {
  expect(page.markdown).toContain(
    '| matmul A·B | 512x512x512 | 6 ms | 24 ms (×4) | PyTorch: it is \\| broken |',
  );
  expect(page.markdown).toContain('\n- jax-js 0.1.25 on llvmpipe\n- PyTorch 2.0 on cpu\n');
});

test('figures are well-formed, shown on the page, and have the ceiling and the line in them', () => {
  expect(page.figures.map(({ file }) => file)).toEqual([
    ...['bench-llvmpipe-gflops.svg', 'bench-llvmpipe-scaling.svg'],
  ]);
  for (const { file, svg } of page.figures) {
    expect(elements(standalone(svg))[0]).toBe('svg');
    expect(page.markdown).toContain(`(images/${file})`);
  }
  const [gflops, scaling] = page.figures.map(({ svg }) => svg) as [string, string];
  expect(gflops).toContain('ceilings: 100 GFLOPS, 10 GB/s');
  expect(gflops).toContain('stroke-dasharray');
  expect(gflops).toContain('>jax-js<');
  expect(scaling).toContain('2 ms + 0.5 ms × blocks, R² 1.000');
});

test('errors are told, and two runs on one adapter have figures of their own', () => {
  const wrong = benchFile([row({ error: 'off by 1', milliseconds: null })]);
  const { markdown, figures } = benchmarksPage([benchFile(), benchFile(), wrong]);
  expect(markdown).toContain('**1 of 1 rows are errors.**');
  expect(new Set(figures.map(({ file }) => file)).size).toBe(4);
});

test('the figures of the page in docs/ are there', () => {
  const docs = resolve(import.meta.dirname, '../../docs');
  const text = readFileSync(join(docs, 'benchmarks.md'), 'utf8');
  const shown = [...text.matchAll(/\]\((images\/[^)]+)\)/g)].map((match) => match[1]!);
  expect(shown.length).toBeGreaterThan(0);
  for (const file of shown) expect(existsSync(join(docs, file)), file).toBe(true);
});

test('the page says that there are no numbers of GPUs until a day has taken some', () => {
  const text = readFileSync(resolve(import.meta.dirname, '../../docs/benchmarks.md'), 'utf8');
  expect(page.markdown).toContain(noGpus);
  expect(text).toContain(noGpus);
  const measured = benchmarksPage([benchFile()], [{ table: '| doctor | done |', bench: benchFile() }]);
  expect(measured.markdown).not.toContain(noGpus);
  expect(measured.markdown).toMatch(/\n## GPUs\n[\s\S]*\n\| doctor \| done \|\n\n## llvmpipe-llvm-15\n/);
  expect(new Set(measured.figures.map(({ file }) => file)).size).toBe(4);
});
