import { amax, sum, variance } from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { type Case, runCases } from '../cases.ts';
import { wave } from '../inputs.ts';
import type { Check } from '../result.ts';
import type { Suite } from '../suite.ts';

interface Reduction {
  readonly name: string;
  readonly f: (x: Tensor) => Tensor;
  /** Index of the result to which element (row, column) belongs. */
  readonly result: (row: number, column: number) => number;
  readonly kind: 'sum' | 'max' | 'variance';
}

const reductions: readonly Reduction[] = [
  { name: 'sum of rows', f: (x) => sum(x, -1), result: (row) => row, kind: 'sum' },
  { name: 'sum of columns', f: (x) => sum(x, -2), result: (_, column) => column, kind: 'sum' },
  { name: 'sum of all', f: (x) => sum(x), result: () => 0, kind: 'sum' },
  { name: 'max of rows', f: (x) => amax(x, -1), result: (row) => row, kind: 'max' },
  {
    name: 'variance of columns',
    f: (x) => variance(x, -2),
    result: (_, column) => column,
    kind: 'variance',
  },
];

/** Sums, maxima and variances along an axis. */
export const reduceSuite: Suite = {
  name: 'reduce',
  summary: 'sums, maxima and variances',
  threads: 'all',
  sizes: { notation: 'ROWSxCOLUMNS', defaults: ['128x128', '1024x1024', '8192x512', '999x1001'] },
  run: (context) =>
    runCases(
      context,
      context.sizes.flatMap(([rows, columns]) => reductions.map((r) => caseOf(r, rows!, columns!))),
    ),
};

const caseOf = (reduction: Reduction, rows: number, columns: number): Case => ({
  name: reduction.name,
  size: `${rows}x${columns}`,
  f: reduction.f,
  shapes: [[rows, columns]],
  inputs: () => [wave(rows * columns, 0.37)],
  check: ([y], [x]) => compare(reduction, y!, x!, columns),
});

/** Every result. */
function compare({ kind, result }: Reduction, y: Float32Array, x: Float32Array, columns: number): Check {
  const zeros = () => new Float64Array(y.length);
  const [count, total, size, squares] = [zeros(), zeros(), zeros(), zeros()];
  const largest = zeros().fill(-Infinity);
  x.forEach((value, i) => {
    const k = result(Math.floor(i / columns), i % columns);
    count[k]! += 1;
    total[k]! += value;
    size[k]! += Math.abs(value);
    squares[k]! += value * value;
    largest[k] = Math.max(largest[k]!, value);
  });
  let error = 0;
  y.forEach((value, k) => {
    const mean = total[k]! / count[k]!;
    const [expected, scale] = {
      sum: [total[k]!, size[k]!],
      max: [largest[k]!, Math.abs(largest[k]!)],
      variance: [squares[k]! / count[k]! - mean * mean, squares[k]! / count[k]!],
    }[kind] as [number, number];
    error = Math.max(error, Math.abs(value - expected) / scale);
  });
  return { relativeTo: 'Σ|x|, the maximum or the mean of x²', error, tolerance: 1e-5 };
}
