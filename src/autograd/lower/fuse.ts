import type { AdapterTraits } from '../../gpu/kernel.ts';
import type { Tensor } from '../tensor.ts';
import { keepByKind, keepWhereCheaper } from './buffers.ts';
import { chainsAfterProducts } from './epilogue.ts';
import { beginFusion } from './fusion.ts';
import { type Group, groupsOf } from './groups.ts';
import { withNeighbors } from './neighbors.ts';
import { inRounds } from './rounds.ts';

/** Decides which values get buffers and which kernels compute them: groups, in an order that can run. */
export function fuse(
  outputs: readonly Tensor[],
  traits: AdapterTraits,
  replaced: ReadonlyMap<Tensor, Tensor> = new Map(),
): readonly Group[] {
  const fusion = beginFusion(outputs, traits, replaced);
  keepByKind(fusion);
  keepWhereCheaper(fusion);
  const joined = inRounds(groupsOf(fusion, chainsAfterProducts(fusion)), fusion);
  return withNeighbors(withNeighbors(joined, fusion), fusion);
}
