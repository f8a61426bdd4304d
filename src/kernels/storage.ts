import type { AdapterTraits } from '../gpu/kernel.ts';

/** Subgroup size at which storage loads become slow. */
const MANY_LANES = 8;

/**
 * Whether an adapter's storage loads are so slow that data is better elsewhere. lavapipe's are: a branch per
 * lane and component guards against disabled lanes and the buffer's end. Uniform buffers need neither, and
 * workgroup memory only the former. docs/adapters.md has the gains.
 */
export const storageIsSlow = ({ kind, subgroupSize }: AdapterTraits): boolean =>
  kind === 'software' && subgroupSize >= MANY_LANES;

/** Bytes up to which a kernel should read data as uniforms; 0 where storage is as good. */
export const uniformBytes = (traits: AdapterTraits): number =>
  storageIsSlow(traits) ? traits.maxUniformBytes : 0;

/** Whether a team should keep `bytes` bytes, private to its lanes, in workgroup memory. */
export const keepsInWorkgroup = (bytes: number, traits: AdapterTraits): boolean =>
  storageIsSlow(traits) && bytes <= traits.maxWorkgroupStorageBytes;
