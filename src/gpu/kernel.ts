/** How a kernel uses a storage buffer. */
export type Access = 'read' | 'read_write';

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
  /** Complete shader source with the entry point `main`. */
  readonly wgsl: string;
  /** Access of the storage buffers, which are `@group(0) @binding(0…n-1)` in this order. */
  readonly bindings: readonly Access[];
  /** Contents of the uniform buffer at `@binding(n)`, if the shader has one; floats are stored by their bits. */
  readonly uniforms?: Uint32Array;
  /** Number of workgroups along x, y and z. */
  readonly grid: readonly [number, number, number];
  /** Floating-point operations of the dispatch, for profiles; 0 where it does no arithmetic worth counting. */
  readonly flops: number;
  /** Bytes that have to cross between memory and the kernel at least once. */
  readonly bytes: number;
}
