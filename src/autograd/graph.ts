import { formatShape, input, type Tensor } from './tensor.ts';
import { ancestors } from './transform.ts';
import { type AnyFunction, treeFlatten, treeMap } from './tree.ts';

/** Shape and type of a value that a function is traced with; a plain shape stands for f32. */
export interface Spec {
  readonly shape: readonly number[];
  readonly dtype?: 'f32' | 'u32' | 'u8';
}

/** Structures of specs as a function's arguments are given when it is traced. */
export type Specs = readonly unknown[];

export interface Graph<R = unknown> {
  readonly inputs: readonly Tensor<'input'>[];
  readonly outputs: readonly Tensor[];
  /** The function's arguments, with the inputs as leaves. */
  readonly args: readonly unknown[];
  /** What the function returned, with tensors as leaves. */
  readonly result: R;
}

export const isSpec = (x: unknown): x is Spec =>
  typeof x === 'object' && x !== null && Array.isArray((x as Spec).shape);

/** Runs a function of tensors once, on symbols, and keeps what it computes. Specs stand where tensors will. */
export function trace<R>(f: AnyFunction<R>, specs: Specs): Graph<R> {
  const inputs: Tensor<'input'>[] = [];
  const args = treeMap(specs, isSpec, (spec: Spec, path) => {
    const node = input(path, spec.shape, spec.dtype ?? 'f32');
    inputs.push(node);
    return node;
  }) as unknown[];
  const result = f(...args);
  return { inputs, outputs: treeFlatten(result), args, result };
}

/** The graph as text: one line an operation, with shapes; the same text for the same computation. */
export function printGraph({ inputs, outputs }: Pick<Graph, 'inputs' | 'outputs'>): string {
  const names = new Map<Tensor, string>();
  const nameOf = (x: Tensor): string => {
    if (x.is('constant')) return x.dtype === 'f32' ? `${x.params.value}` : `${x.params.value}u`;
    let name = names.get(x);
    if (!name) {
      name = `%${names.size}`;
      names.set(x, name);
    }
    return name;
  };
  const typed = (x: Tensor) => `${nameOf(x)}: ${x.dtype}${formatShape(x.shape)}`;
  const lines = [`graph(${inputs.map((x) => `${typed(x)} ${x.params.name}`).join(', ')})`];
  for (const node of ancestors(outputs)) {
    if (node.is('input') || node.is('constant')) continue;
    const params = Object.entries(node.params).filter(([, v]) => v !== false);
    const options = params.map(([k, v]) =>
      v === true ? k : `${k}=${Array.isArray(v) ? formatShape(v) : v}`,
    );
    const call = `${node.op}${options.length ? `{${options.join(' ')}}` : ''}`;
    lines.push(`  ${typed(node)} = ${call}(${node.inputs.map(nameOf).join(', ')})`);
  }
  return [...lines, `  return ${outputs.map(nameOf).join(', ')}`].join('\n');
}
