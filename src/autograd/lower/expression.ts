import { type Body, bitsOf, type Leaf, type Line, SCALARS, type Scalar } from '../../kernels/fused.ts';
import { loweringOf } from '../bind.ts';
import type { Primitive } from '../primitives.ts';
import type { Step } from '../rule.ts';
import {
  type Integer,
  isInteger,
  type Shape,
  sizeOf,
  stridesOf,
  type Tensor,
  type Typed,
} from '../tensor.ts';

/** For each axis of a tensor, the axis of the index space along it (−1 where repeated), and its start. */
type AxisMap = readonly { readonly to: number; readonly start: number }[];
const REPEATED = { to: -1, start: 0 };

/**
 * Compilers treat floats as reals and cancel terms: x − x becomes 0 even for ∞, (a + b) − a becomes b,
 * a · (1 / a) is 1, and a + b > a becomes b > 0. A value that meets itself in one of these operations
 * therefore first goes through an exclusive or with a 0 that compilers do not know.
 */
const CANCELS = new Set<Primitive>(['add', 'sub', 'mul', 'div', 'greater', 'equal']);

export interface Expression {
  readonly body: Body;
  /** The buffers read by the body's buffer leaves, in their order. */
  readonly buffers: readonly Tensor[];
  /** Number of operations and views. */
  readonly operations: number;
}

/**
 * Writes the elementwise computation of `roots` over the index space `space` as the body of one kernel, down
 * through pointwise operations and views to literals, coordinates and `materialized` tensors. With
 * `computeRoots`, the roots are computed even if materialized.
 */
export function expressionOf(
  roots: readonly Tensor[],
  space: Shape,
  materialized: (t: Tensor) => boolean,
  computeRoots = true,
): Expression {
  return new Writer(space, materialized).write(roots, computeRoots);
}

class Writer {
  readonly #leaves: Leaf[] = [];
  readonly #buffers: Tensor[] = [];
  readonly #lines: Line[] = [];
  readonly #helpers = new Set<string>();
  /** Names of leaves by what they read. */
  readonly #known = new Map<string, string>();
  /** Names of nodes, as seen along different axes. */
  readonly #names = new Map<Tensor, { readonly map: AxisMap; readonly name: string }[]>();
  #cost = 0;
  #scalarOnly = false;
  #operations = 0;

  constructor(
    private readonly space: Shape,
    private readonly materialized: (t: Tensor) => boolean,
  ) {}

