import type { Graph } from '../../src/autograd/graph.ts';
import { broadcastIndex } from '../../src/autograd/ops/indexing.ts';
import type { Params, Primitive } from '../../src/autograd/primitives.ts';
import type { NdArray, Rule } from '../../src/autograd/rule.ts';
import { rules } from '../../src/autograd/rules.ts';
import { sizeOf } from '../../src/autograd/shape.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { ancestors } from '../../src/autograd/tensor.ts';
import { outputSides } from '../../src/kernels/window.ts';
import {
  ANYTHING,
  castTo,
  ELEMENTWISE,
  type ErrorRule,
  LARGEST,
  NORMAL,
  SMALLEST,
  ULP,
} from './elementwise.ts';
import type { Factor } from './factors.ts';

/**
 * What an adapter may compute: float64 values of the interpreter, each with the largest error that earlier
 * operations allow. Error 0: exactly this, NaN or infinity too. Infinity: anything, since rounding decides
 * whether it is finite or which branch was taken. Float32 overflows are infinite; subnormals may be 0.
 */
export interface Bounded extends NdArray {
  readonly error: Float64Array;
  /** For a factorization, the conditions on its vectors. */
  factor?: Factor;
}

/** Roundings per term of a sum, taken in blocks of blocks of 32. */
const roundings = (terms: number) =>
  Math.min(terms, 32 * (1 + Math.ceil(Math.log(terms) / Math.log(32)))) + 2;
/** The same for sums of products, taken in blocks of at most 1024. */
const productRoundings = (terms: number) => Math.min(terms, 1024 + terms / 1024) + 2;

const arrayOf = (x: NdArray, data: Float64Array): NdArray => ({ shape: x.shape, dtype: x.dtype, data });
const isCertain = (x: Bounded) => x.error.every((e) => e === 0);

/** Values and bounds of all tensors of a graph, given those of its inputs. */
export function boundedValues(
  graph: Pick<Graph, 'inputs' | 'outputs'>,
  values: readonly ArrayLike<number>[],
): Map<Tensor, Bounded> {
  const known = new Map<Tensor, Bounded>();
  graph.inputs.forEach((x, i) => {
    const data = Float64Array.from(values[i]!);
    const error = x.dtype === 'f32' ? data.map((v) => (Math.abs(v) < NORMAL ? Math.abs(v) : 0)) : zeros(data);
    known.set(x, { shape: x.shape, dtype: x.dtype, data, error });
  });
  for (const node of ancestors(graph.outputs)) {
    if (known.has(node)) continue;
    known.set(
      node,
      evaluate(
        node,
        node.inputs.map((x) => known.get(x)!),
      ),
    );
  }
  return known;
}

function evaluate(node: Tensor, xs: readonly Bounded[]): Bounded {
  const { reference } = rules[node.op] as unknown as Rule<Primitive>;
  const run = (inputs: readonly NdArray[]) => reference(inputs, node.params, node);
  const data = Float64Array.from(run(xs));
  const bounded = { shape: node.shape, dtype: node.dtype, data, error: zeros(data) };
  setError(node, xs, bounded, run);
  if (node.dtype === 'f32') settle(bounded);
  else for (let i = 0; i < data.length; i++) if (bounded.error[i] !== 0) bounded.error[i] = ANYTHING;
  return bounded;
}

const zeros = (like: ArrayLike<number>) => new Float64Array(like.length);

/** Overflow to infinity and underflow to zero where they are certain; elsewhere all of it is possible. */
function settle({ data, error }: Bounded): void {
  for (let i = 0; i < data.length; i++) {
    const [v, e] = [data[i]!, error[i]!];
    if (Number.isNaN(e)) error[i] = ANYTHING;
    if (!Number.isFinite(v) || !(e < ANYTHING)) {
      if (e !== 0) error[i] = ANYTHING;
      continue;
    }
    const size = Math.abs(v);
    if (size - e > LARGEST * (1 + ULP)) {
      data[i] = v > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
      error[i] = 0;
    } else if (size + e > LARGEST) error[i] = ANYTHING;
    else if (size - e < NORMAL && size + e > 0) error[i] = Math.max(e, Math.min(size, 2 * NORMAL));
  }
}

type Run = (inputs: readonly NdArray[]) => Float64Array;

