import { availableParallelism, totalmem } from 'node:os';
import { command } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { type FoundAdapter, infoOf, MATRICES, SIZED, softwareNames } from '../gpu/adapter.ts';
import { quietly } from '../gpu/wait.ts';
import { withoutDawnWarnings } from './dawn-output.ts';
import { needPackages } from './packages.ts';
import { hasVulkanLoader, loadLibrary, unpackSwiftShader } from './swiftshader.ts';

/**
 * Adapter choice in Node. In order: a GPU, an installed software driver, the bundled SwiftShader.
 * `requested` is `gpu`, `system`, `swiftshader` or part of an adapter's name; default: `COLLIMATE_ADAPTER`'s
 * value. `threads` is lavapipe's pool size. Devices of adapters found `apart` from others compute beside
 * theirs.
 * @throws CollimateError naming what was requested and what there is instead
 */
export function findHostAdapter(requested?: string, threads?: number, apart = false): Promise<FoundAdapter> {
  const found = last.then(() => {
    instance = apart ? 1 : 0;
    return withThreads(threads, (narrow) => find(requested, narrow));
  });
  last = found.catch(() => {});
  return found;
}

/** Names of the installed GPUs, each once, as Dawn cannot tell equal ones apart. */
export async function gpuNames(): Promise<string[]> {
  const names = last.then(adapterNames);
  last = names.catch(() => {});
  return [...new Set(await names)].filter((name) => !softwareNames.test(name));
}

/** One search at a time, since the shared environment chooses and sets up drivers. */
let last: Promise<unknown> = Promise.resolve();
/** Which of two Dawn instances the search uses: lavapipe serves one instance's devices in turns. */
let instance = 0;

async function find(requested: string | undefined, narrow: boolean): Promise<FoundAdapter> {
  const wanted = (requested || process.env.COLLIMATE_ADAPTER || '').trim().toLowerCase();
  const refusals: { from: string; reason: string; remedy?: string | undefined }[] = [];
  const attempt = async (from: string, ask: () => Promise<GPUAdapter | undefined>) => {
    try {
      const adapter = await ask();
      if (adapter) return await complete(adapter, narrow);
      refusals.push({ from, reason: 'none found' });
    } catch (error) {
      if (!(error instanceof CollimateError)) throw error;
      refusals.push({ from, reason: error.message, remedy: error.remedy });
    }
    return undefined;
  };

  let found: FoundAdapter | undefined;
  switch (wanted) {
    case '':
      // Dawn puts software last, so one question serves both.
      found = await attempt('GPU or installed software driver', installed);
      found ??= await attempt('bundled SwiftShader', () => withSwiftShader(request));
      break;
    case 'gpu':
      found = await attempt('GPU', installedGpu);
      break;
    case 'system':
      found = await attempt('installed software driver', installedSoftware);
      break;
    case 'swiftshader':
      found = await attempt('bundled SwiftShader', () => withSwiftShader(request));
      break;
    default:
      found = await attempt('installed', () => byName(wanted));
      found ??= await attempt('bundled', () => withSwiftShader(() => byName(wanted)));
  }
  if (found) return found;
  const reasons = refusals.map(({ from, reason }) => (refusals.length > 1 ? `${from}: ${reason}` : reason));
  throw new CollimateError(
    `no WebGPU adapter${wanted && ` for '${wanted}'`}: ${reasons.join('; ')}`,
    refusals.findLast(({ remedy }) => remedy)?.remedy ??
      `Run \`${command('doctor')}\` to see which adapters there are and how to get a better one` +
        (wanted ? ', or leave out --adapter and COLLIMATE_ADAPTER to take the best there is.' : '.'),
  );
}

/**
 * Our kernels guard their own bounds, and Dawn's guards around every access are costly: a plain 512³ matmul
 * runs at 1.3 GFLOPS with them and 2.6 without on SwiftShader, 5.2 and 6.1 on lavapipe. `COLLIMATE_ROBUST=1`
 * restores them, to examine a suspect kernel. Timestamps come unrounded. Features that are experiments, such
 * as subgroup matrices, count as unsafe.
 */
