import { Bench } from 'tinybench';
import * as v from 'valibot';
import { finite } from '../src/schema.ts';

/** Of times in milliseconds. */
export const statistics = v.object({ n: finite, median: finite, p25: finite, p75: finite, min: finite });
export type Statistics = Readonly<v.InferOutput<typeof statistics>>;

/** @param samples at least one */
export function statisticsOf(samples: readonly number[]): Statistics {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return low + (high - low) * (place - Math.floor(place));
  };
  return { n: sorted.length, median: at(0.5), p25: at(0.25), p75: at(0.75), min: sorted[0]! };
}

export interface SampleOptions {
  /** Milliseconds to spend. */
  readonly time: number;
  /** Samples to take however long they last. */
  readonly minimum?: number;
}

/** Repeats a measurement that gives its own time in milliseconds. */
export async function sample(
  measure: () => Promise<number>,
  { time, minimum = 5 }: SampleOptions,
): Promise<Statistics> {
  const bench = new Bench({ time, iterations: minimum, warmup: false, retainSamples: true, throws: true });
  bench.add(
    'sample',
    async () => {
      const start = performance.now();
      const overriddenDuration = await measure();
      return { overriddenDuration, overriddenIterationCost: performance.now() - start };
    },
    { async: true },
  );
  const [task] = await bench.run();
  const result = task!.result;
  if (result.state !== 'completed') throw new Error(`the measurement ended as ${result.state}`);
  return statisticsOf(result.latency.samples!);
}

/** The line a + b·x nearest to points, by least squares, with the share of the variance it explains. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): {
  a: number;
  b: number;
  r2: number;
} {
  const mean = (values: number[]) => values.reduce((s, v) => s + v, 0) / values.length;
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const sum = (f: (x: number, y: number) => number) => points.reduce((s, [x, y]) => s + f(x - mx, y - my), 0);
  const [xx, xy, yy] = [sum((x) => x * x), sum((x, y) => x * y), sum((_, y) => y * y)];
  const b = xx > 0 ? xy / xx : 0;
  return { a: my - b * mx, b, r2: yy > 0 ? (b * xy) / yy : 1 };
}
