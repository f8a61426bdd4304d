import { expect, test } from 'vitest';
import { verdictNote } from '../../src/report/verdicts.ts';
import { fixture } from './fixture.ts';

test('the note of a table explains what stands in some of its rows', () => {
  const [first, ...others] = fixture({ depth: 4, samples: 2 }).claims.map((claim) => ({
    ...claim,
    ...{ value: 1, atInitialization: 1, control: 1 },
  }));
  const note = verdictNote([first!, ...others], 'seeds');
  expect(note).toMatch(/one standard deviation over seeds/);
  expect(note).not.toMatch(/Brackets|dash/);
  expect(verdictNote([{ ...first!, interval: [0, 2] }, ...others], 'seeds')).toMatch(/Brackets/);
  expect(verdictNote([...others, { ...first!, control: null }], 'seeds')).toMatch(/A dash means/);
});
