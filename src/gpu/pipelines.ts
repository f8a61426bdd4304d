import { shaderError } from './failures.ts';
import type { Fate } from './fate.ts';
import type { Kernel } from './kernel.ts';
import { TEXEL_FORMAT } from './texels.ts';
import { quietly } from './wait.ts';

/** A kernel to be compiled; its layout is taken from the source if nothing is said of its bindings. */
export type Shader = Pick<Kernel, 'name' | 'wgsl'> & Partial<Pick<Kernel, 'bindings' | 'uniforms'>>;

/**
 * Pipelines that are kept although no program may need them any more: several times as many as a run has. One that falls out is
 * freed with the last program that uses it, and compiled anew if it is asked for again.
 */
const MOST_KEPT = 512;

/** The compiled pipelines of a device, by their sources. */
export class Pipelines {
  /** In the order in which they were last asked for. */
  readonly #known = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<string, GPUPipelineLayout>();

  constructor(
    private readonly device: GPUDevice,
    private readonly fate: Fate,
  ) {}

  /** See {@link Gpu.pipeline}. */
  get(shader: Shader): Promise<GPUComputePipeline> {
    const pipeline = this.#known.get(shader.wgsl) ?? this.#compile(shader);
    this.#known.delete(shader.wgsl);
    this.#known.set(shader.wgsl, pipeline);
    if (this.#known.size > MOST_KEPT) this.#known.delete(this.#known.keys().next().value!);
    return pipeline;
  }

  clear(): void {
    this.#known.clear();
    this.#layouts.clear();
  }

  /**
   * One layout for all kernels with bindings of the same kinds. Of layouts that Dawn makes itself there would be one for
   * each size of a uniform binding, and for each it takes a pool of descriptors, every one a memory mapping on lavapipe:
   * the system's limit of them is met after some hundred layouts.
   */
  #layout({ bindings, uniforms }: Shader): GPUPipelineLayout | 'auto' {
    if (!bindings) return 'auto';
    const kinds = [...bindings, ...(uniforms ? ['uniform' as const] : [])];
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
    const { name, wgsl } = shader;
    const layout = this.#layout(shader);
    this.device.pushErrorScope('validation');
    const module = this.device.createShaderModule({ code: wgsl, label: name });
    // What the scope catches is asked for below, in better words.
    quietly(this.device.popErrorScope()).catch(() => {});
    try {
      const compute = { module, entryPoint: 'main' };
      const compiled = this.device.createComputePipelineAsync({ layout, compute, label: name });
      return await this.fate.settled(compiled);
    } catch (error) {
      this.fate.check();
      const { messages } = await this.fate.settled(module.getCompilationInfo());
      throw shaderError(name, wgsl, messages, (error as Error).message);
    }
  }
}
