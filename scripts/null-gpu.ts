import { spawn } from 'node:child_process';
import { closeSync, createReadStream, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph } from '../src/autograd/graph.ts';
import { loadWanted } from '../src/autograd/late.ts';
import { plan } from '../src/autograd/lower/plan.ts';
import { run } from '../src/cli/reproduce.ts';
import { CollimateError } from '../src/errors.ts';
import { Gpu } from '../src/gpu/device.ts';
import type { Kernel } from '../src/gpu/kernel.ts';
import type { Shader } from '../src/gpu/pipelines.ts';
import { openGpu } from '../src/host/open.ts';
import { type MachineCode, machineCode } from './machine-code.ts';

/**
 * GPUs that are not there: Mesa's drivers on a kernel interface that accepts all work and does none (Mesa's
 * drm-shim). They compile the same code as on the GPU itself.
 */
interface NullGpu {
  readonly title: string;
  readonly driver: 'radeon' | 'nouveau';
  readonly chip: string;
  /** Multiply-adds per cycle of a SIMD, and SIMDs that share 128 bytes a cycle of workgroup memory. */
  readonly width: number;
  readonly simds: number;
}

export const nullGpus = {
  navi31: { title: 'RDNA 3', driver: 'radeon', chip: 'navi31', width: 64, simds: 2 },
  navi21: { title: 'RDNA 2', driver: 'radeon', chip: 'navi21', width: 32, simds: 2 },
  vega10: { title: 'GCN 5', driver: 'radeon', chip: 'vega10', width: 16, simds: 4 },
  gfx1150: { title: 'RDNA 3.5', driver: 'radeon', chip: 'gfx1150', width: 64, simds: 2 },
  ampere: { title: 'Ampere', driver: 'nouveau', chip: '0x172', width: 32, simds: 4 },
} as const satisfies Record<string, NullGpu>;
export type NullGpuName = keyof typeof nullGpus;

const DRIVERS = {
  radeon: {
    ...{ shim: 'libamdgpu_noop_drm_shim.so', chip: 'AMDGPU_GPU_ID' },
    prints: { RADV_DEBUG: 'shaderstats,asm,cs,nocache' },
  },
  nouveau: {
    ...{ shim: 'libnouveau_noop_drm_shim.so', chip: 'NOUVEAU_CHIPSET' },
    prints: { NAK_DEBUG: 'print', MESA_SHADER_CACHE_DISABLE: '1' },
  },
} as const;
const MANIFESTS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];
const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
];
const ARCHITECTURES = ['', '.x86_64', '.aarch64'];

const firstOf = (folders: readonly string[], names: readonly string[]) =>
  folders.flatMap((folder) => names.map((name) => join(folder, name))).find((file) => existsSync(file));

/** Environment in which a process sees this GPU and nothing else; undefined if its driver is missing. */
function environment({ driver, chip }: NullGpu): Record<string, string> | undefined {
  const { shim, chip: variable, prints } = DRIVERS[driver];
  const manifest = firstOf(
    MANIFESTS,
    ARCHITECTURES.map((suffix) => `${driver}_icd${suffix}.json`),
  );
  const library = firstOf(LIBRARIES, [shim]);
  if (!manifest || !library) return;
  return {
    VK_DRIVER_FILES: manifest,
    VK_ICD_FILENAMES: manifest,
    LD_PRELOAD: library,
    [variable]: chip,
    ...prints,
  };
}

export const isInstalled = (name: NullGpuName): boolean => environment(nullGpus[name]) !== undefined;

/** A kernel or variant, and how often it is dispatched. */
export interface Compiled {
  readonly name: string;
  readonly variant: string;
  readonly grid: string;
  dispatches: number;
  readonly code: MachineCode | undefined;
}

const MARK = '@collimate@';
const IN_CHILD = 'COLLIMATE_NULL_GPU';

/** Whether this process is one that {@link compileFor} started. */
export const onNullGpu = (): boolean => process.env[IN_CHILD] !== undefined;

/**
 * Starts this command again on a null GPU, and collects what its driver says of each kernel.
 * @throws CollimateError if the driver is not installed, or a kernel does not compile
 */
