import { type BenchFile, keyOf, type Row } from './result.ts';
import type { Statistics } from './statistics.ts';

import { formatTime, renderTable } from './table.ts';

/** A row that two files have in common. */
export interface Change {
  readonly row: Row;
  readonly before: Statistics;
  readonly after: Statistics;
  /** Time after over time before. */
  readonly ratio: number;
  /** The ratio, or its inverse, beyond which it is more than noise. */
  readonly threshold: number;
  readonly verdict: 'slower' | 'faster' | 'same';
}

/** Relative difference between runs, however quiet each is. */
const MIN_NOISE = 0.05;
/** Standard deviations that a change has to exceed. */
const DEVIATIONS = 3;

/** Relative standard deviation, from quartiles, which a few outliers do not move. */
const noise = ({ p25, p75, median }: Statistics): number => (p75 - p25) / 1.349 / median;

/** Every row that both files have, with a verdict that allows for the spread seen in both. */
export function compare(before: readonly Row[], after: readonly Row[]): Change[] {
  const old = new Map(before.map((row) => [keyOf(row), row.milliseconds]));
  return after.flatMap((row) => {
    const [a, b] = [old.get(keyOf(row)), row.milliseconds];
    if (!a || !b) return [];
    const ratio = b.median / a.median;
    const threshold = 1 + Math.max(MIN_NOISE, DEVIATIONS * Math.hypot(noise(a), noise(b)));
    const verdict = ratio > threshold ? 'slower' : ratio < 1 / threshold ? 'faster' : 'same';
    return [{ row, before: a, after: b, ratio, threshold, verdict }];
  });
}

/** What changed, worst first, with caveats. */
export function renderComparison(before: BenchFile, after: BenchFile): string {
  const changes = compare(before.rows, after.rows);
  const moved = changes.filter(({ verdict }) => verdict !== 'same').sort((a, b) => b.ratio - a.ratio);
  const rows = moved.map(({ row, before, after, ratio, threshold, verdict }) => [
    `${row.suite} ${row.name} ${row.size}`,
    formatTime(before.median),
    formatTime(after.median),
    verdict === 'slower' ? `×${ratio.toFixed(2)} slower` : `×${(1 / ratio).toFixed(2)} faster`,
    `×${threshold.toFixed(2)}`,
  ]);
  const same = changes.length - moved.length;
  return [
    ...cautions(before, after),
    ...(moved.length ? [renderTable(['beyond noise', 'before', 'after', 'change', 'noise'], rows)] : []),
    changes.length
      ? `${moved.length} of ${changes.length} rows changed beyond the noise seen; ${same} did not.`
      : 'No row is in both files.',
  ].join('\n');
}

function cautions(before: BenchFile, after: BenchFile): string[] {
  const differs = (what: string, a: string, b: string) =>
    a === b ? [] : [`Another ${what}: ${a} before, ${b} now.`];
  const speed = after.roofline.gflops / before.roofline.gflops;
  const drifted = speed > 1.1 || speed < 1 / 1.1;
  return [
    ...differs('adapter', before.adapter.name, after.adapter.name),
    ...differs('driver', before.adapter.driver, after.adapter.driver),
    ...differs('processor', before.machine.cpu, after.machine.cpu),
    ...(drifted
      ? [
          `The machine itself does ×${speed.toFixed(2)} the arithmetic that it did before: judge changes by that.`,
        ]
      : []),
  ];
}
