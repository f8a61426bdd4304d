import { expect, test } from 'vitest';
import { meanWithBand } from '../../src/analysis/measures/figure.ts';
import type { NetworkInfo } from '../../src/analysis/network-info.ts';

const stages = (...sizes: number[]) =>
  ({ stages: sizes.map((size) => ({ blocks: new Array(size).fill('') })) }) as unknown as NetworkInfo;
const marks = (blocks: Parameters<typeof meanWithBand>[0], ...sizes: number[]) =>
  meanWithBand(blocks, stages(...sizes), [0, 1]);

test('a band takes two blocks; one block has a rule', () => {
  const names = (count: number) =>
    marks(Array(count).fill({ mean: 0.5, std: 0.1 }), count).map(({ mark }) => mark);
  expect([1, 2, 3].map(names)).toEqual([
    ['ruleX', 'line', 'dot'],
    ['areaY', 'line', 'dot'],
    ['areaY', 'line', 'dot'],
  ]);
});

test('a band is one standard deviation to each side, within the range of the measure, and parts where stages do', () => {
  const blocks = [
    { mean: 0.5, std: 0.1 },
    { mean: 0.95, std: 0.125 },
    { mean: null, std: null },
    { mean: 0.25 },
  ];
  expect(marks(blocks, 3, 1)[0]!.rows).toEqual([
    { block: 1, stage: 0, mean: 0.5, low: 0.4, high: 0.6 },
    { block: 2, stage: 0, mean: 0.95, low: 0.825, high: 1 },
    { block: 3, stage: 0, mean: null, low: null, high: null },
    { block: 4, stage: 1, mean: 0.25, low: 0.25, high: 0.25 },
  ]);
});
