import { expect, test } from 'vitest';
import type { Drawing } from '../../src/analysis/measures/figure.ts';
import { FIT_FROM, figures } from '../../src/analysis/measures/scale.ts';

test('the curve of the fit is drawn from the blocks that were fitted to the last, and before them broken', () => {
  const depth = 8;
  const [a, b] = [2, 0.5];
  const measures = {
    deadBlocks: [],
    summary: {
      perStage: [{ inverseDepthFit: { a, b, r2: 1 } }],
      sigma1: Array.from({ length: depth }, (_, i) => ({ mean: a / (i + 1 + b), min: 0.1, max: 2 })),
    },
  };
  const shown = { measures, stage: 0, start: 0, end: depth };
  const { draw } = figures[0]!.panels[0]!;
  const { marks } = draw(shown as unknown as Parameters<typeof draw>[0]) as Drawing;
  const spans: [number, number][] = [
    [FIT_FROM, depth],
    [1, FIT_FROM],
  ];
  for (const [k, [from, to]] of spans.entries()) {
    const rows = marks[k]!.rows as { block: number; sigma: number }[];
    expect(rows[0]!.block).toBe(from);
    expect(rows.at(-1)!.block).toBeCloseTo(to, 12);
    rows.slice(1).forEach(({ block }, i) => {
      expect(block).toBeGreaterThan(rows[i]!.block);
    });
    for (const { block, sigma } of rows) expect(sigma * (block + b)).toBeCloseTo(a, 12);
  }
});
