/** What kernel factories know of an adapter: plain data, so kernels can be generated without one. */
export interface AdapterTraits {
  /** CPU rasterizers need other kernels than GPUs. */
  readonly kind: 'hardware' | 'software';
  /** Smallest number of lanes in a subgroup; 0 without subgroup operations. */
  readonly subgroupSize: number;
  readonly maxStorageBuffersPerStage: number;
  /** Largest storage binding, in bytes. */
  readonly maxBindingBytes: number;
  /** Largest uniform binding, in bytes. */
  readonly maxUniformBytes: number;
  /** Largest buffer that kernels can read as a copy in a texture, in bytes. */
  readonly maxTexelBytes: number;
  readonly maxWorkgroupsPerDimension: number;
  readonly maxWorkgroupInvocations: number;
  readonly maxWorkgroupStorageBytes: number;
  /** Alignment of a binding's offset in its buffer, in bytes. */
  readonly offsetAlignment: number;
  /** Whether shaders can compute in f16. */
  readonly f16: boolean;
  /** Whether a shader can set the size of its subgroups. */
  readonly sizedSubgroups?: boolean;
  /** Whether matrix products may round their operands to f16; only if a program asks for it. */
  readonly halfProducts?: boolean;
  /**
   * Sides of the f16 matrices that a subgroup can multiply, m×k by k×n, with results in f32; absent if it
   * cannot, or if its size varies. Only where the device has shown that it does so right.
   */
  readonly halfMatrices?: { readonly m: number; readonly n: number; readonly k: number } | undefined;
}

/**
 * How a kernel uses a buffer: `read` and `read_write` as storage; faster on some adapters, `uniform` (up to
 * `maxUniformBytes`) as uniforms and `texels` (up to `maxTexelBytes`) as a copy in a texture (texels.ts).
 */
export type Access = 'read' | 'read_write' | 'uniform' | 'texels';

/** The alternatives to a kernel. All have variants of different names. */
export interface KernelChoice {
  /** What is computed, with its sizes: `matmul_nt 128x10x128`. */
  readonly problem: string;
  /** The same variant is assumed fastest for all problems of a class. */
  readonly class: string;
  /** Kernels with the same bindings that compute the same up to rounding. */
  readonly others: readonly Kernel[];
}

/**
 * One compute dispatch, described without a device: what a kernel factory makes from sizes, options and
 * adapter traits. Kernels with the same `wgsl` share one pipeline, so sizes belong in `uniforms` unless a
 * constant trip count is what makes the kernel fast.
 */
export interface Kernel {
  /** Name for profiles and error messages, e.g. `matmul_nt`. */
  readonly name: string;
  /** Name of the kernel's structure among those that compute the same, e.g. `broadcast 32x32`. */
  readonly variant?: string;
  /** The alternatives, if the fastest depends on the adapter; this kernel is the best guess. */
  readonly choice?: KernelChoice;
  /** Complete shader source with the entry point `main`. */
  readonly wgsl: string;
  /** Access to the buffers at `@group(0) @binding(0…n-1)`, in order. */
  readonly bindings: readonly Access[];
  /** Rows and columns of matrices bound as copies with sides rounded up to multiples of four: see pad.ts. */
  readonly padded?: readonly (readonly [rows: number, cols: number] | undefined)[];
  /** Contents of the uniform buffer at `@binding(n)`, if the shader has one; floats as their bits. */
  readonly uniforms?: Uint32Array;
  /** Number of workgroups along x, y and z. */
  readonly grid: readonly [number, number, number];
  /** Floating-point operations, for profiles; 0 if too few to count. */
  readonly flops: number;
  /** Bytes that must cross between memory and the kernel at least once. */
  readonly bytes: number;
}

/** A kernel about to be compiled, with the bytes of each buffer it will be bound to. */
export interface Work {
  readonly kernel: Kernel;
  readonly bytes: readonly number[];
}
