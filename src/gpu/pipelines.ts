import { shaderError } from './failures.ts';
import type { Fate } from './fate.ts';
import type { Access, Kernel } from './kernel.ts';
import { record } from './runnable.ts';
import { TEXEL_FORMAT, texelTexture } from './texels.ts';
import { quietly } from './wait.ts';

/** A kernel to compile; without bindings, its layout is derived from the source. */
export type Shader = Pick<Kernel, 'name' | 'wgsl'> & Partial<Pick<Kernel, 'bindings' | 'uniforms'>>;

/** Pipelines kept after the last program that used them: twice as many as `mnist-conv` has. */
const RECENT = 256;

/** A device's compiled pipelines by source: those that programs hold, and the most recently used. */
export class Pipelines {
  readonly #compiling = new Map<string, Promise<GPUComputePipeline>>();
  readonly #known = new Map<string, WeakRef<GPUComputePipeline>>();
  readonly #gone = new FinalizationRegistry<string>((wgsl) => {
    if (!this.#known.get(wgsl)?.deref()) this.#known.delete(wgsl);
  });
  /** Least recently used first. */
  readonly #recent = new Set<GPUComputePipeline>();
  readonly #layouts = new Map<string, GPUPipelineLayout>();
  /** What pipelines are bound to for a warm-up: zeros to read, and targets that are never written. */
  #dummies?: { readonly zeros: GPUBuffer; readonly target: GPUBuffer; readonly texels: GPUTexture };

  /** `defers`: the driver puts compilation off to a pipeline's first dispatch. */
  constructor(
    private readonly device: GPUDevice,
    private readonly fate: Fate,
    private readonly defers: boolean,
  ) {}

  /** See {@link Gpu.pipeline}. */
  get(shader: Shader): Promise<GPUComputePipeline> {
    const { wgsl } = shader;
    const known = this.#known.get(wgsl)?.deref();
    if (known) return Promise.resolve(this.#keep(known));
    const compiling =
      this.#compiling.get(wgsl) ?? this.#compile(shader).finally(() => this.#compiling.delete(wgsl));
    this.#compiling.set(wgsl, compiling);
    return compiling;
  }

  #keep(pipeline: GPUComputePipeline): GPUComputePipeline {
    this.#recent.delete(pipeline);
    this.#recent.add(pipeline);
    if (this.#recent.size > RECENT) this.#recent.delete(this.#recent.values().next().value!);
    return pipeline;
  }

  clear(): void {
    this.#known.clear();
    this.#recent.clear();
    this.#layouts.clear();
    for (const dummy of Object.values(this.#dummies ?? {})) dummy.destroy();
  }

  /**
   * One layout for all kernels with the same kinds of bindings. Dawn's own depend on uniform bindings' sizes
   * and each takes a descriptor pool, a memory mapping on lavapipe: the system allows some hundred.
   */
  #layout(kinds: readonly Access[] | undefined): GPUPipelineLayout | 'auto' {
    if (!kinds) return 'auto';
    const key = kinds.join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      const types = { read: 'read-only-storage', read_write: 'storage', uniform: 'uniform' } as const;
      const entries = kinds.map((kind, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        ...(kind === 'texels'
          ? { storageTexture: { access: 'read-only' as const, format: TEXEL_FORMAT as GPUTextureFormat } }
          : { buffer: { type: types[kind] } }),
      }));
      const group = this.device.createBindGroupLayout({ entries });
      layout = this.device.createPipelineLayout({ bindGroupLayouts: [group] });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  async #compile(shader: Shader): Promise<GPUComputePipeline> {
    const { name, wgsl, bindings, uniforms } = shader;
    const kinds = bindings && [...bindings, ...(uniforms ? ['uniform' as const] : [])];
    const layout = this.#layout(kinds);
    this.device.pushErrorScope('validation');
    const module = this.device.createShaderModule({ code: wgsl, label: name });
    // If the scope catches an error, the catch below reports it in better words.
    quietly(this.device.popErrorScope()).catch(() => {});
    try {
      const compute = { module, entryPoint: 'main' };
      const compiled = this.device.createComputePipelineAsync({ layout, compute, label: name });
      const pipeline = await this.fate.settled(compiled);
      if (this.defers && kinds) await this.#warmUp(pipeline, kinds);
      this.#known.set(wgsl, new WeakRef(pipeline));
      this.#gone.register(pipeline, wgsl);
      return this.#keep(pipeline);
    } catch (error) {
      this.fate.check();
      const { messages } = await this.fate.settled(module.getCompilationInfo());
      throw shaderError(name, wgsl, messages, (error as Error).message);
    }
  }

  /** Dispatches no workgroups, by a count in a buffer, because Dawn warns about a literal 0. */
  async #warmUp(pipeline: GPUComputePipeline, kinds: readonly Access[]): Promise<void> {
    const { device } = this;
    const size = device.limits.maxUniformBufferBindingSize;
    const { STORAGE, UNIFORM, INDIRECT } = GPUBufferUsage;
    this.#dummies ??= {
      zeros: device.createBuffer({ size, usage: STORAGE | UNIFORM | INDIRECT }),
      target: device.createBuffer({ size, usage: STORAGE }),
      texels: device.createTexture(texelTexture(1)),
    };
    const { zeros, target, texels } = this.#dummies;
    const entries = kinds.map((kind, binding): GPUBindGroupEntry => {
      if (kind === 'texels') return { binding, resource: texels.createView() };
      const written = { buffer: target, offset: 256 * binding, size: 256 };
      return { binding, resource: kind === 'read_write' ? written : { buffer: zeros } };
    });
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    record(device, ({ pass }) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroupsIndirect(zeros, 0);
    });
    await this.fate.settled(device.queue.onSubmittedWorkDone());
  }
}
