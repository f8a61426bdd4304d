import { CollimateError } from '../errors.ts';
import { input } from './bind.ts';
import { type Loop, loopOf, valueIn } from './loop.ts';
import type { Spec, Specs, TracedArgs } from './signature.ts';
import { ancestors, describe, formatShape, formatType, type Tensor } from './tensor.ts';
import { tensorsOf, treeMap } from './tree.ts';

/** A traced computation: what {@link trace} returns. */
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

const isShape = (x: unknown): x is readonly number[] =>
  Array.isArray(x) && x.length > 0 && x.every((d) => typeof d === 'number');

/**
 * Runs a function of tensors once, on symbols shaped like the specs, and records what it computes.
 * @throws CollimateError if it returns no tensor, or a tensor of another trace
 * @example trace((x) => exp(x), [[2]]).outputs[0]!.shape // [2]
 */
export function trace<const S extends Specs, R>(f: (...args: TracedArgs<S>) => R, specs: S): Graph<R> {
  if (typeof f !== 'function' || !Array.isArray(specs)) {
    throw new CollimateError(
      `cannot trace ${describe(f)} with the specs ${describe(specs)}`,
      'Give a function, and a list with a spec for each of its arguments.',
    );
  }
  const inputs: Tensor<'input'>[] = [];
  const isLeaf = (x: unknown) => isSpec(x) || isShape(x);
  const leaf = (given: Spec | readonly number[], path: string) => {
    const spec: Spec = 'shape' in given ? given : { shape: given };
    const node = input(path, spec.shape, spec.dtype ?? 'f32');
    inputs.push(node);
    return node;
  };
  // A list of numbers is a shape, but not where the list of specs itself is.
  const args = specs.map((spec, i) => treeMap(spec, isLeaf, leaf, `${i}`));
  const result = f(...(args as TracedArgs<S>));
  const outputs = tensorsOf(f.name || 'the function', result);
  checkOutputs(f.name || 'the function', inputs, outputs);
  return { inputs, outputs, args, result };
}

function checkOutputs(name: string, inputs: readonly Tensor[], outputs: readonly Tensor[]): void {
  const bytes = outputs.find(({ dtype }) => dtype === 'u8');
  if (bytes) {
    throw new CollimateError(
      `${name} returns bytes, u8${formatShape(bytes.shape)}`,
      'Only take reads bytes: return rows that it gives as f32.',
    );
  }
  const own = new Set<Tensor>(inputs);
  const leaked = ancestors(outputs).find((x) => x.is('input') && !x.params.data && !own.has(x));
  if (!leaked?.is('input')) return;
  throw new CollimateError(
    `${name} uses input ${leaked.params.name}, ${formatType(leaked)}, of another trace`,
    'Let no tensor outlive the traced function: pass in what it needs as arguments.',
  );
}

/** @throws CollimateError unless `graph` is a graph */
export function expectGraph(what: string, graph: unknown): void {
  const { inputs, outputs } = Object(graph) as Partial<Graph>;
  if (Array.isArray(inputs) && Array.isArray(outputs)) return;
  throw new CollimateError(
    `${what}: ${describe(graph)} is no graph`,
    'Give what trace returns, or a program’s graph.',
  );
}

/** `%0`, `%1`, …: inputs first, then operations in order. Constants are called by their values. */
export function namesOf({ inputs, outputs }: Pick<Graph, 'inputs' | 'outputs'>): Map<Tensor, string> {
  const nodes = new Set<Tensor>([...inputs, ...ancestors(outputs)]);
  const named = [...nodes].filter((x) => !x.is('constant'));
  return new Map(named.map((x, i) => [x, `%${i}`]));
}

/**
 * The graph as text, one line per operation, with shapes; the same computation gives the same text.
 * @example printGraph(trace(exp, [[2]])) // 'graph(%0: f32[2] 0)\n  %1: f32[2] = exp(%0)\n  return %1'
 */
export function printGraph(graph: Pick<Graph, 'inputs' | 'outputs'>): string {
  expectGraph('printGraph', graph);
  const { inputs, outputs } = graph;
  const names = namesOf(graph);
  const nameOf = (x: Tensor): string =>
    x.is('constant') ? `${x.params.value}${x.dtype === 'f32' ? '' : x.dtype[0]}` : names.get(x)!;
  const typed = (x: Tensor) => `${nameOf(x)}: ${formatType(x)}`;
  const lines = [`graph(${inputs.map((x) => `${typed(x)} ${x.params.name}`).join(', ')})`];
  const nodes = ancestors(outputs);
  const loops: Loop[] = [];
  for (const node of nodes) {
    if (node.is('constant')) continue;
    if (node.is('input')) {
      if (node.params.data) lines.push(`  ${typed(node)} = array()`);
      continue;
    }
    let options: string[];
    if (node.is('scan')) {
      // The body stands before the first result of its loop.
      const loop = loopOf(node);
      const results = nodes.filter((x): x is Tensor<'scan'> => x.is('scan') && loopOf(x) === loop);
      const body = { inputs: loop.symbols, outputs: [...new Set([...loop.next, ...results.map(valueIn)])] };
      if (!loops.includes(loop)) {
        const order = loop.reverse ? ' backward' : '';
        lines.push(
          `  loop ${loops.push(loop) - 1}, ${loop.length} steps${order}: ${printGraph(body).replaceAll('\n', '\n    ')}`,
        );
      }
      const value = namesOf(body).get(valueIn(node));
      options = [`loop=${loops.indexOf(loop)}`, `${node.params.each ? 'each' : 'last'}=${value}`];
    } else {
      const params = Object.entries(node.params).filter(([, v]) => v !== false);
      options = params.map(([k, v]) => (v === true ? k : `${k}=${formatParam(v)}`));
    }
    const call = `${node.op}${options.length ? `{${options.join(' ')}}` : ''}`;
    lines.push(`  ${typed(node)} = ${call}(${node.inputs.map(nameOf).join(', ')})`);
  }
  return [...lines, `  return ${outputs.map(nameOf).join(', ')}`].join('\n');
}

function formatParam(value: unknown): string {
  if (Array.isArray(value)) return formatShape(value);
  if (typeof value !== 'object' || value === null) return `${value}`;
  return `{${Object.entries(value)
    .map(([k, v]) => `${k}=${formatParam(v)}`)
    .join(' ')}}`;
}