/** Sets the errors of a node's values, and mends values with several possibilities. */
function setError(node: Tensor, xs: readonly Bounded[], out: Bounded, run: Run): void {
  const { op } = node;
  switch (op) {
    case 'input':
    case 'iota':
      break;
    case 'random':
      // Normal ones are made of a logarithm, a root and a sine.
      if ((node.params as Params['random']).distribution === 'normal') out.error.fill(2e-5);
      break;
    case 'constant':
      if (node.dtype === 'f32') out.error[0] = Math.abs(out.data[0]! - Math.fround(out.data[0]!)) * 1.01;
      break;
    case 'copy':
    case 'stopGradient':
    case 'reshape':
    case 'transpose':
    case 'broadcast':
    case 'slice':
    case 'concat':
      out.error.set(run(xs.map((x) => arrayOf(x, x.error))));
      break;
    case 'neg':
      out.error.set(xs[0]!.error);
      break;
    case 'mul':
      if (node.dtype === 'f32') bilinear(xs, out, run, 1);
      else elementwise(node, xs, out, ELEMENTWISE.rem);
      break;
    case 'cast':
      elementwise(node, xs, out, castTo[(node.params as Params['cast']).dtype]);
      break;
    case 'reduce':
      reduceError(node as Tensor<'reduce'>, xs[0]!, out);
      break;
    case 'matmul': {
      const { transposeA } = node.params as Params['matmul'];
      bilinear(xs, out, run, xs[0]!.shape.at(transposeA ? -2 : -1)!);
      // Unit vectors times a matrix are its rows, whatever else it holds.
      if (node.inputs.some(isSelection))
        for (let i = 0; i < out.data.length; i++) if (!Number.isFinite(out.data[i]!)) out.error[i] = ANYTHING;
      break;
    }
    case 'conv':
      bilinear(xs, out, run, convTerms(node as Tensor<'conv'>));
      paddingError(xs, out, run, convTerms(node as Tensor<'conv'>));
      break;
    case 'maxPool':
      poolError(node as Tensor<'maxPool'>, xs, out);
      break;
    case 'take':
      takeError(node as Tensor<'take'>, xs, out);
      break;
    case 'scan':
      throw new Error('random graphs have no loops');
    case 'scatterAdd':
      chainError(xs, out, run, xs[1]!.data.length);
      break;
    case 'cumsum':
      chainError(xs, out, run, xs[0]!.shape.at((node.params as Params['cumsum']).axis)!);
      break;
    case 'orthonormalize':
    case 'svd':
      factorError(node, xs[0]!, out);
      break;
    default:
      elementwise(node, xs, out, ELEMENTWISE[op]);
  }
}

/** Whether a tensor's rows are unit vectors, perhaps under other sides. */
function isSelection(t: Tensor): boolean {
  if (['reshape', 'broadcast', 'transpose'].includes(t.op)) return isSelection(t.inputs[0]!);
  return t.op === 'cast' && t.inputs[0]!.op === 'equal';
}

/** Sets errors element by element. */
function elementwise({ inputs }: Tensor, xs: readonly Bounded[], out: Bounded, rule: ErrorRule): void {
  const { shape, data, error } = out;
  const maps = inputs.map((x) =>
    x.size === data.length ? (i: number) => i : broadcastIndex(shape, x.shape),
  );
  const types = inputs.map(({ dtype }) => dtype);
  for (let i = 0; i < data.length; i++) {
    const at = maps.map((map) => map(i));
    const [v, e] = [xs.map((x, j) => x.data[at[j]!]!), xs.map((x, j) => x.error[at[j]!]!)];
    error[i] = rule(v, e, data[i]!, types);
  }
}

/**
 * Errors of an operation linear in each of two operands: products, matrix products, convolutions. All terms
 * are as large as errors allow; non-finite ones are sorted out by counting them with the operation itself.
 */
