import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scalars } from '../../src/analysis/scalars.ts';
import { CollimateError } from '../../src/errors.ts';
import { readAnalysis } from '../../src/experiments/analysis-file.ts';
import { csv } from '../../src/report/csv.ts';
import { runTables } from '../../src/report/tables.ts';
import { fixture } from '../report/fixture.ts';
import { places, textWith } from './mutations.ts';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'collimate-analysis-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));
const write = (text: string) => fs.writeFileSync(join(folder, 'analysis.json'), text);

const data = fixture({ stages: [2, 1], classes: 2, samples: 2, control: false, epochs: 2 });
const whole = JSON.parse(JSON.stringify({ ...data.run.analysis, claims: data.claims }));

test('an analysis is read as it was written', () => {
  write(JSON.stringify(whole));
  expect(readAnalysis(folder)).toEqual(whole);
});

test('any one field changed is refused with the file, or can be tabulated all the same', () => {
  let [refused, read] = [0, 0];
  for (const place of places(whole, 1)) {
    if (place[0] === 'initialization') continue; // It has the same shape as the trained network's.
    for (const change of ['null', '"text"', '-3', '4e8', '[]', '[null]', undefined]) {
      write(textWith(whole, place, change));
      try {
        const analysis = readAnalysis(folder)!;
        for (const { from } of Object.values(scalars)) from(analysis.trained, analysis.network);
        const changed = { ...data, run: { ...data.run, analysis }, claims: analysis.claims ?? [] };
        for (const { rows } of runTables(changed)) csv(rows);
        read++;
      } catch (error) {
        if (!(error instanceof CollimateError)) throw error;
        expect(error.message).toContain(join(folder, 'analysis.json'));
        refused++;
      }
    }
  }
  expect(refused).toBeGreaterThan(1000);
  expect(read).toBeGreaterThan(100);
});

test.each<[string, object]>([
  ['trained.testAccuracy: expected a number from 0 to 1, got 1.5', { trained: { testAccuracy: 1.5 } }],
  ['expected lists as long as its network has blocks and stages', { network: { depth: 4 } }],
  ['expected lists as long as its network has blocks and stages', { trained: { samples: [] } }],
])('%s', (message, change) => {
  const [[name, inner]] = Object.entries(change) as [[string, object]];
  write(JSON.stringify({ ...whole, [name]: { ...whole[name], ...inner } }));
  expect(() => readAnalysis(folder)).toThrow(message);
});

test('a list that is one too short is refused, but for those of any length', () => {
  const accepted = new Set<string>();
  let tried = 0;
  const shorten = (value: unknown, path: string) => {
    if (typeof value !== 'object' || value === null) return;
    const inner = Array.isArray(value) ? value.map((x) => ['', x] as const) : Object.entries(value);
    for (const [key, x] of inner) shorten(x, key ? `${path}.${key}` : path);
    if (!Array.isArray(value) || value.length === 0) return;
    const last = value.pop();
    write(JSON.stringify(whole));
    try {
      readAnalysis(folder);
      accepted.add(path);
    } catch (error) {
      expect(error).toBeInstanceOf(CollimateError);
    }
    value.push(last);
    tried++;
  };
  shorten(whole.trained, 'trained');
  expect(tried).toBeGreaterThan(50);
  expect([...accepted]).toEqual(['trained.samples', 'trained.alignment']);
});
