import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBenchFile, writeBenchFile } from '../../bench/bench-file.ts';
import { completeRow } from '../../bench/result.ts';
import { shareOf } from '../../bench/roofline.ts';
import { checkText, digits, formatTime, remarks, renderTable, rowLine } from '../../bench/table.ts';
import { around, benchFile, row } from './fixture.ts';

const roofline = { gflops: 100, gbps: 10, arithmetic: '', copy: '', clock: 'gpu' } as const;

test('the roofline is the lower of its two ceilings', () => {
  // 10⁹ operations at 100 GFLOPS take 10 ms, 10⁹ bytes at 10 GB/s 100 ms.
  expect(shareOf(roofline, 1e9, 0, 20)).toBeCloseTo(0.5, 12);
  expect(shareOf(roofline, 1e9, 1e9, 200)).toBeCloseTo(0.5, 12);
  expect(shareOf(roofline, 1e9, 1e6, 10)).toBeCloseTo(1, 12);
  expect(shareOf(roofline, 0, 0, 10)).toBeNull();
});

test('a check that fails makes an error of a row, also where numbers are NaN', () => {
  const measured = (error: number) => ({
    ...({ name: 'x', size: '1', clock: 'gpu', milliseconds: around(1), flops: 1e8, bytes: 0 } as const),
    check: { relativeTo: 'Σ|a||b|', error, tolerance: 1e-5 },
  });
  expect(completeRow(measured(1e-5), 'matmul', 2, roofline)).toMatchObject({ share: 1, threads: 2 });
  expect(completeRow(measured(1e-5), 'matmul', 2, roofline).error).toBeUndefined();
  expect(completeRow(measured(1e-3), 'matmul', 2, roofline).error).toContain('off by 1.0e-3 of Σ|a||b|');
  expect(completeRow(measured(Number.NaN), 'matmul', 2, roofline).error).toContain('off by NaN');
  // NaN is the worst; a file has null in its place.
  for (const error of [Number.NaN, null as unknown as number]) {
    const rows = [1e-6, error, 1e-3].map((each) => row({ check: measured(each).check }));
    expect(checkText(rows)).toBe('Error against float64: NaN of Σ|a||b|; 0.00001 is allowed.');
  }
});

test('times and rates have three digits and the unit that fits', () => {
  expect([0.0001234, 0.5, 1.2345, 123.456, 1234, 65_432].map(formatTime)).toEqual([
    ...['0.123 µs', '500 µs', '1.23 ms', '123 ms', '1.23 s', '65.4 s'],
  ]);
  expect([0, 0.01234, 5.678, 1234.5].map(digits)).toEqual(['0', '0.0123', '5.68', '1235']);
});

test('a row shows rates, share, clock and variant', () => {
  const text = rowLine(row());
  for (const part of ['A·B', '512x512x512', '5 ms', '53.7', '50%', 'gpu', 'broadcast 32x32']) {
    expect(text).toContain(part);
  }
  expect(rowLine(row({ milliseconds: null, error: 'out of memory' }))).toMatch(
    /error .*error: out of memory/,
  );
});

test('remarks name figures, ratios to peers, and why a peer has none', () => {
  const { peers } = benchFile().rows[1]!;
  expect(remarks(row({ figures: { 'host share': 0.042, dispatches: 156 }, peers: peers! }))).toEqual([
    ...['broadcast 32x32', 'host share 4.2%', 'dispatches 156', '×4 jax-js', 'PyTorch: it is | broken'],
  ]);
});

test('columns are as wide as their widest cell', () => {
  expect(renderTable(['a', 'count'], [['long name', '7']])).toBe('a          count\nlong name      7');
});

test('a results file is read back; any other is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'collimate-bench-'));
  try {
    const path = join(folder, 'deep', 'results.json');
    writeBenchFile(path, benchFile());
    expect(readBenchFile(path)).toEqual(benchFile());
    expect(() => readBenchFile(join(folder, 'absent.json'))).toThrow(/cannot read .*absent\.json: ENOENT/);
    const [row] = benchFile().rows;
    const json = (changes: object) => JSON.stringify({ ...benchFile(), ...changes });
    for (const [text, message] of [
      ['{"rows"', 'is not JSON'],
      ['{}', 'schema is missing'],
      ['null', 'as a whole'],
      [json({ schema: 0 }), 'schema'],
      [json({ rows: [{ ...row, clock: 'sundial' }] }), 'rows[0].clock'],
    ] as const) {
      writeFileSync(path, text);
      expect(() => readBenchFile(path)).toThrow(message);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the check nearest to failing is shown', () => {
  const check = (error: number, tolerance: number) => row({ check: { relativeTo: 'σ₁', error, tolerance } });
  expect(checkText([check(2e-5, 1e-3), check(1e-6, 1e-5), row()])).toBe(
    'Error against float64: 1.0e-6 of σ₁; 0.00001 is allowed.',
  );
  expect(checkText([row()])).toBe('');
});
