/** What a kernel factory may know of an adapter. Plain data, so that kernels can be generated without one. */
export interface AdapterTraits {
  /** A rasterizer on the CPU wants other kernels than a GPU does. */
  readonly kind: 'hardware' | 'software';
  /** Smallest number of lanes in a subgroup; 0 where subgroup operations cannot be used. */
  readonly subgroupSize: number;
  readonly maxStorageBuffersPerStage: number;
  /** Bytes that one storage binding may span. */
  readonly maxBindingBytes: number;
  /** Bytes that one uniform binding may span. */
  readonly maxUniformBytes: number;
  /** Bytes of the largest buffer that a kernel can read a copy of in a texture. */
  readonly maxTexelBytes: number;
  readonly maxWorkgroupsPerDimension: number;
  readonly maxWorkgroupInvocations: number;
  readonly maxWorkgroupStorageBytes: number;
  /** Where in a buffer a binding may start. */
  readonly offsetAlignment: number;
  /** Whether shaders can compute in f16. */
  readonly f16: boolean;
  /** Whether products of matrices may round their operands to f16: never but where a program asks for it. */
  readonly halfProducts?: boolean;
}
