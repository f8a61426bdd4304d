import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernel, Work } from '../gpu/kernel.ts';
import type { DeviceMemory } from '../gpu/memory.ts';
import type { Call, Recorder, Runnable } from '../gpu/runnable.ts';
import { DeviceArray, expectGpu } from './array.ts';
import { expectApart, fitting, replacements } from './binding.ts';
import { type Graph, trace } from './graph.ts';
import { lateKernels, loadWanted } from './late.ts';
import type { BufferRef } from './lower/memory.ts';
import { type Plan, plan } from './lower/plan.ts';
import type { As, GivenArgs, Specs, TracedArgs } from './signature.ts';
import { expectOptions, type Tensor } from './tensor.ts';
import { leavesLike, treeUnflatten } from './tree.ts';

const isDeviceArray = (x: unknown): x is DeviceArray => x instanceof DeviceArray;
/** What a program takes for a tensor. */
type Data = DeviceArray | ArrayLike<number> | number;
const isData = (x: unknown): x is Data =>
  typeof x === 'number' ||
  isDeviceArray(x) ||
  ArrayBuffer.isView(x) ||
  (Array.isArray(x) && typeof x[0] === 'number');

/** How {@link compile} compiles. */
export interface CompileOptions {
  /** Name for profiles. */
  label?: string;
  /** `[result, argument]` pairs, by position: the result is written to the arrays of the argument. */
  inPlace?: readonly (readonly [number, number])[];
  /**
   * `f16` lets matrix products round their operands to f16 (11 bits, up to 65504) where that may be faster;
   * sums stay f32. In Node, on GPUs with units that multiply matrices of f16, these are used once they have
   * reproduced a known answer; a warning says if they do not. Default: f32 throughout.
   */
  precision?: 'f32' | 'f16';
  /** Called for each compiled kernel, with the number so far and the total. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Traces a function, with its derivatives, and compiles all kernels in parallel. Before the first
 * use of a kernel family the device must reproduce a known answer with it.
 * @throws WrongAnswers if that is wrong
 *
 * @example
 * const double = await compile(gpu, (x) => mul(x, 2), [[3]]);
 * (await double.run([1, 2, 3])).data; // [2, 4, 6]
 */
export async function compile<const S extends Specs, const R>(
  gpu: Gpu,
  f: (...args: TracedArgs<S>) => R,
  specs: S,
  options: CompileOptions = {},
): Promise<Program<R, TracedArgs<S>>> {
  const [choose, confirm] = [(work: readonly Work[]) => gpu.choose(work), () => gpu.confirmMatrices()];
  const program = await compileUnexamined(gpu, f, specs, options, choose, confirm);
  await gpu.examine(program.plan.dispatches.map(({ kernel }) => kernel));
  return program;
}

/** The same without known answers and, by default, kernel choices: for code that computes those. */
export async function compileUnexamined<const S extends Specs, const R>(
  gpu: Gpu,
  f: (...args: TracedArgs<S>) => R,
  specs: S,
  options: CompileOptions = {},
  choose = async (work: readonly Work[]): Promise<readonly Kernel[]> => work.map(({ kernel }) => kernel),
  confirm = async (): Promise<boolean> => true,
): Promise<Program<R, TracedArgs<S>>> {
  expectGpu('compile', gpu);
  expectOptions('compile', options, ['label', 'inPlace', 'precision', 'onProgress']);
  const graph = trace(f, specs);
  const { precision = 'f32' } = options;
  const halfProducts = precision === 'f16';
  if (!halfProducts && precision !== 'f32') {
    throw new CollimateError(`there is no precision ${precision}`, 'Choose f32 or f16.');
  }
  if (halfProducts && !gpu.traits.f16) {
    throw new CollimateError(
      `${gpu.info.name} cannot compute in f16: it lacks the feature shader-f16`,
      'Leave out `precision`, or choose another adapter.',
    );
  }
  const halfMatrices = halfProducts && (await confirm()) ? gpu.traits.halfMatrices : undefined;
  const traits = { ...gpu.traits, halfProducts, halfMatrices };
  if (traits.kind === 'software') lateKernels.matmulBroadcast.want();
  if (halfMatrices) lateKernels.matmulUnits.want();
  await loadWanted();
  const lowered = plan(graph, traits, { inPlace: replacements(graph, options.inPlace) });
  const work = lowered.dispatches.map(({ kernel, buffers }) => ({
    kernel,
    bytes: buffers.map(({ bytes }) => bytes),
  }));
  const chosen = await choose(work);
  const dispatches = lowered.dispatches.map((dispatch, i) => ({ ...dispatch, kernel: chosen[i]! }));
  let done = 0;
  const compiled = async (kernel: Kernel) => {
    const pipeline = await gpu.pipeline(kernel);
    options.onProgress?.(++done, chosen.length);
    return pipeline;
  };
  const pipelines = await Promise.all(chosen.map(compiled));
  return new Program(
    gpu,
    graph,
    { ...lowered, dispatches },
    pipelines,
    options.label ?? (f.name || 'program'),
  );
}

/** A compiled function: a fixed list of dispatches over planned memory. */
// biome-ignore lint/suspicious/noExplicitAny: a program of any function
export class Program<R = any, A extends readonly unknown[] = any> {
  constructor(
    readonly gpu: Gpu,
    readonly graph: Graph<R>,
    readonly plan: Plan,
    readonly pipelines: readonly GPUComputePipeline[],
    readonly label: string,
  ) {}

