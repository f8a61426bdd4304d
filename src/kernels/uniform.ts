import type { AdapterTraits } from '../gpu/traits.ts';

/** Lanes from which on data is better read through uniform bindings than from storage. */
const UNIFORM_LANES = 8;

/**
 * Bytes up to which a kernel should read data through a uniform binding; 0 where storage is as good. lavapipe loads from
 * storage with a branch per lane and component, against disabled lanes and the end of the buffer, from uniform buffers
 * without any: timed in turns, products of 128³ are 1.1 to 1.4 times as fast. SwiftShader, with its four lanes, gains nothing.
 */
export function uniformBytes(traits: AdapterTraits): number {
  return traits.kind === 'software' && traits.subgroupSize >= UNIFORM_LANES ? traits.maxUniformBytes : 0;
}
