import { lateKernels } from '../../src/autograd/late.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';

// What is planned for it is planned without waiting.
await Promise.all(Object.values(lateKernels).map((kernels) => kernels.load()));

/** A software adapter without textures, for what is planned without a device. */
export const softwareTraits: AdapterTraits = {
  kind: 'software',
  subgroupSize: 4,
  maxStorageBuffersPerStage: 8,
  maxBindingBytes: 2 ** 27,
  maxWorkgroupsPerDimension: 65_535,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 16_384,
  maxUniformBytes: 65_536,
  maxTexelBytes: 0,
  offsetAlignment: 256,
  f16: false,
};