  /**
   * Binds the program to arrays: bind groups are made once, and each run then only encodes dispatches.
   * Arguments have the structures that the function takes and returns. Host data are copied into arrays that
   * the bound program owns; so are outputs not given, unless they replace inputs.
   */
  bind(inputs: GivenArgs<A>, outputs?: As<R, 'device'>): BoundProgram<R, A> {
    const { args, result } = this.graph;
    const made: DeviceArray[] = [];
    const keep = (array: DeviceArray): DeviceArray => {
      made.push(array);
      return array;
    };
    const upload = (data: Exclude<Data, DeviceArray>, { shape, dtype }: Tensor, name: string) =>
      keep(DeviceArray.from(this.gpu, typeof data === 'number' ? [data] : data, shape, dtype, name));
    try {
      const given = leavesLike(`${this.label}: input`, args, inputs, isData).map(({ value, ...where }) =>
        isDeviceArray(value)
          ? fitting(this.gpu, { value, ...where })
          : upload(value, where.model, where.name),
      );
      given.push(...this.plan.constants.map((t) => upload(t.params.data!, t, t.params.name)));
      const results =
        outputs === undefined
          ? this.graph.outputs.map((_, o) => given[this.plan.inPlace.get(o) ?? -1])
          : leavesLike(`${this.label}: output`, result, outputs, isDeviceArray).map((x) =>
              fitting(this.gpu, x),
            );
      expectApart(this.label, this.plan, given, results);
      const bound = this.graph.outputs.map(
        ({ shape, dtype }, o) =>
          results[o] ?? keep(DeviceArray.zeros(this.gpu, shape, dtype, `${this.label} output`)),
      );
      return new BoundProgram(this, given, bound, made);
    } catch (error) {
      for (const array of made) array.dispose();
      throw error;
    }
  }

  /** Runs once on host data (or device arrays) in the structure of the specs and reads everything back. */
  async run(...args: GivenArgs<A>): Promise<As<R, 'host'>> {
    using bound = this.bind(args);
    bound.submit();
    const values = await Promise.all(
      bound.outputs.map(async (a) => ({ shape: a.shape, dtype: a.dtype, data: await a.read() })),
    );
    return treeUnflatten(this.graph.result, values) as As<R, 'host'>;
  }
}

interface CopyingCall extends Call {
  readonly copies: readonly { from: GPUBufferBinding; bytes: number; to: GPUTexture }[];
}

function encodeCall(recorder: Recorder, call: CopyingCall): void {
  for (const { from, bytes, to } of call.copies) recorder.copyToTexels(from, bytes, to);
  recorder.dispatch(call);
}

/** A program with its arrays. */
// biome-ignore lint/suspicious/noExplicitAny: a program of any function
export class BoundProgram<R = any, A extends readonly unknown[] = any> implements Runnable, Disposable {
  readonly #made: readonly DeviceArray[];
  readonly #slots: GPUBuffer[];
  readonly #textures: GPUTexture[];
  readonly #uniforms?: GPUBuffer;
  /** Buffers of inputs and outputs. */
  readonly #bound: ReadonlySet<GPUBuffer>;
  readonly #calls: readonly CopyingCall[];
  #disposed = false;

