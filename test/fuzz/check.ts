import { DeviceArray } from '../../src/autograd/array.ts';
import { type BoundProgram, compile, type Program } from '../../src/autograd/program.ts';
import { wrap } from '../../src/autograd/shape.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import type { AdapterTraits, Kernel, Work } from '../../src/gpu/kernel.ts';
import { poisoned } from '../autograd/support.ts';
import type { Bounded } from './bounds.ts';
import { allNodes, type Case, type Problem } from './case.ts';
import { wrongVectors } from './factors.ts';
import type { Recipe } from './graphs.ts';

/** A way to compile a graph. */
interface Variant {
  readonly name: string;
  readonly traits: Partial<AdapterTraits>;
  /** Every value has a buffer of its own, and is compared. */
  readonly unfused?: boolean;
  /** Which of the kernels that compute the same; 0 is the guess. */
  readonly choice: number;
}

const VARIANTS: readonly Variant[] = [
  { name: 'fused', traits: {}, choice: 0 },
  { name: 'unfused', traits: {}, choice: 0, unfused: true },
  { name: 'as GPUs like it', traits: { kind: 'hardware' }, choice: 0 },
];
/** Taken in turns, by structure. */
const NARROW: readonly Variant[] = [
  { name: 'with few bindings', traits: { maxStorageBuffersPerStage: 6 }, choice: 0 },
  { name: 'with a narrow grid', traits: { maxWorkgroupsPerDimension: 3 }, choice: 0 },
  { name: 'as GPUs like it, unfused', traits: { kind: 'hardware' }, choice: 0, unfused: true },
  { name: 'with nothing read as uniforms', traits: { maxUniformBytes: 0, maxTexelBytes: 0 }, choice: 0 },
];

export interface Failure {
  readonly variant: string;
  readonly message: string;
}

/** How sharp the comparisons were: elements of outputs by what was known of them. */
export interface Tally {
  /** Bounded to 1e-3 of themselves, or known to be an infinity or NaN. */
  sharp: number;
  /** Bounded, but less so. */
  loose: number;
  /** Not compared: rounding decides. */
  skipped: number;
  programs: number;
}

export const newTally = (): Tally => ({ sharp: 0, loose: 0, skipped: 0, programs: 0 });

/** The Gpu with other traits and choices; `choices` collects the numbers of candidate kernels. */
function variantOf(gpu: Gpu, { traits, choice }: Variant, choices: { most: number }): Gpu {
  const base = poisoned(gpu, traits);
  const choose = async (work: readonly Work[]) =>
    work.map(({ kernel }): Kernel => {
      const all = [kernel, ...(kernel.choice?.others ?? [])];
      choices.most = Math.max(choices.most, all.length);
      return all[choice % all.length]!;
    });
  return new Proxy(base, { get: (target, key) => (key === 'choose' ? choose : Reflect.get(target, key)) });
}

type Outputs = readonly Tensor[];

/** A problem compiled in some way. */
interface Compiled {
  readonly variant: Variant;
  readonly program: Program<Outputs>;
}

/** Checks a problem in all ways; failing to compile is a failure of each of its graphs. */
async function compileAll(gpu: Gpu, { f, specs }: Problem, { steps, results, fours }: Recipe) {
  const compiled: Compiled[] = [];
  const failures: Failure[] = [];
  const start = async (variant: Variant): Promise<number> => {
    const choices = { most: 1 };
    const outputs = (...xs: Tensor[]): Outputs => (variant.unfused ? allNodes(f(...xs)) : f(...xs));
    try {
      const program = await compile(variantOf(gpu, variant, choices), outputs, specs);
      compiled.push({ variant, program });
    } catch (error) {
      gpu.check();
      failures.push({ variant: variant.name, message: (error as Error).message });
    }
    return choices.most;
  };
  await Promise.all(
    [...VARIANTS, NARROW[steps.length % NARROW.length]!].map(async (variant) => {
      const most = await start(variant);
      // Each takes seconds to compile.
      if (!variant.unfused || results !== 7 || fours >= 4 || most === 1) return;
      const choice = 1 + (fours % (most - 1));
      await start({ ...variant, choice, name: `${variant.name}, choice ${choice}` });
    }),
  );
  return { compiled, failures };
}

interface Running {
  readonly work: Case;
  readonly variant: Variant;
  readonly bound: BoundProgram<Outputs>;
}