function bilinear([a, b]: readonly Bounded[], { data, error }: Bounded, run: Run, terms: number): void {
  const finite = (x: Bounded) => (v: number, i: number) =>
    Number.isFinite(v) && x.error[i]! < ANYTHING ? Math.abs(v) : 0;
  const [absA, absB] = [a!, b!].map((x) => x.data.map(finite(x))) as [Float64Array, Float64Array];
  const of = (p: Float64Array, q: Float64Array) => run([arrayOf(a!, p), arrayOf(b!, q)]);
  const sizes = of(absA, absB);
  const grown = (x: Bounded, abs: Float64Array) =>
    abs.map((v, i) => (Number.isFinite(x.data[i]!) && x.error[i]! < ANYTHING ? v + x.error[i]! : 0));
  const exact = isCertain(a!) && isCertain(b!);
  const largest = exact ? sizes : of(grown(a!, absA), grown(b!, absB));
  // A product itself is rounded once; sums may have more or fewer factors, moved out or in.
  const share = terms === 1 ? ULP : (productRoundings(terms) * ULP) / 2 + ULP;
  for (let i = 0; i < data.length; i++) {
    const spread = (largest[i]! - sizes[i]!) * 1.0001;
    error[i] =
      spread +
      share * largest[i]! +
      terms * SMALLEST +
      (terms > 1 && largest[i]! < 2 * terms * NORMAL ? terms * NORMAL : 0);
  }
  const odd = (x: Bounded) => x.data.some((v, i) => !Number.isFinite(v) || x.error[i] === ANYTHING);
  if (odd(a!) || odd(b!)) {
    const mark = (x: Bounded, is: (v: number, e: number) => boolean) =>
      x.data.map((v, i) => Number(is(v, x.error[i]!)));
    const ones = (x: Bounded) => mark(x, () => true);
    const sum = (p: Float64Array, q: Float64Array) => p.map((v, i) => v + q[i]!);
    const isWild = (_: number, e: number) => e === ANYTHING;
    const isInfinite = (v: number, e: number) => e === 0 && Math.abs(v) === Number.POSITIVE_INFINITY;
    const mayVanish = (v: number, e: number) => e > 0 && !(Math.abs(v) > e);
    const wild = sum(of(mark(a!, isWild), ones(b!)), of(ones(a!), mark(b!, isWild)));
    const doubtful = sum(
      of(mark(a!, isInfinite), mark(b!, mayVanish)),
      of(mark(a!, mayVanish), mark(b!, isInfinite)),
    );
    for (let i = 0; i < data.length; i++) {
      if (wild[i]! > 0 || doubtful[i]! > 0) error[i] = ANYTHING;
      else if (!Number.isFinite(data[i]!)) error[i] = 0;
    }
  }
  // Sums of finite terms may overflow on the way, in whichever order.
  if (terms > 1)
    for (let i = 0; i < data.length; i++)
      if (largest[i]! > LARGEST && !Number.isNaN(data[i]!)) error[i] = ANYTHING;
}

/** Beyond the sides of an image are zeros, and a kernel may multiply them too: 0 · ∞ is NaN then. */
function paddingError(xs: readonly Bounded[], { data, error }: Bounded, run: Run, terms: number): void {
  if (xs.every((x) => x.data.every(Number.isFinite))) return;
  const ones = xs.map((x) =>
    arrayOf(
      x,
      x.data.map(() => 1),
    ),
  );
  const inside = run(ones);
  for (let i = 0; i < data.length; i++) if (inside[i]! < terms) error[i] = ANYTHING;
}

function convTerms({ inputs, params: { part, window } }: Tensor<'conv'>): number {
  const [a, b] = inputs as [Tensor, Tensor];
  const taps = window.size[0] * window.size[1];
  const places = outputSides(window);
  if (part === 'weightGradient') return a.shape.at(-4)! * places[0] * places[1];
  return taps * b.shape.at(-1)!;
}