function toggles(): string[] {
  const unguarded = process.env.COLLIMATE_ROBUST ? '' : ',disable_robustness';
  const enabled = `enable-dawn-features=allow_unsafe_apis${unguarded}`;
  return [enabled, 'disable-dawn-features=timestamp_quantization'];
}

/**
 * Everything that `create` returned, by its flags, kept for the life of the process: Dawn crashes if one is
 * collected while work of it is pending. They do not keep the process from exiting.
 */
const instances = new Map<string, Promise<GPU>>();

function dawn(...flags: string[]): Promise<GPU> {
  const all = [...toggles(), ...flags];
  const key = JSON.stringify([instance, all, process.env.VK_DRIVER_FILES, process.env.LP_NUM_THREADS]);
  let gpu = instances.get(key);
  if (!gpu) {
    gpu = loadDawn().then(({ create, globals }) => {
      Object.assign(globalThis, globals);
      return withoutDawnWarnings(() => create(all));
    });
    instances.set(key, gpu);
  }
  return gpu;
}

/**
 * Runs `ask` with lavapipe's pool size: as requested, else from the user's environment, else none on two
 * cores, since lavapipe wakes its pool for every dispatch and the host needs a core (docs/rejected.md).
 * `narrow` tells that it has none by default.
 */
async function withThreads<T>(threads: number | undefined, ask: (narrow: boolean) => Promise<T>): Promise<T> {
  const before = process.env.LP_NUM_THREADS;
  const narrow = threads === undefined && before === undefined && availableParallelism() <= 2;
  const wanted = narrow ? 0 : threads;
  if (wanted !== undefined) process.env.LP_NUM_THREADS = `${wanted}`;
  try {
    return await ask(narrow);
  } finally {
    if (before === undefined) delete process.env.LP_NUM_THREADS;
    else process.env.LP_NUM_THREADS = before;
  }
}

async function loadDawn(): Promise<typeof import('webgpu')> {
  needPackages('an adapter in Node', ['webgpu']);
  try {
    return await import('webgpu');
  } catch (cause) {
    throw new CollimateError(
      `the package webgpu does not load on ${process.platform} ${process.arch}: ${(cause as Error).message}`,
      'Use Linux (x64 or arm64, with glibc), macOS or Windows.',
      { cause },
    );
  }
}

async function request(...flags: string[]): Promise<GPUAdapter | undefined> {
  const gpu = await dawn(...flags);
  const adapter = withoutDawnWarnings(() => gpu.requestAdapter({ powerPreference: 'high-performance' }));
  return (await quietly(adapter)) ?? undefined;
}

/** The best installed driver; software only if there is no GPU. */
async function installed(): Promise<GPUAdapter | undefined> {
  if (!hasVulkanLoader() && !(await loadBundledLoader())) {
    throw new CollimateError('the system has no Vulkan loader, libvulkan.so.1');
  }
  return request();
}

/** Containers and compute nodes often have a GPU's driver but no loader; SwiftShader's loader finds it. */
async function loadBundledLoader(): Promise<boolean> {
  return unpackSwiftShader().then(
    ({ loader }) => loadLibrary(loader),
    () => false,
  );
}

async function installedGpu(): Promise<GPUAdapter | undefined> {
  const adapter = await installed();
  if (!adapter || infoOf({ adapter }).kind === 'hardware') return adapter;
  throw new CollimateError(`there is only ${infoOf({ adapter }).name}, which is software`);
}

