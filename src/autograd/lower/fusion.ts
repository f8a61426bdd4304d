import type { AdapterTraits } from '../../gpu/kernel.ts';
import { ancestors, type Tensor } from '../tensor.ts';
import { aliasRoot } from './expression.ts';

/** A graph on its way to kernels: passes decide which values get buffers. Others are computed where used. */
export interface Fusion {
  readonly outputs: readonly Tensor[];
  /** All nodes, operands first. */
  readonly nodes: readonly Tensor[];
  readonly users: ReadonlyMap<Tensor, readonly Tensor[]>;
  readonly traits: AdapterTraits;
  /** Outputs that replace an input, by that input. */
  readonly replaced: ReadonlyMap<Tensor, Tensor>;
  /** Nodes that have a buffer of their own. */
  readonly kept: Set<Tensor>;
  /** Whether a tensor has a buffer, its own or (reshaped) another's. */
  readonly materialized: (t: Tensor) => boolean;
}

/** Nothing is decided yet. */
export function beginFusion(
  outputs: readonly Tensor[],
  traits: AdapterTraits,
  replaced: ReadonlyMap<Tensor, Tensor>,
): Fusion {
  const nodes = ancestors(outputs);
  const users = new Map<Tensor, Tensor[]>(nodes.map((node) => [node, []]));
  for (const node of nodes) for (const x of node.inputs) users.get(x)!.push(node);
  const kept = new Set<Tensor>();
  const materialized = (t: Tensor) => kept.has(aliasRoot(t));
  return { outputs, nodes, users, traits, replaced, kept, materialized };
}
