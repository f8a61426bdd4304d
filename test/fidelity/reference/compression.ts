/** Accuracy of a fully connected ReLU network with blocks replaced, in float64: from docs/measures.md. */
import { Matrix, pseudoInverse, SingularValueDecomposition } from 'ml-matrix';
import type { Images } from './analysis.ts';
import { jacobian } from './measures.ts';
import { accuracyOf, infer, type Shape, type Tensors } from './network.ts';

/** The same weights where these blocks, in this order, are all there are. */
function sequence({ shape, tensors }: Network, blocks: readonly number[]): Network {
  const own = [...tensors].filter(([name]) => !name.startsWith('blocks.'));
  const copied = blocks.flatMap((from, to) =>
    [...tensors].flatMap(([name, values]) =>
      name.startsWith(`blocks.${from}.`) ? [[name.replace(/\d+/, `${to}`), values] as const] : [],
    ),
  );
  return { shape: { ...shape, depth: blocks.length }, tensors: new Map([...own, ...copied]) };
}

/** The same where h is the input: it is not negative, so that a stem of unit weights passes it on. */
function afterStem({ shape, tensors }: Network): Network {
  const { width } = shape;
  const all = (value: number) => new Float64Array(width).fill(value);
  const stem: [string, Float64Array][] = [
    ['stem.linear.weight', Float64Array.from(Matrix.eye(width).to1DArray())],
    ['stem.bn.weight', all(1)],
    ['stem.bn.bias', all(0)],
    ['stem.bn.running_mean', all(0)],
    ['stem.bn.running_var', all(1 - 1e-5)],
  ];
  return { shape: { ...shape, inputs: width }, tensors: new Map([...tensors, ...stem]) };
}

interface Network {
  readonly shape: Shape;
  readonly tensors: Tensors;
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const meanRow = (m: Matrix) => Matrix.rowVector(m.mean('column'));

/** `at` are the training images at which Jacobians are taken. */
export function compressionOf(
  network: Network,
  { train, test, at }: { train: Images; test: Images; at: number[] },
) {
  const { shape, tensors } = network;
  const { depth, width, classes, skip, skipScale = 1, inputs } = shape;
  const c = skip ? skipScale : 0;
  const carried = (m: Matrix) => Matrix.mul(m, c);
  const accuracy = ({ shape, tensors }: Network, x = test.x) => accuracyOf(shape, tensors, x, test.labels);
  const all = accuracy(network);
  const rowsOf = (h: Float64Array) => Matrix.from1DArray(h.length / width, width, [...h]);
  const [paths, tested] = [train, test].map(({ x }) => infer(shape, tensors, x).h.map(rowsOf));
  const chosen = infer(
    shape,
    tensors,
    Float64Array.from(at.flatMap((n) => [...train.x.subarray(n * inputs, (n + 1) * inputs)])),
  );

  /** Share that is kept with a step h ← relu(c h + shift + (h − center) A) in the place of blocks. */
  const withStep = (from: number, to: number, a: Matrix) => {
    const moved = Matrix.sub(paths![to]!, carried(paths![from]!));
    const h = tested![from]!;
    const ones = Matrix.ones(h.rows, 1);
    const change = Matrix.sub(h, ones.mmul(meanRow(paths![from]!)))
      .mmul(a)
      .add(ones.mmul(meanRow(moved)));
    const after = Matrix.add(carried(h), change)
      .to1DArray()
      .map((v) => Math.max(v, 0));
    return accuracy(afterStem(sequence(network, numbers(to, depth))), Float64Array.from(after)) / all;
  };
  const steps = (from: number, to: number) => {
    const sum = Matrix.zeros(width, width);
    for (const n of at.keys()) {
      let product = Matrix.eye(width);
      for (const l of numbers(from, to)) {
        const own = jacobian(shape, tensors, chosen, l, n, 'branch');
        product = Matrix.add(carried(Matrix.eye(width)), own).mmul(product);
      }
      sum.add(Matrix.sub(product, carried(Matrix.eye(width))));
    }
    const svd = new SingularValueDecomposition(sum.div(at.length));
    const leading = (m: Matrix) => m.subMatrix(0, width - 1, 0, classes - 1);
    const [u, v] = [leading(svd.leftSingularVectors), leading(svd.rightSingularVectors)];
    const s = Matrix.diag(svd.diagonal.slice(0, classes));
    const centered = (m: Matrix) => Matrix.sub(m, Matrix.ones(m.rows, 1).mmul(meanRow(m)));
    const moved = Matrix.sub(paths![to]!, carried(paths![from]!));
    const fitted = pseudoInverse(centered(paths![from]!).mmul(v)).mmul(centered(moved).mmul(u));
    return {
      linear: withStep(from, to, v.mmul(s).mmul(u.transpose())),
      distilled: withStep(from, to, v.mmul(fitted).mmul(u.transpose())),
    };
  };
  const replaced = (from: number, to: number, blocks: readonly number[]) =>
    accuracy(sequence(network, [...numbers(0, from), ...blocks, ...numbers(to, depth)])) / all;
  const pairs = numbers(0, Math.ceil(depth / 2)).map((k) => [2 * k, Math.min(2 * k + 2, depth)] as const);
  const half = Math.ceil(depth / 2);
  return [
    ...pairs,
    ...(depth - half > 2 ? [[half, depth] as const] : []),
    ...(depth > 2 ? [[0, depth] as const] : []),
  ].map(([from, to]) => ({
    ...{ from: from + 1, to, dropped: replaced(from, to, []) },
    // One block is no iteration.
    iterated:
      to - from < 2
        ? null
        : Math.max(
            ...numbers(from, to).map((block) =>
              replaced(
                from,
                to,
                numbers(from, to).map(() => block),
              ),
            ),
          ),
    ...steps(from, to),
  }));
}