async function installedSoftware(): Promise<GPUAdapter | undefined> {
  const adapter = await installed();
  if (!adapter || infoOf({ adapter }).kind === 'software') return adapter;
  // `forceFallbackAdapter` would be the standard's way, but Dawn then looks for nothing but SwiftShader.
  const names = await adapterNames();
  const name = names.find((n) => softwareNames.test(n));
  if (name) return request(`adapter=${name}`);
  throw new CollimateError(`there is only ${names.join(', ')}, which is not software`);
}

/** Asked for an unknown adapter, Dawn lists those it has. */
async function adapterNames(): Promise<string[]> {
  const failure = await request('adapter=\u0001').catch((error: Error) => error);
  if (!(failure instanceof Error)) return [];
  return [...failure.message.matchAll(/ name: '(.*)'/g)].map((match) => match[1]!);
}

async function byName(part: string): Promise<GPUAdapter | undefined> {
  const names = await adapterNames();
  // People call the Vulkan driver llvmpipe lavapipe. Adapters' own names have dashes for all but letters.
  const plain = (words: string) => words.toLowerCase().replaceAll(/[^a-z0-9]+/g, ' ');
  const name = names.find((n) =>
    plain(`${n} ${n.startsWith('llvmpipe') ? 'lavapipe' : ''}`).includes(plain(part).trim()),
  );
  if (name) return request(`adapter=${name}`);
  if (names.length) throw new CollimateError(`only ${names.join(', ')}`);
  return undefined;
}

/** Runs `ask` while the bundled driver is the only one that the Vulkan loader sees. */
async function withSwiftShader<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  const { manifest, loader, folder } = await unpackSwiftShader();
  if (!hasVulkanLoader() && !loadLibrary(loader)) {
    throw new CollimateError(
      'its Vulkan loader cannot be loaded',
      `Set LD_LIBRARY_PATH=${folder} before starting.`,
    );
  }
  // The loader reads these at each new instance; the older name is for loaders before 1.3.207.
  const names = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = manifest;
  try {
    return await ask();
  } finally {
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  }
}

async function complete(adapter: GPUAdapter, narrow: boolean): Promise<FoundAdapter> {
  // The compiler is Dawn's, the same for all adapters.
  const languageFeatures = (await [...instances.values()][0])?.wgslLanguageFeatures;
  const backend = ({ linux: 'vulkan', darwin: 'metal', win32: 'd3d12' } as const)[
    process.platform as 'linux'
  ];
  const halfMatrices = largestMatrices(adapter);
  if (infoOf({ adapter }).kind === 'hardware') return { adapter, backend, languageFeatures, halfMatrices };
  // A software adapter uses the machine's memory, handed out lazily: too much would be killed, not refused.
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  const pool = adapter.info.device.startsWith('llvmpipe') ? process.env.LP_NUM_THREADS : undefined;
  return {
    adapter,
    backend,
    languageFeatures,
    memory: 0.9 * Math.min(totalmem(), limit),
    threads: pool === undefined ? undefined : Number(pool),
    wideThreads:
      pool !== undefined && narrow && availableParallelism() > 1 ? availableParallelism() : undefined,
  };
}

/** What Dawn says, and WebGPU does not yet. */
interface DawnInfo extends GPUAdapterInfo {
  readonly subgroupMatrixConfigs?: Iterable<
    Record<'M' | 'N' | 'K', number> & Record<'componentType' | 'resultComponentType', string>
  >;
}

/** The largest matrices of f16 that subgroups multiply to f32, where all subgroups have one size. */
function largestMatrices({ features, info }: GPUAdapter): FoundAdapter['halfMatrices'] {
  const { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs = [] } = info as DawnInfo;
  if (!features.has(MATRICES) || !(features.has(SIZED) || subgroupMinSize === subgroupMaxSize)) return;
  return [...subgroupMatrixConfigs]
    .filter((config) => config.componentType === 'f16' && config.resultComponentType === 'f32')
    .map(({ M: m, N: n, K: k }) => ({ m, n, k }))
    .sort((a, b) => b.m * b.n * b.k - a.m * a.n * a.k)[0];
}
