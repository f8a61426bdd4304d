import { findHostAdapter } from '#host/adapter';
import { CollimateError, checkWhole } from '../errors.ts';
import type { FoundAdapter } from '../gpu/adapter.ts';
import { type DeviceOptions, Gpu, type KernelChooser } from '../gpu/device.ts';
import { checkDevice, WrongAnswers } from './known-answers.ts';

/** Finds the requested adapter, or the best, with that many threads. */
type Search = (requested?: string, threads?: number) => Promise<FoundAdapter>;
/** `openWide` opens the device for {@link Gpu.wide} unless the adapter knows better. */
type Options = OpenOptions & Pick<DeviceOptions, 'openWide'>;

/** Which adapter to open, and how. */
export interface OpenOptions {
  /** `gpu`, `system`, `swiftshader` or part of an adapter name. Node only; default: `COLLIMATE_ADAPTER`. */
  readonly adapter?: string | undefined;
  /**
   * Node only: threads that lavapipe spreads a dispatch over, 0 for its queue's alone. More suit few large
   * dispatches, 0 many small ones; the default on two cores is 0.
   */
  readonly threads?: number | undefined;
  /** Chooses between kernels that compute the same; default: each kernel's default variant. */
  readonly chooser?: KernelChooser | undefined;
  /** Where to request an adapter; default: `navigator.gpu` in browsers, Dawn in Node. */
  readonly gpu?: GPU | undefined;
}

/**
 * Opens the requested adapter, or the best there is, with all its limits. It must first reproduce known
 * answers (unless `COLLIMATE_UNCHECKED` is set). One that fails is refused; if none was requested, the next
 * best software adapter takes its place, with a warning.
 * @throws CollimateError if there is no such adapter, with what was found, or it computes wrong numbers
 *
 * @example
 * const gpu = await openGpu(); // or { adapter: 'swiftshader' }
 * const program = await compile(gpu, (x) => square(x), [[2]]);
 * (await program.run([2, 3])).data; // [4, 9]
 */
export const openGpu = (options: OpenOptions = {}): Promise<Gpu> => openFrom(findHostAdapter, options);

/** The same with the host's own search for adapters. */
export async function openFrom(find: Search, options: Options = {}): Promise<Gpu> {
  if (options.threads !== undefined) checkWhole('threads', options.threads, 0, 1024);
  if (typeof (options.adapter ?? '') !== 'string') {
    throw new CollimateError(`there is no adapter ${options.adapter}`, 'Give a part of its name.');
  }
  const env = globalThis.process?.env;
  const asked = options.adapter || options.gpu || globalThis.navigator?.gpu || env?.COLLIMATE_ADAPTER;
  let refused: WrongAnswers | undefined;
  for (const adapter of [options.adapter, ...(asked ? [] : ['system', 'swiftshader'])]) {
    try {
      const gpu = await open(find, { ...options, adapter });
      if (refused) console.warn(`${refused.message}. ${gpu.info.name} is used instead.`);
      return gpu;
    } catch (error) {
      if (!refused && !(error instanceof WrongAnswers)) throw error;
      refused ??= error as WrongAnswers;
    }
  }
  throw refused;
}

async function open(find: Search, options: Options): Promise<Gpu> {
  const found = await findAdapter(find, options);
  const threads = found.wideThreads;
  const gpu = await Gpu.create(found, {
    chooser: options.chooser,
    // Loaded with the first program, not with the page.
    examine: async (...asked) => (await import('./known-problems.ts')).examineKernels(...asked),
    confirm: async (asked) => (await import('./known-problems.ts')).confirmMatrices(asked),
    openWide: threads === undefined ? options.openWide : () => openFrom(find, { ...options, threads }),
  });
  try {
    await checkDevice(gpu);
    return gpu;
  } catch (error) {
    gpu.dispose();
    throw error;
  }
}

async function findAdapter(find: Search, { adapter, gpu, threads }: OpenOptions): Promise<FoundAdapter> {
  const given = gpu ?? globalThis.navigator?.gpu;
  if (!given) return find(adapter, threads);
  const found = await given.requestAdapter({ powerPreference: 'high-performance' });
  if (found) return { adapter: found, languageFeatures: given.wgslLanguageFeatures };
  throw new CollimateError(
    'this browser has no WebGPU adapter',
    'Use a recent Chrome, Edge, Firefox or Safari with hardware acceleration switched on.',
  );
}
