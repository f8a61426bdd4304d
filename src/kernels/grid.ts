import type { AdapterTraits } from '../gpu/kernel.ts';

/** Sizes that a kernel is made for, by name. */
export type Sizes<Name extends string> = Readonly<Record<Name, number>>;

/** Threads of a workgroup if they are independent: on software adapters, a subgroup. */
export const lanesOf = ({ kind, subgroupSize }: AdapterTraits): number =>
  kind === 'software' ? Math.max(subgroupSize, 4) : 64;

/**
 * Folds a linear number of workgroups into a grid within the adapter's limits. A shader recovers the linear
 * index with {@link LINEAR_GROUP} and must ignore indices at or beyond the true count.
 */
export function foldGrid(groups: number, traits: AdapterTraits): [number, number, number] {
  const side = traits.maxWorkgroupsPerDimension;
  if (groups <= side) return [Math.max(groups, 1), 1, 1];
  const rows = Math.ceil(groups / side);
  return [Math.ceil(groups / rows), rows, 1];
}

/** WGSL expression of the linear workgroup index, given `wg: workgroup_id` and `nwg: num_workgroups`. */
export const LINEAR_GROUP = 'wg.y * nwg.x + wg.x';
