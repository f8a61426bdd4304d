import { add, exp, mul, relu } from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { type Case, runCases } from '../cases.ts';
import { relativeError, spreadOver, wave } from '../inputs.ts';
import type { Suite } from '../suite.ts';

/** A fused chain, and the same at one place in float64. */
interface Chain {
  readonly name: string;
  readonly f: (...x: Tensor[]) => Tensor;
  readonly operands: (rows: number, columns: number) => number[][];
  readonly at: (...x: number[]) => number;
}

const chains: readonly Chain[] = [
  {
    name: 'relu(a + b)',
    f: (a, b) => relu(add(a!, b!)),
    operands: (r, c) => [
      [r, c],
      [r, c],
    ],
    at: (a, b) => Math.max(a! + b!, 0),
  },
  {
    name: 'a·row + row',
    f: (a, scale, shift) => add(mul(a!, scale!), shift!),
    operands: (r, c) => [
      [r, c],
      [1, c],
      [1, c],
    ],
    at: (a, scale, shift) => a! * scale! + shift!,
  },
  { name: 'exp(a)', f: (a) => exp(a!), operands: (r, c) => [[r, c]], at: (a) => Math.exp(a!) },
];

/** Chains of elementwise operations, each fused into one kernel. */
export const pointwiseSuite: Suite = {
  name: 'pointwise',
  summary: 'fused elementwise chains',
  threads: 'all',
  sizes: { notation: 'ROWSxCOLUMNS', defaults: ['128x128', '1024x1024', '4096x1024', '999x1001'] },
  run: (context) =>
    runCases(
      context,
      context.sizes.flatMap(([rows, columns]) => chains.map((chain) => caseOf(chain, rows!, columns!))),
    ),
};

function caseOf({ name, f, operands, at }: Chain, rows: number, columns: number): Case {
  const shapes = operands(rows, columns);
  return {
    name,
    size: `${rows}x${columns}`,
    f,
    shapes,
    inputs: () => shapes.map(([r, c], i) => wave(r! * c!, 0.37 + 0.1 * i)),
    check: ([y], inputs) => {
      const places = spreadOver(rows * columns, 20_000);
      const expected = places.map((i) =>
        at(...inputs.map((x) => x[x.length === columns ? i % columns : i]!)),
      );
      const found = places.map((i) => y![i]!);
      return { relativeTo: 'the largest |y|', error: relativeError(found, expected), tolerance: 1e-6 };
    },
  };
}
