import type { ConvSpec } from '../../kernels/conv.ts';
import type { MatmulSpec } from '../../kernels/matmul.ts';
import { sizeOf, stridesOf, type Tensor } from '../tensor.ts';

/** Strides, along a result's axes, of another tensor read beside a product's operands. */
type Other = readonly number[];

/** A product's spec, and the strides of the others along its axes: `[batch…, rows, columns]`. */
interface LaidOut<Spec> {
  readonly spec: Spec;
  readonly strides: number[][];
}

/** A leading axis of a result, with the strides of operands and others along it: 0 where repeated. */
interface BatchAxis {
  readonly size: number;
  readonly strides: readonly number[];
}

/** Drops axes of size 1, and merges two where one step along the outer equals all steps along the inner. */
function mergeAxes(axes: readonly BatchAxis[]): BatchAxis[] {
  const merged: BatchAxis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const outer = merged.at(-1);
    if (outer?.strides.every((stride, j) => stride === axis.strides[j]! * axis.size)) {
      merged[merged.length - 1] = { ...axis, size: outer.size * axis.size };
    } else merged.push(axis);
  }
  return merged;
}

/** The axes before the `own` last ones of a result, as few and as large as broadcasting allows. */
function batchOf({ shape, inputs }: Tensor, own: number, others: readonly Other[]): BatchAxis[] {
  const rank = shape.length - own;
  const strides = inputs.map((t) => {
    const lead = rank - (t.rank - own);
    const dense = stridesOf(t.shape);
    return (i: number) => (i < lead || t.shape[i - lead] === 1 ? 0 : dense[i - lead]!);
  });
  const along = (i: number) => [...strides.map((of) => of(i)), ...others.map((other) => other[i]!)];
  return mergeAxes(shape.slice(0, rank).map((size, i) => ({ size, strides: along(i) })));
}

/**
 * Takes the innermost axis off a batch where B is the same and A's matrices, of `sizeA` elements, stack into
 * a taller one, as must the others' rows (one row has no stride yet). Returns how many times, and strides.
 */
function stackRows(batch: BatchAxis[], sizeA: number, count: number, rows: Other): [times: number, Other] {
  const [strideA, strideB, ...rest] = batch.at(-1)?.strides ?? [];
  const follow = rest.every((stride, j) => count === 1 || stride === rows[j]! * count);
  if (strideA !== sizeA || strideB !== 0 || !follow) return [1, rows];
  return [batch.pop()!.size, count === 1 ? rest : rows];
}

function laidOut<Spec>(spec: Spec, batch: readonly BatchAxis[], rows: Other, others: readonly Other[]) {
  const dims = batch.map(({ size, strides }) => ({ size, strideA: strides[0]!, strideB: strides[1]! }));
  const strides = others.map((other, j) => [
    ...batch.map((axis) => axis.strides[j + 2]!),
    rows[j]!,
    other.at(-1)!,
  ]);
  return { spec: { ...spec, batch: dims }, strides };
}

/** The spec of a traced matmul, and the strides of others read beside it. */
export function layOutMatmul(node: Tensor<'matmul'>, others: readonly Other[] = []): LaidOut<MatmulSpec> {
  const { transposeA, transposeB } = node.params;
  const [m, n] = node.shape.slice(-2) as [number, number];
  const k = node.inputs[0]!.shape.at(transposeA ? -2 : -1)!;
  const batch = batchOf(node, 2, others);
  const own = others.map((other) => (m === 1 ? 0 : other.at(-2)!));
  const [times, rows] = transposeA ? [1, own] : stackRows(batch, m * k, m, own);
  return laidOut({ m: m * times, n, k, transposeA, transposeB }, batch, rows, others);
}

/** Axes of one convolution. */
const AXES = 4;

/**
 * The same for a traced convolution, whose rows are pixels; undefined where an other's pixels are unevenly
 * spaced. Axes along which the weights are repeated are further images.
 */
export function layOutConv(
  node: Tensor<'conv'>,
  others: readonly Other[] = [],
): LaidOut<ConvSpec> | undefined {
  const { part, window } = node.params;
  const [a, b] = node.inputs as [Tensor, Tensor];
  const [x, w] = ({ forward: [a, b], inputGradient: [node, b], weightGradient: [b, node] } as const)[part];
  const lead = node.rank - AXES;
  const batch = batchOf(node, AXES, others);
  const along = (axis: number) => others.map((other) => other[axis]!);
  const pixels = mergeAxes([0, 1, 2].map((i) => ({ size: node.shape[lead + i]!, strides: along(lead + i) })));
  if (pixels.length > 1 && others.length > 0) return undefined;
  const own = pixels[0]?.strides ?? others.map(() => 0);
  const sizeA = sizeOf(a.shape.slice(-AXES));
  const count = pixels[0]?.size ?? 1;
  const [times, rows] = part === 'weightGradient' ? [1, own] : stackRows(batch, sizeA, count, own);
  const spec = {
    ...{ part, window },
    images: x.shape.at(-AXES)! * times,
    channels: x.shape.at(-1)!,
    outputChannels: w.shape.at(part === 'inputGradient' ? -1 : -AXES)!,
  };
  return laidOut(spec, batch, rows, others);
}