  /** `made` are the arrays that it owns. */
  constructor(
    readonly program: Program<R, A>,
    readonly inputs: readonly DeviceArray[],
    readonly outputs: readonly DeviceArray[],
    made: readonly DeviceArray[],
  ) {
    const { gpu, plan, label, pipelines } = program;
    this.#made = made;
    this.#bound = new Set([...inputs, ...outputs].map((array) => array.buffer));
    this.#slots = plan.slots.map((bytes, i) => gpu.memory.borrowBuffer(bytes, `${label} slot ${i}`));
    this.#textures = plan.textures.map((bytes, i) => gpu.memory.borrowTexels(bytes, `${label} texture ${i}`));

    // One buffer holds all kernels' uniforms; each part starts where the adapter lets a binding start.
    const places = new Map<Kernel, number>();
    let total = 0;
    for (const { kernel } of plan.dispatches) {
      if (!kernel.uniforms || places.has(kernel)) continue;
      places.set(kernel, total);
      total += Math.ceil((4 * kernel.uniforms.length) / 256) * 256;
    }
    const contents = new Uint32Array(total / 4);
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    if (total) this.#uniforms = gpu.createBuffer(total, { label: `${label} uniforms`, usage });

    const buffer = ({ kind, index, bytes, offset = 0 }: BufferRef): GPUBufferBinding => {
      // A slot may be larger than what lies in it now.
      const size = Math.max(16 * Math.ceil(bytes / 16), 16);
      if (kind === 'slot') return { buffer: this.#slots[index]!, offset, size };
      const array = (kind === 'input' ? inputs : outputs)[index]!;
      return { buffer: array.buffer, offset: array.byteOffset + offset, size };
    };
    this.#calls = plan.dispatches.map(({ kernel, buffers, copies }, i) => {
      const bound = buffers.map((ref) => (ref.kind === 'texture' ? this.#textures[ref.index]! : buffer(ref)));
      if (kernel.uniforms) {
        const offset = places.get(kernel)!;
        contents.set(kernel.uniforms, offset / 4);
        const size = 16 * Math.ceil((4 * kernel.uniforms.length) / 16);
        bound.push({ buffer: this.#uniforms!, offset, size });
      }
      const pipeline = pipelines[i]!;
      return {
        copies: copies.map(({ from, to }) => ({
          from: buffer(from),
          bytes: from.bytes,
          to: this.#textures[to.index]!,
        })),
        ...{ pipeline, group: gpu.bindGroup(pipeline, bound), grid: kernel.grid },
      };
    });
    if (this.#uniforms) gpu.write(this.#uniforms, 0, contents);
  }

  get label(): string {
    return this.program.label;
  }

  check(memory: DeviceMemory): void {
    if (this.#disposed) {
      throw new CollimateError(`${this.label}: the bound program was disposed of`, 'Bind its arrays again.');
    }
    for (const buffer of this.#bound) {
      if (memory.holds(buffer)) continue;
      throw new CollimateError(
        `${buffer.label || 'an array'} was disposed of, or lies on another device than the program ${this.label}`,
        'Keep arrays alive while programs are bound to them, and run programs on their own device.',
      );
    }
  }

  encode(recorder: Recorder): void {
    for (const call of this.#calls) encodeCall(recorder, call);
  }

  /** The dispatches one by one, to be timed. */
  get dispatches(): Runnable['dispatches'] {
    return this.#calls.map((call, i) => ({
      kernel: this.program.plan.dispatches[i]!.kernel,
      encode: (recorder) => encodeCall(recorder, call),
    }));
  }

  /** Queues one run. */
  submit(): void {
    this.program.gpu.submit([this]);
  }

  /** The output arrays, structured as the function returns them. */
  get result(): As<R, 'device'> {
    return treeUnflatten(this.program.graph.result, this.outputs) as As<R, 'device'>;
  }

  /** The input arrays, structured as the function takes them. */
  get args(): As<A, 'device'> {
    return treeUnflatten(this.program.graph.args, this.inputs) as As<A, 'device'>;
  }

  /** Frees temporaries and the arrays that {@link Program.bind} made. */
  dispose(): void {
    this.#disposed = true;
    const { gpu } = this.program;
    for (const buffer of this.#slots.splice(0)) gpu.memory.releaseBuffer(buffer);
    for (const texture of this.#textures.splice(0)) gpu.memory.releaseTexels(texture);
    if (this.#uniforms) gpu.destroyBuffer(this.#uniforms);
    for (const array of this.#made) array.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
