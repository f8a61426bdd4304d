import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBenchFile } from '../../bench/bench-file.ts';
import { run } from '../cli/child.ts';
import { start } from '../start.ts';

const bench = async (...args: string[]) =>
  run([process.execPath, ...(await start('bench/main.ts')), ...args]);

test('a run prints a table, writes its results, and compares them with earlier ones', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collimate-bench-'));
  try {
    const [first, second] = [join(folder, 'first.json'), join(folder, 'second.json')];
    const run = ['matmul', '--sizes', '9x7x5', '--time', '1'];
    const before = await bench(...run, '--out', first);
    expect(before.status, before.stderr).toBe(0);
    expect(before.stdout).toMatch(/^Ceilings on all cores: /m);
    expect(before.stdout).toMatch(/^A·B +9x7x5 /m);
    const file = readBenchFile(first);
    expect(file.rows.map(({ name }) => name)).toEqual(['A·B', 'Aᵀ·B', 'A·Bᵀ']);
    expect(file.command).toContain('npm run bench -- matmul --sizes 9x7x5');

    const after = await bench(...run, '--out', second, '--compare', first);
    expect(after.status, after.stderr).toBe(0);
    expect(after.stdout).toContain('of 3 rows changed beyond the noise seen');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what cannot be understood ends with status 1, its value and a remedy', async () => {
  const [suite, file] = await Promise.all([bench('matmult'), bench('--compare', '/nonexistent.json')]);
  expect(suite.status).toBe(1);
  expect(suite.stderr).toContain("there is no suite 'matmult'");
  expect(suite.stderr).toContain('Did you mean matmul?');
  expect(file.status).toBe(1);
  expect(file.stderr).toContain('cannot read /nonexistent.json');
});