export async function compileFor(name: NullGpuName): Promise<Compiled[]> {
  const { title, driver } = nullGpus[name];
  const env = environment(nullGpus[name]);
  if (!env) {
    throw new CollimateError(
      `the ${driver} driver of Mesa, which compiles for ${title}, or its drm-shim is not installed`,
      'On Debian 13: `apt-get install mesa-vulkan-drivers mesa-drm-shim libvulkan1`; on Debian 12 add `-t bookworm-backports`, which lacks the nouveau driver.',
    );
  }
  const found: Compiled[] = [];
  const errors: string[] = [];
  // Each part is a mark, and what the driver says before the next one.
  const take = (part: string) => {
    const [line, ...said] = part.split('\n');
    if (!line!.startsWith('{')) return;
    const { name: kernel, variant = '', grid, error, counts } = JSON.parse(line!);
    const text = said.join('\n');
    if (counts) for (const [i, dispatches] of counts.entries()) found[i]!.dispatches = dispatches;
    else if (error) errors.push(error);
    else if (kernel) found.push({ name: kernel, variant, grid, dispatches: 0, code: machineCode(text) });
    else if (/^error:/m.test(text)) errors.push(text.trim());
  };
  const folder = mkdtempSync(join(tmpdir(), 'collimate-null-'));
  // To a file, as drivers lose what overflows a pipe.
  const log = join(folder, 'log');
  const to = openSync(log, 'w');
  let rest = '';
  let status: number | null;
  try {
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, ...env, [IN_CHILD]: folder, COLLIMATE_UNCHECKED: '1', COLLIMATE_ADAPTER: 'gpu' },
      stdio: ['ignore', 'ignore', to],
    });
    status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject).on('close', resolve);
    });
    for await (const chunk of createReadStream(log, 'utf8')) {
      const parts = (rest + chunk).split(MARK);
      rest = parts.pop()!;
      parts.forEach(take);
    }
    take(rest);
  } finally {
    closeSync(to);
    rmSync(folder, { recursive: true, force: true });
  }
  const silent = found.find(({ code }) => !code);
  if (silent) errors.push(`the driver says nothing of ${silent.name}`);
  if (errors.length === 0 && status === 0) return found;
  throw new CollimateError(
    `on ${title}: ${errors.join('\n') || `it ended with status ${status}: ${rest.slice(-500)}`}`,
    'Look at the kernel with `npm run explain -- … --wgsl`.',
  );
}

/** In the started process: compiles `work`'s kernels one by one, between marks for {@link compileFor}. */
export async function recordCompilation(work: (gpu: () => Promise<Gpu>) => Promise<void>): Promise<void> {
  const say = (what: object) => writeSync(2, `${MARK}${JSON.stringify(what)}\n`);
  const { pipeline, submit, read } = Gpu.prototype;
  const known = new Map<string, number>();
  const counts: number[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const compile = async (gpu: Gpu, kernel: Shader & Partial<Kernel>) => {
    const isNew = !known.has(kernel.wgsl);
    if (isNew) {
      known.set(kernel.wgsl, counts.length);
      counts.push(0);
      say({ name: kernel.name, variant: kernel.variant, grid: kernel.grid?.join('×') ?? '' });
    }
    const made = await pipeline.call(gpu, kernel).catch((error: Error) => {
      say({ error: error.message });
      throw error;
    });
    if (isNew) say({});
    return made;
  };
  Gpu.prototype.pipeline = function (kernel: Shader & Partial<Kernel>) {
    const made = last.then(async () => {
      const own = await compile(this, kernel);
      for (const other of kernel.choice?.others ?? []) await compile(this, other);
      return own;
    });
    last = made.catch(() => {});
    return made;
  };
  Gpu.prototype.submit = function (programs, times = 1) {
    for (const { dispatches } of programs) {
      for (const { kernel } of dispatches) counts[known.get(kernel.wgsl)!]! += times;
    }
    submit.call(this, programs, times);
  };
  // Results are zeros or whatever lay in memory, which would stop training.
  Gpu.prototype.read = async function (...place) {
    const bytes = await read.apply(this, place);
    new Float32Array(bytes, 0, bytes.byteLength >> 2).fill(0.5);
    return bytes;
  };
  await work(() => openGpu());
  say({ counts });
}

/** Compiles a graph's kernels. */
export async function compileGraph(gpu: Gpu, graph: Graph, halfProducts: boolean): Promise<void> {
  await loadWanted();
  for (const { kernel } of plan(graph, { ...gpu.traits, halfProducts }).dispatches)
    await gpu.pipeline(kernel);
}

/** Trains and analyzes an experiment at its smallest, in the parent process's folder. */
export async function compileExperiment(name: string): Promise<void> {
  const out = join(process.env[IN_CHILD]!, name);
  const status = await run([name, '--preset', 'smoke', '--tune', 'off', '--out', out]);
  if (status !== 0) throw new Error(`reproduce ${name} ended with status ${status}`);
}