  write(roots: readonly Tensor[], computeRoots: boolean): Expression {
    const results = roots.map((root) => ({
      expression: this.#visit(root, alignedMap(root.shape, this.space), computeRoots),
      dtype: root.dtype as Scalar,
      ...(root.size < sizeOf(this.space) && { elements: root.size }),
    }));
    return {
      body: {
        ...{ space: this.space, leaves: this.#leaves, lines: this.#lines, results },
        ...{ helpers: [...this.#helpers], scalarOnly: this.#scalarOnly, cost: this.#cost },
      },
      buffers: this.#buffers,
      operations: this.#operations,
    };
  }

  /** The name of a node's value under some axes, with the lines before it that compute it. */
  #visit(node: Tensor, map: AxisMap, isRoot: boolean): string {
    if (node.is('constant')) return this.#literal(node.params.value, node.dtype as Scalar);
    if (node.is('iota')) {
      const along = node.shape.map((_, axis) => Number(axis === node.rank + node.params.axis));
      return this.#leaf(node, 'index', along, map);
    }
    if (!isRoot && this.materialized(node)) {
      return this.#leaf(aliasRoot(node), 'buffer', stridesOf(node.shape), map);
    }
    const seen = this.#names.get(node) ?? [];
    const same = seen.find((other) => sameMap(other.map, map));
    if (same) return same.name;
    const { kind } = loweringOf(node);
    if (kind !== 'view' && kind !== 'pointwise')
      throw new Error(`${node.op} cannot be part of a fused kernel`);
    const name =
      kind === 'view' ? this.#visit(node.inputs[0]!, viewMap(node, map), false) : this.#apply(node, map);
    this.#names.set(node, [...seen, { map, name }]);
    this.#operations++;
    return name;
  }

  #apply(node: Tensor, map: AxisMap): string {
    const lowering = loweringOf(node);
    if (lowering.kind !== 'pointwise') throw new Error(`${node.op} is not pointwise`);
    const { wgsl, helpers, cost, scalarOnly = false } = lowering;
    const given = node.is('concat')
      ? this.#joined(node, map)
      : node.inputs.map((x) =>
          isDivisor(x, node)
            ? `${SCALARS[x.dtype].value}(${x.params.value})`
            : this.#visit(x, operandMap(x, node, map), false),
        );
    for (const helper of helpers?.(node.params) ?? []) this.#helpers.add(helper);
    this.#cost += cost;
    this.#scalarOnly ||= scalarOnly;
    const { dtype } = node.inputs[0]!;
    const args = CANCELS.has(node.op) && dtype === 'f32' ? this.#apart(given) : given;
    const step: Step = (operator, ...pair) => {
      const [a, b] = this.#apart(pair);
      return this.#line(`${a} ${operator} ${b}`, [a!, b!]);
    };
    return this.#line(wgsl(args, node.params, dtype, step), args);
  }

  /**
   * Operands to concatenate, the index along the axis, and where all operands but the first start. Each is
   * read everywhere: what is read beyond its ends is arbitrary, and never selected.
   */
  #joined({ inputs, params: { axis }, rank }: Tensor<'concat'>, map: AxisMap): string[] {
    const along = map[rank + axis]!;
    const starts: number[] = [];
    let next = 0;
    const operands = inputs.map((x) => {
      const shifted = map.with(rank + axis, { to: along.to, start: along.start - next });
      starts.push(next);
      next += x.shape.at(axis)!;
      return this.#visit(x, operandMap(x, { rank }, shifted), false);
    });
    const { strides, start } = this.#spread([1], [along]);
    const index: Leaf = { source: 'index', dtype: 'u32', strides, ...(start && { start }) };
    const place = this.#nameOf(`place ${strides} ${start}`, index);
    return [...operands, place, ...starts.slice(1).map((first) => this.#literal(first, 'u32'))];
  }

  /** `perAxis` are the strides along the axes of the tensor. */
  #leaf(tensor: Tensor, source: 'buffer' | 'index', perAxis: readonly number[], map: AxisMap): string {
    const { strides, start } = this.#spread(perAxis, map);
    const last = this.space.reduce((at, side, axis) => at + (side - 1) * strides[axis]!, start);
    const isPart = start !== 0 || (source === 'buffer' && last + 1 !== tensor.size);
    const leaf = {
      source,
      dtype: tensor.dtype as Scalar,
      strides,
      ...(isPart && { start, size: tensor.size }),
    };
    return this.#nameOf(`${tensor.id} ${strides} ${start}`, leaf, tensor);
  }

  #literal(value: number, dtype: Scalar): string {
    const bits = dtype === 'f32' ? bitsOf(value) : value >>> 0;
    const strides = this.space.map(() => 0);
    return this.#nameOf(`${dtype} ${bits}`, { source: 'literal', dtype, bits, strides });
  }

