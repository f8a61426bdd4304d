import { CollimateError } from '../errors.ts';
import type { Params, Primitive } from './primitives.ts';
import type { Lowering, NdArray, Rule, Rules } from './rule.ts';
import { type DType, expectTensors, formatShape, type Shape, sides, sizeOf, Tensor } from './tensor.ts';

let table: Rules;

/**
 * Sets the rules of all primitives; rules.ts calls it once. Rules record operations themselves, so
 * operations cannot import them: they find their rules here, by name.
 */
export function useRules(rules: Rules): void {
  table = rules;
}

/** Everything about a primitive. */
export const ruleOf = (op: Primitive): Rule<Primitive> => table[op] as unknown as Rule<Primitive>;

/** How a tensor's operation becomes part of a kernel. */
export const loweringOf = (x: Tensor): Lowering<Primitive> => ruleOf(x.op).lowering;

/**
 * Applies a primitive: the only way to make a node. `D` is the dtype that the caller states, unchecked.
 * @throws CollimateError where shapes or dtypes do not fit, or the result has 2³² elements or more
 */
export function bind<P extends Primitive, D extends DType = DType>(
  op: P,
  inputs: readonly Tensor[],
  params: Params[P],
): Tensor<P> & { readonly dtype: D } {
  expectTensors(op, inputs);
  const rule = ruleOf(op);
  const { shape, dtype } = rule.shape(inputs, params);
  rule.late?.want();
  if (sizeOf(shape) > 2 ** 32 - 1) {
    throw new CollimateError(
      `${op}: the result of shape ${formatShape(shape)} has ${sizeOf(shape)} elements`,
      'Kernels count in u32: use smaller sizes, or fewer at a time.',
    );
  }
  return new Tensor(op, inputs, params, shape, dtype) as Tensor<P> & { readonly dtype: D };
}

/** A node that stands for data given at run time. */
export function input(name: string, shape: Shape, dtype: DType = 'f32'): Tensor<'input'> {
  return bind('input', [], { name, shape: sides(`input ${name}`, shape), dtype });
}

/** Adds the float64 values of nodes, listed operands first, to `known`. */
export function evaluate(nodes: readonly Tensor[], known: Map<Tensor, NdArray>): void {
  for (const node of nodes) {
    if (known.has(node)) continue;
    const inputs = node.inputs.map((x) => known.get(x)!);
    const data = ruleOf(node.op).reference(inputs, node.params, node);
    known.set(node, { shape: node.shape, dtype: node.dtype, data });
  }
}
