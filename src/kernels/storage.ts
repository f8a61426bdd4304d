import type { AdapterTraits } from '../gpu/kernel.ts';

/** Lanes from which on loads from storage are slow. */
const MANY_LANES = 8;

/**
 * Whether an adapter loads from storage so slowly that data is better elsewhere. lavapipe does: with a branch per lane and
 * component, against disabled lanes and the end of the buffer. From uniform buffers it loads without any, and from
 * workgroup memory without the buffer's end. docs/adapters.md has what that gains.
 */
export const storageIsSlow = ({ kind, subgroupSize }: AdapterTraits): boolean =>
  kind === 'software' && subgroupSize >= MANY_LANES;

/** Bytes up to which a kernel should read data through a uniform binding; 0 where storage is as good. */
export const uniformBytes = (traits: AdapterTraits): number =>
  storageIsSlow(traits) ? traits.maxUniformBytes : 0;

/** Whether a team should keep `bytes` bytes in workgroup memory, where no lane reads what another wrote and so none has to wait. */
export const keepsInWorkgroup = (bytes: number, traits: AdapterTraits): boolean =>
  storageIsSlow(traits) && bytes <= traits.maxWorkgroupStorageBytes;