/** Compiles, runs twice and compares some graphs side by side; returns the failures of each. */
export async function check(
  gpu: Gpu,
  cases: readonly Case[],
  tally: Tally = newTally(),
): Promise<Failure[][]> {
  const problems = new Map(cases.map(({ problem, recipe }) => [problem, recipe]));
  const made = new Map(
    await Promise.all(
      [...problems].map(
        async ([problem, recipe]) => [problem, await compileAll(gpu, problem, recipe)] as const,
      ),
    ),
  );
  const failures = cases.map((work) => [...innerFailure(work), ...made.get(work.problem)!.failures]);
  const arrays: DeviceArray[] = [];
  const running: Running[] = [];
  try {
    for (const work of cases) {
      const { problem, values } = work;
      const own = problem.specs.map(({ shape, dtype }, i) => DeviceArray.from(gpu, values[i]!, shape, dtype));
      arrays.push(...own);
      for (const { variant, program } of made.get(problem)!.compiled) {
        running.push({ work, variant, bound: program.bind(own) });
      }
    }
    tally.programs += running.length;
    const [first, second] = [await runAll(gpu, running), await runAll(gpu, running)];
    running.forEach(({ work, variant }, r) => {
      const own = failures[cases.indexOf(work)]!;
      const counted = variant.unfused ? newTally() : tally;
      (variant.unfused ? work.nodes : work.outputs).forEach((want, o) => {
        const [got, again] = [first[r]![o]!, second[r]![o]!];
        const differs = got.bits.findIndex((x, i) => x !== again.bits[i]);
        const where = `${variant.unfused ? 'value' : 'output'} ${o}: ${want.dtype}[${want.shape}]`;
        const fail = (what: string) => own.push({ variant: variant.name, message: `${where} ${what}` });
        if (differs >= 0) fail(`differs from run to run at element ${differs}`);
        const wrong = compare(got, want, counted);
        if (wrong) fail(wrong);
      });
    });
  } finally {
    for (const { bound } of running) bound.dispose();
    for (const array of arrays) array.dispose();
  }
  return failures;
}

interface Words {
  readonly bits: Uint32Array;
  readonly floats: Float32Array;
}

/** One run of everything in one submit; all outputs come back together. */
async function runAll(gpu: Gpu, running: readonly Running[]): Promise<Words[][]> {
  gpu.submit(running.map(({ bound }) => bound));
  const outputs = running.flatMap(({ bound }) => bound.outputs);
  const total = outputs.reduce((n, a) => n + a.bytes, 0);
  const staging = gpu.createBuffer(total);
  try {
    const encoder = gpu.device.createCommandEncoder();
    let at = 0;
    for (const a of outputs) {
      encoder.copyBufferToBuffer(a.buffer, a.byteOffset, staging, at, a.bytes);
      at += a.bytes;
    }
    gpu.device.queue.submit([encoder.finish()]);
    const all = await gpu.read(staging, 0, total);
    at = 0;
    return running.map(({ bound }) =>
      bound.outputs.map((a) => {
        const words = { bits: new Uint32Array(all, at, a.size), floats: new Float32Array(all, at, a.size) };
        at += a.bytes;
        return words;
      }),
    );
  } finally {
    gpu.destroyBuffer(staging);
  }
}

/** What is wrong with an output, if anything is. */
function compare(
  { bits, floats }: Words,
  { dtype, data, error, factor }: Bounded,
  tally: Tally,
): string | undefined {
  let wrong: string | undefined;
  for (let i = 0; i < data.length; i++) {
    const [want, slack] = [data[i]!, error[i]!];
    if (slack === Number.POSITIVE_INFINITY) {
      tally.skipped++;
      continue;
    }
    if (!(slack > 1e-3 * Math.abs(want))) tally.sharp++;
    else tally.loose++;
    const got = dtype === 'f32' ? floats[i]! : wrap(dtype, bits[i]!);
    const same = Number.isFinite(want) ? Math.abs(got - want) <= slack : Object.is(got, want);
    if (!same) wrong ??= `is ${got} at element ${i} of ${data.length}, not ${want} ± ${slack}`;
  }
  return wrong ?? (factor && wrongVectors(factor, floats));
}

function innerFailure({ difference }: Case): Failure[] {
  if (!difference || !(difference.bound < Number.POSITIVE_INFINITY)) return [];
  if (Math.abs(difference.value) <= difference.bound) return [];
  return [
    {
      variant: 'interpreter',
      message: `⟨u, Jv⟩ − ⟨Jᵀu, v⟩ is ${difference.value}, not 0 ± ${difference.bound}`,
    },
  ];
}
