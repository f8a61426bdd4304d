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

/**
 * How a kernel uses a buffer: `read` and `read_write` as storage; `uniform` reads it through a uniform binding, of at most the
 * traits' `maxUniformBytes`, and `texels` reads a copy in a texture (see texels.ts), of at most `maxTexelBytes`: some adapters
 * do these faster.
 */
export type Access = 'read' | 'read_write' | 'uniform' | 'texels';

/** What there is to choose from beside a kernel. All have variants of different names. */
export interface KernelChoice {
  /** What is computed, in its sizes: `matmul_nt 128x10x128`. */
  readonly problem: string;
  /** Problems of one class are taken to be fastest by the same variant. */
  readonly class: string;
  /** Other kernels with the same bindings that compute the same but for rounding. */
  readonly others: readonly Kernel[];
}

/**
 * One compute dispatch, described without a device: what a kernel factory makes from sizes, options and
 * adapter traits. Two kernels with the same `wgsl` share one pipeline, so sizes belong in `uniforms` unless a
 * constant trip count is what makes the kernel fast.
 */
export interface Kernel {
  /** Name for profiles and error messages, e.g. `matmul_nt`. */
  readonly name: string;
  /** Which of the structures it is that compute the same, e.g. `broadcast 32x32`; part of no result. */
  readonly variant?: string;
  /** Where others compute the same and the adapter at hand decides which is fastest; this one is the best guess. */
  readonly choice?: KernelChoice;
  /** Complete shader source with the entry point `main`. */
  readonly wgsl: string;
  /** Access of the buffers, which are `@group(0) @binding(0…n-1)` in this order. */
  readonly bindings: readonly Access[];
  /** Rows and columns of matrices for which a binding takes a copy whose sides are rounded up to multiples of four: see pad.ts. */
  readonly padded?: readonly (readonly [rows: number, cols: number] | undefined)[];
  /** Contents of the uniform buffer at `@binding(n)`, if the shader has one; floats are stored by their bits. */
  readonly uniforms?: Uint32Array;
  /** Number of workgroups along x, y and z. */
  readonly grid: readonly [number, number, number];
  /** Floating-point operations of the dispatch, for profiles; 0 where it does no arithmetic worth counting. */
  readonly flops: number;
  /** Bytes that have to cross between memory and the kernel at least once. */
  readonly bytes: number;
}

/** A kernel about to be compiled, with the bytes of each buffer that it will be bound to. */
export interface Work {
  readonly kernel: Kernel;
  readonly bytes: readonly number[];
}
