import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CollimateError } from '../../src/errors.ts';
import { readAnalysis } from '../../src/experiments/analysis-file.ts';
import { decodeCheckpoint } from '../../src/experiments/checkpoint.ts';
import { readConfig } from '../../src/experiments/run-config.ts';
import { encodeSafetensors } from '../../src/experiments/safetensors.ts';
import { ageOf } from '../../src/format.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'collimate-formats-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

/** How each file of a run is read, and its current version. */
const files = {
  checkpoint: {
    version: 1,
    read: (format: string) => decodeCheckpoint(encodeSafetensors(new Map(), { format }), 'a checkpoint'),
  },
  config: {
    version: 1,
    read(schema: string) {
      fs.writeFileSync(join(folder, 'config.json'), JSON.stringify({ schema }));
      return readConfig(folder);
    },
  },
  analysis: {
    version: 4,
    read(schema: string) {
      fs.writeFileSync(join(folder, 'analysis.json'), JSON.stringify({ schema }));
      return readAnalysis(folder);
    },
  },
};

describe.each(Object.entries(files))('%s', (name, { version, read }) => {
  const refusal = (format: string): CollimateError => {
    try {
      read(format);
    } catch (error) {
      if (error instanceof CollimateError) return error;
    }
    return expect.unreachable();
  };
  const wanted = `collimate/${name}@${version}`;

  test('of this version is not refused for its version', () => {
    let message = '';
    try {
      read(wanted);
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).not.toContain('where this version');
  });

  test('of a newer version asks for a newer Collimate', () => {
    const newer = `collimate/${name}@${version + 9}`;
    expect(refusal(newer)).toMatchObject({
      message: expect.stringMatching(
        `has the format ${newer}, where this version of Collimate reads ${wanted}`,
      ),
      remedy: expect.stringContaining('Update Collimate'),
    });
  });

  test('that says something else is told apart', () => {
    const { message, remedy } = refusal('pickle');
    expect(message).toContain('has the format pickle');
    expect(remedy).not.toMatch(/Update|the version of Collimate/);
  });
});

test.each(['checkpoint', 'config'] as const)('an earlier %s is refused, saying what to do', (name) => {
  expect(() => files[name].read(`collimate/${name}@0.5`)).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining('use the version of Collimate that') }),
  );
});

test('an earlier analysis is to be made again', () => {
  expect(files.analysis.read('collimate/analysis@2')).toBeUndefined();
});

test('versions are compared as numbers', () => {
  expect(ageOf('a/b@9', 'a/b@10')).toBe('older');
  expect(ageOf('a/b@10', 'a/b@9')).toBe('newer');
  for (const other of ['a/c@9', 'a/b', 'a/b@', 'a/b@x', undefined, 9])
    expect(ageOf(other, 'a/b@9')).toBe('other');
});
