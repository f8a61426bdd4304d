import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMANDS, Faults, kindsOf, table } from '../../scripts/faults.ts';

/* A sample of what `npm run faults` tries one by one, of a run without its control. */
let root: string;
beforeAll(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-faults-'));
});
afterAll(() => fs.rmSync(root, { recursive: true }));

test('a run loses nothing where a file operation fails, and goes on to the same bits', async () => {
  const faults = new Faults(join(root, 'run'), [...COMMANDS.run, '--no-control']);
  const operations = await faults.operations('files');
  const last = (operation: string, file: RegExp) =>
    operations.findLastIndex((o) => o.operation === operation && file.test(o.file));
  const checkpoint = last('writeFileSync', /^\/\.checkpoint/);
  expect(kindsOf(operations[checkpoint]!)).toEqual(['ENOSPC', 'EACCES', 'short']);
  const trials = [
    await faults.try({ role: 'command', at: checkpoint, kind: 'short' }),
    await faults.try({ role: 'command', at: last('appendFileSync', /^\/metrics/), kind: 'short' }),
    await faults.try({ role: 'command', at: last('renameSync', /report\.html/), kind: 'EACCES' }),
  ];
  expect(trials.map((trial) => trial.outcome)).toEqual(trials.map(() => 'stopped, went on'));
  expect(table(trials)).toContain('| command: writeFileSync | short | 0 | 1 | 0 |');
});
