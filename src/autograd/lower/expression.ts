import { type Body, bitsOf, type Leaf, type Line, type Scalar } from '../../kernels/fused.ts';
import { loweringOf } from '../bind.ts';
import type { Primitive } from '../primitives.ts';
import type { Lowering, Step } from '../rule.ts';
import { type Shape, sameShape, stridesOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

/** For each axis of a tensor, the axis of the index space that runs along it; −1 where the tensor is repeated. */
type AxisMap = readonly number[];

/**
 * Compilers take floats for reals and let terms cancel: x − x is 0 for them even of ∞, (a + b) − a is b, a · (1 / a) is 1 and
 * a + b > a is b > 0. What meets itself in one of these operations therefore goes through an exclusive or with a 0 first that
 * they do not know.
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
 * Writes the elementwise computation of `roots`, all over the index space `space`, as the body of one kernel. It
 * reaches through pointwise operations and views down to literals, coordinates and tensors that are `materialized`;
 * with `computeRoots`, the roots are computed even if they are.
 */
export function expressionOf(
  roots: readonly Tensor[],
  space: Shape,
  materialized: (t: Tensor) => boolean,
  computeRoots = true,
): Expression {
  const leaves: (Leaf & { tensor?: Tensor; key: string })[] = [];
  const lines: Line[] = [];
  const helpers = new Set<string>();
  const names = new Map<Tensor, { readonly map: AxisMap; readonly name: string }[]>();
  let operations = 0;
  const operands = new Map<string, readonly string[]>();
  let cost = 0;
  let scalarOnly = false;

  const nameOf = (leaf: Leaf & { tensor?: Tensor; key: string }): string => {
    let j = leaves.findIndex((l) => l.key === leaf.key);
    if (j < 0) j = leaves.push(leaf) - 1;
    return `x${j}`;
  };
  const leaf = (tensor: Tensor, source: Leaf['source'], strides: number[]): string => {
    const storage = source === 'buffer' ? aliasRoot(tensor) : tensor;
    const key = `${storage.id} ${strides}`;
    return nameOf({ tensor: storage, source, dtype: tensor.dtype as Scalar, strides, key });
  };
  const literal = (value: number, dtype: Scalar): string => {
    const bits = dtype === 'f32' ? bitsOf(value) : value >>> 0;
    return nameOf({ source: 'literal', dtype, bits, strides: space.map(() => 0), key: `${dtype} ${bits}` });
  };
  const line = (expression: string, uses: string[]): string => {
    const name = `t${lines.length}`;
    lines.push({ name, expression, uses });
    operands.set(name, uses);
    return name;
  };
  /** Two operands, one hidden from compilers where both are made of the same within the two operations before. */
  const apart = ([a, b]: string[]): string[] => {
    const of = (name: string) => operands.get(name) ?? [];
    const near = (name: string) => [name, ...of(name), ...of(name).flatMap(of)];
    const known = near(a!);
    if (!near(b!).some((name) => known.includes(name))) return [a!, b!];
    const zero = literal(0, 'u32');
    const hidden = (x: string) => line(`bitcast<F>(bitcast<U>(${x}) ^ ${zero})`, [x, zero]);
    // The later one, in which the other may be found: x that is hidden twice, in (x + x) − x, would meet itself again.
    const place = [a!, b!].map((name) => lines.findIndex((line) => line.name === name));
    return place[0]! > place[1]! ? [hidden(a!), b!] : [a!, hidden(b!)];
  };
  const step: Step = (operator, ...pair) => {
    const args = apart(pair);
    return line(args.join(` ${operator} `), args);
  };
  const spread = (perAxis: readonly number[], map: AxisMap): number[] => {
    const strides = new Array<number>(space.length).fill(0);
    map.forEach((to, axis) => {
      if (to >= 0) strides[to] = perAxis[axis]!;
    });
    return strides;
  };

  const visit = (node: Tensor, map: AxisMap, isRoot: boolean): string => {
    if (node.is('constant')) return literal(node.params.value, node.dtype as Scalar);
    if (node.is('iota')) {
      const along = node.shape.map((_, axis) => Number(axis === node.rank + node.params.axis));
      return leaf(node, 'index', spread(along, map));
    }
    if (!isRoot && materialized(node)) return leaf(node, 'buffer', spread(stridesOf(node.shape), map));
    const known = names.get(node) ?? [];
    const same = known.find((other) => sameShape(other.map, map));
    if (same) return same.name;
    const lowering = loweringOf(node);
    let name: string;
    if (lowering.kind === 'view') {
      name = visit(node.inputs[0]!, viewMap(node, map), false);
    } else if (lowering.kind === 'pointwise') {
      const given = node.inputs.map((x) =>
        isDivisor(x, node) ? `U(${x.params.value >>> 0}u)` : visit(x, operandMap(x, node, map), false),
      );
      const { params } = node;
      const rule = lowering as Extract<Lowering<Primitive>, { kind: 'pointwise' }>;
      for (const helper of rule.helpers?.(params as never) ?? []) helpers.add(helper);
      cost += lowering.cost;
      scalarOnly ||= lowering.scalarOnly ?? false;
      const { dtype } = node.inputs[0]!;
      const args = CANCELS.has(node.op) && dtype === 'f32' ? apart(given) : given;
      name = line(rule.wgsl(args, params as never, dtype, step), args);
    } else throw new Error(`${node.op} cannot be part of a fused kernel`);
    names.set(node, [...known, { map, name }]);
    operations++;
    return name;
  };

  const results = roots.map((root) => ({
    expression: visit(root, alignedMap(root.shape, space), computeRoots),
    dtype: root.dtype as Scalar,
  }));
  return {
    body: { space, leaves, lines, results, helpers: [...helpers], scalarOnly, cost },
    buffers: leaves.filter((l) => l.source === 'buffer').map((l) => l.tensor!),
    operations,
  };
}

/** The tensor whose buffer a reshaped tensor shares. */
export function aliasRoot(t: Tensor): Tensor {
  let root = t;
  while (root.op === 'reshape') root = root.inputs[0]!;
  return root;
}

/** Whether a literal divides whole numbers, which compilers make a product, right for any but 0: that is x / 0 = x, x mod 0 = 0. */
function isDivisor(x: Tensor, node: Tensor): x is Tensor<'constant'> {
  const divides = (node.op === 'div' || node.op === 'rem') && x === node.inputs[1];
  return divides && x.is('constant') && x.dtype === 'u32' && x.params.value >>> 0 !== 0;
}

function alignedMap(shape: Shape, space: Shape): number[] {
  const lead = space.length - shape.length;
  return shape.map((d, axis) => (d === 1 ? -1 : axis + lead));
}

/** Axes of an operand that broadcasts to `node`. */
function operandMap(x: Tensor, node: Tensor, map: AxisMap): number[] {
  const lead = node.rank - x.rank;
  return x.shape.map((d, axis) => (d === 1 ? -1 : map[axis + lead]!));
}

/** Axes of the operand of a view under the axes of its result. */
function viewMap(node: Tensor, map: AxisMap): number[] {
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
  // Only axes of size 1 come or go: the others keep their order.
  const whole = map.filter((_, axis) => node.shape[axis] !== 1);
  let next = 0;
  return x.shape.map((d) => (d === 1 ? -1 : whole[next++]!));
}

/** Whether a reshape only adds or drops axes of size 1, so that kernels can look through it. */
export function isUnitReshape(node: Tensor): boolean {
  const sides = (shape: Shape) => shape.filter((d) => d !== 1).join();
  return node.op === 'reshape' && sides(node.shape) === sides(node.inputs[0]!.shape);
}
