import { expect, test } from 'vitest';
import { verdictNote, verdictTable } from '../../src/report/verdicts.ts';
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

test('what a value may be off by is told from where it would show in three decimals, or leaves the verdict open', () => {
  const [claim] = fixture({ depth: 4, samples: 2 }).claims;
  const told = (value: number, uncertainty: number | null) =>
    JSON.stringify(verdictTable([{ ...claim!, value, threshold: { atLeast: 0.9 }, uncertainty }])).includes(
      'known to ±',
    );
  expect([told(1, null), told(1, 0), told(1, 4.9e-4), told(1, 5e-4)]).toEqual([false, false, false, true]);
  expect([told(0.9002, 1e-4), told(0.9002, 3e-4)]).toEqual([false, true]);
});
