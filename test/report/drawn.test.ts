import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { figures } from '../../src/report/figures.ts';
import { writeSweepReport } from '../../src/report/sweep.ts';
import { type FixtureOptions, fixture } from './fixture.ts';
import { writeSweep } from './sweep-fixture.ts';

const runs: Record<string, FixtureOptions> = {
  'a run': { course: true },
  'a run of 40 blocks': { depth: 40, samples: 4, epochs: 3 },
  'a run of four stages': { stages: [3, 3, 11, 2], samples: 4, dead: [2] },
};

/** A figure's size, its elements, its words and numbers, and a digest of the rest. */
function described(file: string, svg: string): string {
  const [, width, height] = /^<svg [^>]*? width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? [];
  const counts = new Map<string, number>();
  for (const [, name] of svg.matchAll(/<(\w+)/g)) counts.set(name!, (counts.get(name!) ?? 0) + 1);
  const elements = [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
  const words = [...svg.matchAll(/>([^<>]+)</g)].map(([, text]) => text!.trim()).filter((text) => text);
  const digest = createHash('sha256').update(svg).digest('hex').slice(0, 8);
  return `${file} ${width}×${height} ${digest}\n  ${elements}\n  ${words.join(' | ')}`;
}

// How figures look, which numbers do not say. Where a change means to draw otherwise, look at the figures,
// then write the page anew: `npx vitest run test/report/drawn.test.ts -u`.
test('figures look as they did', async () => {
  const drawn = Object.entries(runs).flatMap(([name, options]) =>
    figures(fixture(options)).map(({ file, svg }) => described(`${name}: ${file}`, svg)),
  );
  const root = mkdtempSync(join(tmpdir(), 'collimate-drawn-'));
  try {
    const record = writeSweep(root);
    writeSweepReport(root, record);
    const folder = join(root, 'sweeps', `${record.name}.${record.preset}`, 'figures');
    for (const file of readdirSync(folder)
      .filter((name) => name.endsWith('.svg'))
      .sort())
      drawn.push(described(`a sweep: ${file}`, readFileSync(join(folder, file), 'utf8')));
  } finally {
    rmSync(root, { recursive: true });
  }
  await expect(`${drawn.join('\n\n')}\n`).toMatchFileSnapshot('drawn.txt');
});
