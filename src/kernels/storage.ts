import type { AdapterTraits } from '../gpu/traits.ts';

/** Lanes from which on loads from storage are slow. */
const MANY_LANES = 8;

/**
 * Whether an adapter loads from storage so slowly that data is better elsewhere. lavapipe does: with a branch per lane and
 * component, against disabled lanes and the end of the buffer. From uniform buffers it loads without any: timed in turns, products of
 * 128³ are 1.1 to 1.4 times as fast. From workgroup memory it does without the buffer's end: a QR and an SVD that keep there what
 * each lane needs for itself are 1.25 and 1.35 times as fast. SwiftShader, with its four lanes, gains nothing by either.
 */
export const storageIsSlow = ({ kind, subgroupSize }: AdapterTraits): boolean =>
  kind === 'software' && subgroupSize >= MANY_LANES;

/** Bytes up to which a kernel should read data through a uniform binding; 0 where storage is as good. */
export const uniformBytes = (traits: AdapterTraits): number =>
  storageIsSlow(traits) ? traits.maxUniformBytes : 0;

/** Whether a team should keep `bytes` bytes in workgroup memory, where no lane reads what another wrote and so none has to wait. */
export const keepsInWorkgroup = (bytes: number, traits: AdapterTraits): boolean =>
  storageIsSlow(traits) && bytes <= traits.maxWorkgroupStorageBytes;
