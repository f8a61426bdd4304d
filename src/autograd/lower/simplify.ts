import { bind } from '../bind.ts';
import { broadcastLike, constant } from '../operations.ts';
import type { Params, Primitive } from '../primitives.ts';
import { ancestors, broadcastShapes, type Shape, sameShape, type Tensor, wrap } from '../tensor.ts';
import { expressionOf, isUnitReshape } from './expression.ts';

/**
 * Rewrites a graph into an equal, cheaper one: merges equal nodes, drops no-ops, folds transposes into
 * products, turns sums of copies into multiples and unit vectors times a matrix into its rows (even where a
 * product would spread NaN and infinities along columns). Arithmetic is neither reordered nor regrouped: in
 * float32 that changes what overflows and what vanishes. What is dropped changes no bit.
 */
export function simplify(outputs: readonly Tensor[]): Tensor[] {
  const rewriter = new Rewriter();
  const known = new Map<Tensor, Tensor>();
  for (const node of ancestors(outputs)) {
    const inputs = node.inputs.map((x) => known.get(x)!);
    known.set(node, rewriter.make(node.op, inputs, node.params, node));
  }
  // Rewriting may leave unused nodes; walking from the outputs drops them.
  return outputs.map((y) => known.get(y)!);
}

const COMMUTATIVE = new Set<Primitive>(['add', 'mul', 'max', 'min', 'equal']);

const isConstant = (x: Tensor | undefined, value?: number): x is Tensor<'constant'> =>
  x?.op === 'constant' && (value === undefined || Object.is((x as Tensor<'constant'>).params.value, value));

/** JSON has only finite numbers, and one zero. */
const exact = (_: string, x: unknown) => (typeof x === 'number' ? `${Object.is(x, -0) ? '-0' : x}` : x);

class Rewriter {
  readonly #nodes = new Map<string, Tensor>();

  /** The one node for an operation, after rewriting; `original` is reused where nothing changed. */
  make<P extends Primitive>(op: P, inputs: readonly Tensor[], params: Params[P], original?: Tensor): Tensor {
    const rewritten = this.#rewrite(op, inputs, params);
    if (rewritten) return rewritten;
    const ordered = COMMUTATIVE.has(op) ? [...inputs].sort((a, b) => a.id - b.id) : inputs;
    const key =
      op === 'input'
        ? `input ${original!.id}`
        : `${op} ${ordered.map((x) => x.id)} ${JSON.stringify(params, exact)}`;
    let node = this.#nodes.get(key);
    if (!node) {
      const same = original?.inputs.every((x, i) => x === ordered[i]) ?? false;
      node = same ? original! : bind(op, ordered, params);
      this.#nodes.set(key, node);
    }
    return node;
  }