function reduceError(
  { params: { kind } }: Tensor<'reduce'>,
  x: Bounded,
  { shape, dtype, data, error }: Bounded,
): void {
  const map = broadcastIndex(x.shape, shape);
  if (dtype !== 'f32') {
    x.error.forEach((e, i) => {
      if (e) error[map(i)] = ANYTHING;
    });
    return;
  }
  const n = x.data.length / data.length;
  const [size, spread, squares] = [zeros(data), zeros(data), zeros(data)];
  const top = zeros(data);
  const [most, bits] = [zeros(data).fill(1), zeros(data)];
  const [wild, odd, infinite] = [zeros(data), zeros(data), zeros(data)];
  for (let i = 0; i < x.data.length; i++) {
    const o = map(i);
    const [v, e] = [x.data[i]!, x.error[i]!];
    if (e === ANYTHING) wild[o] = 1;
    else if (Number.isNaN(v)) odd[o] = 1;
    else if (!Number.isFinite(v)) infinite[o] = 1;
    else {
      size[o]! += Math.abs(v) + e;
      spread[o]! += e;
      squares[o]! += e * e;
      top[o] = Math.max(top[o]!, Math.abs(v) + e);
      most[o]! *= Math.abs(v) + e;
      bits[o]! +=
        v === 0 && e === 0
          ? 0
          : Math.max(Math.abs(Math.log2(Math.abs(v) + e)), v === 0 ? 0 : Math.abs(Math.log2(Math.abs(v))));
    }
    if (kind === 'max') error[o] = Math.max(error[o]!, e);
  }
  const share = (roundings(n) * ULP) / 2 + ULP;
  for (let o = 0; o < data.length; o++) {
    const y = data[o]!;
    if (odd[o]) error[o] = 0;
    else if (wild[o]) error[o] = ANYTHING;
    else if (kind === 'max') continue;
    // Whatever the order, no product on the way overflows or vanishes.
    else if (kind === 'prod')
      error[o] =
        infinite[o] || !(bits[o]! < 120) ? ANYTHING : (most[o]! - Math.abs(y)) * 1.0001 + n * ULP * most[o]!;
    else if (kind === 'variance') {
      if (infinite[o]) error[o] = 0;
      else if (4 * n * top[o]! ** 2 > LARGEST) error[o] = ANYTHING;
      else {
        // Elements are compared with one of sixteen, so that their distance from zero does not count.
        const root = Math.sqrt(squares[o]! / n);
        error[o] = 2 * Math.sqrt(y) * root + root ** 2 + (4 * share + 64 * ULP) * y + n * NORMAL;
      }
    } else if (infinite[o]) error[o] = size[o]! > LARGEST ? ANYTHING : 0;
    else if (size[o]! > LARGEST && (kind === 'mean' || Math.abs(y) < size[o]! * (1 - 1e-6)))
      error[o] = ANYTHING;
    else {
      const sum = spread[o]! + share * size[o]! + (size[o]! < 2 * n * NORMAL ? n * NORMAL : SMALLEST);
      error[o] = kind === 'sum' ? sum : sum / n + 2.5 * ULP * Math.abs(y) + SMALLEST;
    }
  }
}

function poolError(
  { params: { part, window } }: Tensor<'maxPool'>,
  xs: readonly Bounded[],
  out: Bounded,
): void {
  const x = xs.at(-1)!;
  const [t] = xs as [Bounded];
  const [height, width, channels] = x.shape.slice(-3) as [number, number, number];
  const [oh, ow] = outputSides(window);
  const each = height * width * channels;
  const images = sizeOf(t.shape.slice(0, -3));
  const total = zeros(out.data);
  for (let response = 0; response < images * oh * ow * channels; response++) {
    const c = response % channels;
    const place = Math.floor(response / channels) % (oh * ow);
    const image = Math.floor(response / (channels * oh * ow));
    const start = (image * each) % x.data.length;
    const top = Math.floor(place / ow) * window.stride[0] - window.padding[0];
    const left = (place % ow) * window.stride[1] - window.padding[1];
    const all: number[] = [];
    for (let h = Math.max(top, 0); h < Math.min(top + window.size[0], height); h++)
      for (let w = Math.max(left, 0); w < Math.min(left + window.size[1], width); w++)
        all.push((h * width + w) * channels + c);
    const low = Math.max(...all.map((i) => x.data[start + i]! - x.error[start + i]!));
    const doubtful = all.some((i) => x.error[start + i] === ANYTHING);
    const open = all.filter((i) => doubtful || !(x.data[start + i]! + x.error[start + i]! < low));
    const certain = open.length === 1 || open.every((i) => x.error[start + i] === 0);
    if (part === 'value') {
      out.error[response] = doubtful ? ANYTHING : Math.max(...open.map((i) => x.error[start + i]!));
      if (all.some((i) => Number.isNaN(x.data[start + i]!) && x.error[start + i] === 0))
        out.error[response] = 0;
    } else if (part === 'tangent') {
      const at = (i: number) => image * each + i;
      const y = out.data[response]!;
      const chosen = all.find((i) => Object.is(t.data[at(i)]!, y));
      out.error[response] = certain
        ? Math.max(
            ...open.filter((i) => Object.is(t.data[at(i)], y)).map((i) => t.error[at(i)]!),
            t.error[at(chosen!)]!,
          )
        : Math.max(...open.map((i) => Math.abs(t.data[at(i)]! - y) + t.error[at(i)]!));
    } else {
      const [v, e] = [t.data[response]!, t.error[response]!];
      for (const i of open) {
        const o = image * each + i;
        out.error[o]! += certain ? e : Math.abs(v) + e;
        total[o]! += Math.abs(v) + e;
      }
    }
  }
  if (part === 'cotangent') {
    const terms = window.size[0] * window.size[1];
    out.data.forEach((y, o) => {
      const size = total[o]!;
      if (!Number.isFinite(y) && out.error[o] === 0) return;
      out.error[o]! += size > LARGEST ? ANYTHING : size > 0 ? terms * ULP * size + SMALLEST : 0;
    });
  }
}

