import { broadcastLike, constant } from '../functions.ts';
import type { Params, Primitive } from '../primitives.ts';
import { bind, broadcastShapes, type Shape, sameShape, type Tensor } from '../tensor.ts';
import { ancestors } from '../transform.ts';
import { unitVectorAxis } from './unit-vectors.ts';

/**
 * Rewrites a graph into an equal one that costs less: equal nodes become one, what does nothing goes away, products
 * take transposed operands as they are, and factors that do not vary along a sum move out of it, and unit vectors times
 * a matrix are its rows. The last but one is what
 * makes BatchNorm's backward pass two sums in one kernel: Σγ·dy and Σdy share theirs once γ is outside.
 */
export function simplify(outputs: readonly Tensor[]): Tensor[] {
  const rewriter = new Rewriter();
  const known = new Map<Tensor, Tensor>();
  for (const node of ancestors(outputs)) {
    known.set(
      node,
      rewriter.make(
        node.op,
        node.inputs.map((x) => known.get(x)!),
        node.params,
        node,
      ),
    );
  }
  // Rewriting may leave nodes behind that nothing uses; walking from the outputs forgets them.
  return outputs.map((y) => known.get(y)!);
}

const COMMUTATIVE = new Set<Primitive>(['add', 'mul', 'max', 'min', 'equal']);

const isConstant = (x: Tensor | undefined, value?: number): x is Tensor<'constant'> =>
  x?.op === 'constant' && (value === undefined || (x as Tensor<'constant'>).params.value === value);

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
        : `${op} ${ordered.map((x) => x.id)} ${JSON.stringify(params)}`;
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
    return this.make('constant', [], { value, dtype: like.dtype }, constant(value, like.dtype));
  }

  #repeated(value: number, like: Tensor, shape: Shape): Tensor {
    const ones = { from: 0, to: shape.map(() => 1) };
    return this.make('broadcast', [this.make('reshape', [this.#literal(value, like)], ones)], { to: shape });
  }

  #arithmetic(op: 'add' | 'mul', x: Tensor, y: Tensor): Tensor | null {
    const shape = broadcastShapes(op, [x.shape, y.shape]);
    const [p, q] = [literalOf(x), literalOf(y)];
    if (p && q && p.dtype === 'f32') {
      const value = op === 'add' ? p.params.value + q.params.value : p.params.value * q.params.value;
      return this.#repeated(value, x, shape);
    }
    // A repeated literal beside a whole operand is the literal.
    const a = p && sameShape(y.shape, shape) ? p : x;
    const b = q && sameShape(a.shape, shape) ? q : y;
    for (const [c, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (isConstant(c, op === 'add' ? 0 : 1)) return other;
      // c·(d·x) = (c·d)·x
      if (op === 'mul' && isConstant(c) && other.op === 'mul' && other.dtype === 'f32') {
        const inner = other.inputs.find((t) => isConstant(t));
        if (inner) {
          const rest = other.inputs.find((t) => t !== inner)!;
          return this.make('mul', [this.make('mul', [c, inner], {}), rest], {});
        }
      }
    }
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

  /** A product of unit vectors with a matrix as what it is: the matrix's rows, along the axis of the unit vectors. */
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
    if (kind !== 'sum') return null;
    const repeats = (t: Tensor) => axes.every((a) => (t.shape.at(a) ?? 1) === 1);
    const factors = this.#factors(x, repeats);
    const outside = factors.filter(repeats);
    const inside = factors.filter((t) => !repeats(t));
    if (!outside.length) return null;
    const out = bind('reduce', [x], params);
    let result: Tensor;
    if (inside.length) {
      // Every summed axis must still be there in full, or the sum would be of fewer terms.
      const product = this.#product(inside);
      if (axes.some((a) => (product.shape.at(a) ?? 1) !== x.shape.at(a))) return null;
      const kept = axes.filter((a) => -a <= product.rank);
      result = this.#product([this.make('reduce', [product], { kind, axes: kept }), ...outside]);
    } else {
      const count = axes.reduce((n, a) => n * x.shape.at(a)!, 1);
      result = this.#product([...outside, this.#literal(count, x)]);
    }
    if (sameShape(result.shape, out.shape)) return result;
    const lifted = broadcastLike(result, out);
    return this.make(lifted.op, lifted.inputs, lifted.params, lifted);
  }

  /** Factors of a product, seen through products, signs, and repetitions that `repeats` accepts. */
  #factors(x: Tensor, repeats: (t: Tensor) => boolean): Tensor[] {
    if (x.op === 'mul') return x.inputs.flatMap((t) => this.#factors(t, repeats));
    if (x.op === 'neg') return [this.#literal(-1, x), ...this.#factors(x.inputs[0]!, repeats)];
    if (x.op === 'broadcast' && repeats(x.inputs[0]!)) return [x.inputs[0]!];
    return [x];
  }

  #product(factors: readonly Tensor[]): Tensor {
    return factors.reduce((a, b) => this.make('mul', [a, b], {}));
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
