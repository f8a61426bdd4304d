import { CollimateError, checkWhole } from '../errors.ts';
import type { FoundAdapter } from '../gpu/adapter.ts';
import { Gpu, type KernelChooser } from '../gpu/device.ts';
import { inNode } from '../gpu/wait.ts';
import { checkDevice, examineKernels, WrongAnswers } from './known-answers.ts';

/** Which adapter to open, and how. */
export interface OpenOptions {
  /** `gpu`, `system`, `swiftshader` or a part of an adapter's name. Node only; `COLLIMATE_ADAPTER` is the default. */
  readonly adapter?: string | undefined;
  /**
   * Node only: over how many threads lavapipe spreads a dispatch, 0 for none beside its queue's own. More are better for few
   * large dispatches, none for many small ones, which is what counts by default where there are but two cores.
   */
  readonly threads?: number | undefined;
  /** Who decides between kernels that compute the same; by default each kernel itself is taken. */
  readonly chooser?: KernelChooser | undefined;
  /** Where to ask for an adapter; by default `navigator.gpu` in browsers, and Dawn in Node. */
  readonly gpu?: GPU | undefined;
}

/**
 * Opens the best adapter there is, or the one asked for, with all its limits. It computes some known answers first (unless
 * `COLLIMATE_UNCHECKED` is set). One that gets them wrong is refused; where none was asked for, the next best software adapter
 * is taken in its place, and a warning says so.
 * @throws CollimateError if it cannot be had, with what was found instead, or computes wrong numbers
 */
export async function openGpu(options: OpenOptions = {}): Promise<Gpu> {
  if (options.threads !== undefined) checkWhole('threads', options.threads, 0, 1024);
  if (typeof (options.adapter ?? '') !== 'string') {
    throw new CollimateError(`there is no adapter ${options.adapter}`, 'Give a part of its name.');
  }
  const env = globalThis.process?.env;
  const asked = options.adapter || options.gpu || globalThis.navigator?.gpu || env?.COLLIMATE_ADAPTER;
  let refused: WrongAnswers | undefined;
  for (const adapter of [options.adapter, ...(asked ? [] : ['system', 'swiftshader'])]) {
    try {
      const gpu = await open({ ...options, adapter });
      if (refused) console.warn(`${refused.message}. ${gpu.info.name} is used instead.`);
      return gpu;
    } catch (error) {
      if (!refused && !(error instanceof WrongAnswers)) throw error;
      refused ??= error as WrongAnswers;
    }
  }
  throw refused;
}

async function open(options: OpenOptions): Promise<Gpu> {
  const found = await findAdapter(options);
  const threads = found.wideThreads;
  const gpu = await Gpu.create(found, {
    chooser: options.chooser,
    examine: examineKernels,
    openWide: threads === undefined ? undefined : () => openGpu({ ...options, threads }),
  });
  try {
    await checkDevice(gpu);
    return gpu;
  } catch (error) {
    gpu.dispose();
    throw error;
  }
}

async function findAdapter({ adapter, gpu, threads }: OpenOptions): Promise<FoundAdapter> {
  const given = gpu ?? globalThis.navigator?.gpu;
  if (!given && inNode) {
    const { findNodeAdapter } = await import('./node-adapter.ts');
    return findNodeAdapter(adapter, threads);
  }
  const found = await given?.requestAdapter({ powerPreference: 'high-performance' });
  if (given && found) return { adapter: found, languageFeatures: given.wgslLanguageFeatures };
  if (!given && globalThis.isSecureContext === false) {
    throw new CollimateError(
      `the page ${globalThis.location?.origin ?? ''} is not secure, and browsers offer WebGPU to secure pages only`,
      'serve it over https, or from localhost',
    );
  }
  throw new CollimateError(
    given ? 'this browser has no WebGPU adapter' : 'this browser does not offer WebGPU',
    'use a recent Chrome, Edge, Firefox or Safari with hardware acceleration switched on',
  );
}