function takeError(
  { params: { axis, scale, shift } }: Tensor<'take'>,
  [table, index]: readonly Bounded[],
  { data, error }: Bounded,
): void {
  const rows = table!.shape.at(axis)!;
  const width = axis === -1 ? 1 : sizeOf(table!.shape.slice(axis + 1));
  const count = index!.data.length;
  for (let i = 0; i < data.length; i++) {
    const number = Math.floor(i / width) % count;
    const outer = Math.floor(i / width / count);
    const row = index!.data[number]!;
    const at = (outer * rows + row) * width + (i % width);
    const x = table!.data[at]!;
    if (index!.error[number] !== 0) error[i] = ANYTHING;
    else if (!(row >= 0 && row < rows)) error[i] = 0;
    else if (!Number.isFinite(x)) error[i] = table!.error[at]!;
    else {
      const product = Math.abs(scale * x);
      error[i] =
        Math.abs(scale) * table!.error[at]! +
        2 * ULP * product +
        ULP * (Math.abs(data[i]!) + Math.abs(shift)) +
        SMALLEST;
    }
  }
}

/** Terms are added one by one. */
function chainError(
  [x, index]: readonly Bounded[],
  { dtype, data, error }: Bounded,
  run: Run,
  terms: number,
): void {
  if (dtype !== 'f32') {
    error.set(run([arrayOf(x!, x!.error.map(Math.sign))]));
    return;
  }
  const of = (values: Float64Array) => run([arrayOf(x!, values), index ?? x!]);
  const finite = (v: number) => (Number.isFinite(v) ? v : 0);
  const [spread, sizes] = [
    of(x!.error),
    of(x!.data.map((v, i) => Math.abs(finite(v)) + finite(x!.error[i]!))),
  ];
  for (let i = 0; i < data.length; i++) {
    if (index && !isCertain(index)) error[i] = ANYTHING;
    else if (!Number.isFinite(data[i]!) && spread[i] === 0) error[i] = 0;
    else
      error[i] =
        sizes[i]! > LARGEST
          ? ANYTHING
          : spread[i]! + terms * ULP * sizes[i]! + (sizes[i]! > 0 ? terms * NORMAL : 0);
  }
}

/** Vectors have any sign, and any direction where singular values meet: only properties are checked. */
function factorError(node: Tensor, x: Bounded, out: Bounded): void {
  const { data, error } = out;
  if (x.data.some((v, i) => !Number.isFinite(v) || x.error[i] === ANYTHING)) {
    error.fill(ANYTHING);
    return;
  }
  if (node.op === 'orthonormalize' || (node.params as Params['svd']).part === 'v') {
    out.factor = { op: node.op as Factor['op'], operand: x };
    data.fill(0);
    error.fill(1 + 1e-4);
    return;
  }
  const n = x.shape.at(-1)!;
  for (let m = 0; m * n < data.length; m++) {
    const radius = Math.hypot(...x.error.subarray(m * n * n, (m + 1) * n * n));
    error.fill(radius + 2e-5 * data[m * n]! + n * NORMAL, m * n, (m + 1) * n);
  }
}