  #nameOf(key: string, leaf: Leaf, tensor?: Tensor): string {
    let name = this.#known.get(key);
    if (!name) {
      name = `x${this.#leaves.push(leaf) - 1}`;
      this.#known.set(key, name);
      if (leaf.source === 'buffer') this.#buffers.push(tensor!);
    }
    return name;
  }

  #line(expression: string, uses: readonly string[]): string {
    const name = `t${this.#lines.length}`;
    this.#lines.push({ name, expression, uses });
    return name;
  }

  /** Two operands, one hidden from compilers where both share a value at most two operations back. */
  #apart([a, b]: readonly string[]): string[] {
    const near = (name: string) => {
      const uses = this.#usesOf(name);
      return [name, ...uses, ...uses.flatMap((used) => this.#usesOf(used))];
    };
    const known = near(a!);
    if (!near(b!).some((name) => known.includes(name))) return [a!, b!];
    const zero = this.#literal(0, 'u32');
    const hidden = (x: string) => this.#line(`bitcast<F>(bitcast<U>(${x}) ^ ${zero})`, [x, zero]);
    // The later one, which may contain the other: x hidden twice, in (x + x) − x, would meet itself again.
    return lineOf(a!) > lineOf(b!) ? [hidden(a!), b!] : [a!, hidden(b!)];
  }

  #usesOf(name: string): readonly string[] {
    return this.#lines[lineOf(name)]?.uses ?? [];
  }

  /** Strides along the axes of the space, and the place of its first element. */
  #spread(perAxis: readonly number[], map: AxisMap): { strides: number[]; start: number } {
    const strides = new Array<number>(this.space.length).fill(0);
    let first = 0;
    map.forEach(({ to, start }, axis) => {
      if (to >= 0) strides[to] = perAxis[axis]!;
      first += perAxis[axis]! * start;
    });
    return { strides, start: first };
  }
}

/** The number of the line that defines a name; −1 for a leaf's. */
const lineOf = (name: string): number => (name.startsWith('t') ? Number(name.slice(1)) : -1);

/** The tensor whose buffer a reshaped tensor shares. */
export function aliasRoot(t: Tensor): Tensor {
  let root = t;
  while (root.op === 'reshape') root = root.inputs[0]!;
  return root;
}

/** Whether an integer divisor may be a literal, which compilers turn into a product: not 0, as x / 0 = x. */
function isDivisor(x: Tensor, node: Tensor): x is Tensor<'constant'> & Typed<Integer> {
  const divides = (node.op === 'div' || node.op === 'rem') && x === node.inputs[1];
  return divides && x.is('constant') && isInteger(x.dtype) && x.params.value !== 0;
}

const sameMap = (a: AxisMap, b: AxisMap): boolean =>
  a.length === b.length && a.every(({ to, start }, i) => to === b[i]!.to && start === b[i]!.start);

function alignedMap(shape: Shape, space: Shape): AxisMap {
  const lead = space.length - shape.length;
  return shape.map((d, axis) => (d === 1 ? REPEATED : { to: axis + lead, start: 0 }));
}

/** Axes of an operand that broadcasts to `node`. */
function operandMap(x: Tensor, node: { readonly rank: number }, map: AxisMap): AxisMap {
  const lead = node.rank - x.rank;
  return x.shape.map((d, axis) => (d === 1 ? REPEATED : map[axis + lead]!));
}

/** Axes of the operand of a view under the axes of its result. */
function viewMap(node: Tensor, map: AxisMap): AxisMap {
  const x = node.inputs[0]!;
  if (node.is('broadcast')) return operandMap(x, node, map);
  if (node.is('transpose')) {
    const lead = node.rank - node.params.perm.length;
    const result = [...map.slice(0, lead)];
    node.params.perm.forEach((p, i) => {
      result[lead + p] = map[lead + i]!;
    });
    return result;
  }
  if (node.is('slice')) {
    const { axis, start } = node.params;
    const { to, start: before } = map.at(axis)!;
    return map.with(axis, { to, start: before + start });
  }
  // Only axes of size 1 come or go: the others keep their order.
  const whole = map.filter((_, axis) => node.shape[axis] !== 1);
  let next = 0;
  return x.shape.map((d) => (d === 1 ? REPEATED : whole[next++]!));
}

/** Whether a reshape only adds or drops axes of size 1, so that kernels can look through it. */
export function isUnitReshape(node: Tensor): boolean {
  const sides = (shape: Shape) => shape.filter((d) => d !== 1).join();
  return node.op === 'reshape' && sides(node.shape) === sides(node.inputs[0]!.shape);
}