  #rewrite<P extends Primitive>(op: P, inputs: readonly Tensor[], params: Params[P]): Tensor | null {
    const [a, b] = inputs;
    switch (op as Primitive) {
      case 'copy':
      case 'stopGradient':
        return a!;
      case 'neg':
        if (isConstant(a)) return this.#literal(-a.params.value, a);
        return a!.op === 'neg' ? a!.inputs[0]! : null;
      case 'add':
      case 'mul':
        return this.#arithmetic(op as 'add' | 'mul', a!, b!);
      case 'reshape':
        return this.#reshape(a!, params as Params['reshape']);
      case 'broadcast':
        return sameShape(a!.shape, (params as Params['broadcast']).to) ? a! : null;
      case 'transpose':
        return this.#transpose(a!, (params as Params['transpose']).perm);
      case 'matmul':
        return this.#matmul(a!, b!, params as Params['matmul']);
      case 'reduce':
        return this.#reduce(a!, params as Params['reduce']);
      default:
        return null;
    }
  }

  #literal(value: number, like: Tensor): Tensor {
    const { dtype } = like;
    const whole = wrap(dtype, value);
    return this.make('constant', [], { value: whole, dtype }, constant(whole, dtype));
  }

  #repeated(value: number, like: Tensor, shape: Shape): Tensor {
    const ones = { from: 0, to: shape.map(() => 1) };
    return this.make('broadcast', [this.make('reshape', [this.#literal(value, like)], ones)], { to: shape });
  }

  #arithmetic(op: 'add' | 'mul', x: Tensor, y: Tensor): Tensor | null {
    const shape = broadcastShapes(op, [x.shape, y.shape]);
    const [p, q] = [literalOf(x), literalOf(y)];
    if (p && q && p.dtype === 'f32') {
      const [c, d] = [p.params.value, q.params.value];
      const of = (a: number, b: number) => (op === 'add' ? a + b : a * b);
      // Only where float32 arithmetic gives the same.
      const value = Math.fround(of(Math.fround(c), Math.fround(d)));
      if (Number.isFinite(value) && Object.is(Math.fround(of(c, d)), value))
        return this.#repeated(of(c, d), x, shape);
    }
    // A repeated literal beside a whole operand is the literal.
    const a = p && sameShape(y.shape, shape) ? p : x;
    const b = q && sameShape(a.shape, shape) ? q : y;
    // x + 0 is not x where x is −0; x + (−0) is.
    const neutral = op === 'mul' ? 1 : x.dtype === 'f32' ? -0 : 0;
    if (isConstant(a, neutral)) return b;
    if (isConstant(b, neutral)) return a;
    return a === x && b === y ? null : this.make(op, [a, b], {});
  }

  #reshape(x: Tensor, { from, to }: Params['reshape']): Tensor | null {
    const shape = [...x.shape.slice(0, x.rank - from), ...to];
    const source = x.is('reshape') ? x.inputs[0]! : x;
    if (sameShape(source.shape, shape)) return source;
    if (source !== x || from !== x.rank)
      return this.make('reshape', [source], { from: source.rank, to: shape });
    return null;
  }

  #transpose(x: Tensor, perm: readonly number[]): Tensor | null {
    if (perm.every((p, i) => p === i)) return x;
    if (!x.is('transpose')) return null;
    const rank = Math.max(perm.length, x.params.perm.length);
    const [outer, inner] = [perm, x.params.perm].map((p) => fullPermutation(p, rank)) as [number[], number[]];
    return this.make('transpose', [x.inputs[0]!], { perm: outer.map((p) => inner[p]!) });
  }

  #matmul(a: Tensor, b: Tensor, { transposeA, transposeB }: Params['matmul']): Tensor | null {
    const selected = transposeA ? null : this.#selected(a, b, transposeB);
    if (selected) return selected;
    const swaps = (x: Tensor) => x.is('transpose') && x.params.perm.length === 2;
    if (!swaps(a) && !swaps(b)) return null;
    return this.make('matmul', [swaps(a) ? a.inputs[0]! : a, swaps(b) ? b.inputs[0]! : b], {
      transposeA: transposeA !== swaps(a),
      transposeB: transposeB !== swaps(b),
    });
  }

  /** A product of unit vectors with a matrix as the matrix's rows, along the axis of the unit vectors. */
  #selected(a: Tensor, b: Tensor, transposeB: boolean): Tensor | null {
    const own = unitVectorAxis(a);
    if (own === undefined) return null;
    const out = bind('matmul', [a, b], { transposeA: false, transposeB });
    const { rank } = out;
    const axis = own + rank - a.rank;
    let rows = transposeB ? this.make('transpose', [b], { perm: [1, 0] }) : b;
    if (axis < rank - 2) {
      // The rows' axis changes places with one along which the matrices are all the same.
      const lifted = [...Array<number>(rank - b.rank).fill(1), ...rows.shape];
      if (lifted[axis] !== 1) return null;
      rows = this.make('reshape', [rows], { from: rows.rank, to: lifted });
      const perm = [...Array(rank).keys()];
      [perm[axis], perm[rank - 2]] = [rank - 2, axis];
      rows = this.make('transpose', [rows], { perm });
    }
    return this.make('broadcast', [rows], { to: out.shape });
  }

  #reduce(x: Tensor, params: Params['reduce']): Tensor | null {
    const { kind } = params;
    const axes = params.axes.filter((a) => x.shape.at(a) !== 1);
    if (kind !== 'variance' && axes.length < params.axes.length) {
      return axes.length ? this.make('reduce', [x], { kind, axes }) : x;
    }
    const single = x.op === 'broadcast' ? x.inputs[0]! : undefined;
    if (kind !== 'sum' || !single || axes.some((a) => (single.shape.at(a) ?? 1) !== 1)) return null;
    const count = axes.reduce((n, a) => n * x.shape.at(a)!, 1);
    const product = this.make('mul', [single, this.#literal(count, x)], {});
    const multiple = broadcastLike(product, bind('reduce', [x], params));
    return this.make(multiple.op, multiple.inputs, multiple.params, multiple);
  }
}

/** The literal behind views of one. */
function literalOf(x: Tensor): Tensor<'constant'> | undefined {
  let source = x;
  while (source.op === 'broadcast' || source.op === 'reshape') source = source.inputs[0]!;
  return isConstant(source) ? source : undefined;
}

function fullPermutation(perm: readonly number[], rank: number): number[] {
  const lead = rank - perm.length;
  return [...Array(lead).keys(), ...perm.map((p) => p + lead)];
}

/**
 * The axis along which a tensor's last axis runs through all unit vectors in order, as for whole Jacobians;
 * undefined for any other tensor. Only equalities of two coordinates under views are recognized.
 */
function unitVectorAxis(x: Tensor): number | undefined {
  const cast = behindViews(x);
  const equal = cast?.is('cast') ? behindViews(cast.inputs[0]!) : undefined;
  if (equal?.op !== 'equal' || !equal.inputs.every((side) => behindViews(side)?.op === 'iota'))
    return undefined;
  const { leaves } = expressionOf([x], x.shape, () => false).body;
  // A coordinate along an axis of length 1 has no axis.
  const axes = leaves.map(({ strides }) => strides.indexOf(1));
  const other = axes.find((axis) => axis !== x.rank - 1);
  const both = axes.length === 2 && axes.includes(x.rank - 1) && other !== undefined && other >= 0;
  return both && x.shape[other] === x.shape.at(-1) ? other : undefined;
}

/** What views show, as far as a kernel could look through them. */
function behindViews(x: Tensor): Tensor | undefined {
  let source = x;
  for (;;) {
    if (source.op === 'broadcast' || source.op === 'transpose' || isUnitReshape(source))
      source = source.inputs[0]!;
    else return source.op === 'reshape' ? undefined : source;
  }
}
