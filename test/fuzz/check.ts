import { DeviceArray } from '../../src/autograd/array.ts';
import { printGraph } from '../../src/autograd/graph.ts';
import { type BoundProgram, compile } from '../../src/autograd/program.ts';
import { input, type Tensor } from '../../src/autograd/tensor.ts';
import { ancestors, linearize } from '../../src/autograd/transform.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import type { Kernel, Work } from '../../src/gpu/kernel.ts';
import type { AdapterTraits } from '../../src/gpu/traits.ts';
import { numbers, poisoned } from '../autograd/support.ts';
import { type Bounded, boundedValues } from './bounds.ts';
import { wrongVectors } from './factors.ts';
import { build, type FuzzInput, type Recipe, type Style, styleOf } from './graphs.ts';

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
  { name: 'with few bindings', traits: { maxStorageBuffersPerStage: 4 }, choice: 0 },
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

/** A graph with the values of its inputs, and what should come out. */
export interface Case {
  readonly recipe: Recipe;
  readonly specs: readonly FuzzInput[];
  readonly values: readonly Float64Array[];
  readonly f: (...xs: Tensor[]) => Tensor[];
  readonly text: string;
  /** Bounds of the outputs, and of all nodes that can have a buffer. */
  readonly outputs: readonly Bounded[];
  readonly nodes: readonly Bounded[];
  readonly inner: { readonly value: number; readonly bound: number } | undefined;
}

/** Outputs of a graph when every value is to have a buffer. */
function allNodes(outputs: readonly Tensor[]): readonly Tensor[] {
  const made = ancestors(outputs).filter((t) => t.op !== 'input' && t.op !== 'constant');
  return made.length ? made : outputs;
}

/**
 * The function of a recipe, with what its derivative needs as further arguments: values, then Jv and Jᵀu of all outputs and
 * inputs of f32.
 */
function functionOf(recipe: Recipe): {
  specs: readonly FuzzInput[];
  f: (...xs: Tensor[]) => Tensor[];
  split: number;
} {
  const { wanted, outputs } = build(recipe);
  const values = (...xs: Tensor[]) => [...build(recipe, xs).outputs];
  const isFloat = (t: { dtype: string }) => t.dtype === 'f32';
  const floats = outputs.filter(isFloat);
  const args = wanted.flatMap((w, i) => (isFloat(w) ? [i] : []));
  if (recipe.derivative === 'none' || !floats.length || !args.length) {
    return { specs: wanted, f: values, split: -1 };
  }
  const lead = recipe.derivative === 'batch' ? [3] : [];
  const more = (t: { shape: readonly number[] }): FuzzInput => ({
    shape: [...lead, ...t.shape],
    dtype: 'f32',
  });
  const f = (...xs: Tensor[]) => {
    const own = xs.slice(0, wanted.length);
    const vs = xs.slice(wanted.length, wanted.length + args.length);
    const us = xs.slice(wanted.length + args.length);
    const at = (ts: Tensor[]) =>
      build(
        recipe,
        own.map((x, i) => ts[args.indexOf(i)] ?? x),
      ).outputs.filter(isFloat);
    const linear = linearize(
      at,
      args.map((i) => own[i]!),
    );
    return [...linear.value, ...linear.apply(vs), ...linear.applyTranspose(us)[0]];
  };
  return {
    specs: [...wanted, ...args.map((i) => more(wanted[i]!)), ...floats.map(more)],
    f,
    split: floats.length,
  };
}

const SPECIAL = [
  Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1, 3.4028234663852886e38, -3.4028234663852886e38,
  2 ** -126, 2 ** -130, -(2 ** -149), 1e30, -1e30, 1e-30, 1e20, 3e38, 88, -104, 16777216, 0.5,
]; // biome-ignore format: a list

/** Numbers of an input, which float32 holds exactly. */
function valuesFor({ shape, dtype, below }: FuzzInput, seed: number, style: Style): Float64Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const [unit, other] = [numbers(size, seed, 0, 1), numbers(size, seed + 7919, 0, 1)];
  if (dtype === 'u8') return unit.map((u) => Math.floor(256 * u));
  if (dtype === 'u32') {
    if (below !== undefined) return unit.map((u) => Math.floor(below * u));
    const wild = style === 'wide' || style === 'special';
    return unit.map((u, i) => Math.floor((wild && other[i]! < 0.3 ? 2 ** 32 - 256 : 9) * u));
  }
  const special = (i: number) => SPECIAL[Math.floor(SPECIAL.length * unit[i]!)]!;
  switch (style) {
    case 'moderate':
      return unit.map((u) => Math.fround(4 * u - 2));
    case 'lattice':
      return unit.map((u) => (Math.floor(9 * u) - 4) / 2);
    case 'positive':
      return unit.map((u) => Math.fround(0.1 + 3 * u));
    case 'wide':
      return unit.map((u, i) => Math.fround((2 * u - 1) * 2 ** (80 * other[i]! - 40)));
    case 'special':
      return unit.map((u, i) => (other[i]! < 0.12 ? Math.fround(special(i)) : Math.fround(4 * u - 2)));
  }
}

/** Carries out a recipe in float64, with bounds. */
export function prepare(recipe: Recipe): Case {
  const { specs, f, split } = functionOf(recipe);
  const values = specs.map((spec, i) => valuesFor(spec, recipe.values + 1000 * i, styleOf(recipe, i)));
  const inputs = specs.map(({ shape, dtype }, i) => input(`${i}`, shape, dtype));
  const outputs = f(...inputs);
  const graph = { inputs, outputs };
  const known = boundedValues({ inputs, outputs }, values);
  const bounds = outputs.map((t) => known.get(t)!);
  return {
    recipe,
    specs,
    values,
    f,
    text: printGraph(graph),
    outputs: bounds,
    nodes: allNodes(outputs).map((t) => known.get(t)!),
    inner: split < 0 ? undefined : innerProducts(bounds, specs, values, split),
  };
}

/** ⟨u, Jv⟩ − ⟨Jᵀu, v⟩ in float64, and how far rounding may take it from 0. */
function innerProducts(
  outputs: readonly Bounded[],
  specs: readonly FuzzInput[],
  values: readonly Float64Array[],
  split: number,
) {
  const [vs, us] = [outputs.length - 2 * split, split];
  const tangents = values.slice(specs.length - us - vs, specs.length - us);
  const cotangents = values.slice(specs.length - us);
  let [value, bound] = [0, 0];
  const addUp = (xs: readonly Bounded[], ys: readonly Float64Array[], sign: number) =>
    xs.forEach(({ data, error }, j) => {
      data.forEach((x, i) => {
        value += sign * x * ys[j]![i]!;
        // Rounding in float64 is 2²⁹ times as fine; sums may take many terms.
        bound += Math.abs(ys[j]![i]!) * (1e-6 * error[i]! + 1e-12 * Math.abs(x));
      });
    });
  addUp(outputs.slice(split, 2 * split), cotangents, 1);
  addUp(outputs.slice(2 * split), tangents, -1);
  return { value, bound };
}

/** The Gpu with other traits and choices; `choices` gathers how many kernels there were to choose from. */
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

interface Running {
  readonly work: Case;
  readonly variant: Variant;
  readonly bound: BoundProgram<readonly Tensor[]>;
}

/** Compiles, runs twice and compares some graphs side by side; returns the failures of each. */
export async function check(
  gpu: Gpu,
  cases: readonly Case[],
  tally: Tally = newTally(),
): Promise<Failure[][]> {
  const failures: Failure[][] = cases.map((work) => innerFailure(work));
  const fail = (work: Case, { name }: Variant, message: string) =>
    failures[cases.indexOf(work)]!.push({ variant: name, message });
  const arrays = new Map(
    cases.map((work) => [
      work,
      work.specs.map(({ shape, dtype }, i) => DeviceArray.from(gpu, work.values[i]!, shape, dtype)),
    ]),
  );
  const running: Running[] = [];
  const start = async (work: Case, variant: Variant): Promise<number> => {
    const choices = { most: 1 };
    const f = (...xs: Tensor[]) => (variant.unfused ? allNodes(work.f(...xs)) : work.f(...xs));
    try {
      const program = await compile(variantOf(gpu, variant, choices), f, work.specs);
      running.push({ work, variant, bound: program.bind(arrays.get(work)) });
    } catch (error) {
      gpu.check();
      fail(work, variant, `${(error as Error).message}`);
    }
    return choices.most;
  };
  try {
    await Promise.all(
      cases.map(async (work) => {
        const narrow = NARROW[work.recipe.steps.length % NARROW.length]!;
        await Promise.all(
          [...VARIANTS, narrow].map(async (variant) => {
            const most = await start(work, variant);
            if (!variant.unfused || work.recipe.results !== 7) return;
            const others = Array.from({ length: most - 1 }, (_, k) => ({
              ...variant,
              choice: k + 1,
              name: `${variant.name}, choice ${k + 1}`,
            }));
            await Promise.all(others.map((other) => start(work, other)));
          }),
        );
      }),
    );
    tally.programs += running.length;
    const [first, second] = [await runAll(gpu, running), await runAll(gpu, running)];
    running.forEach(({ work, variant }, r) => {
      const want = variant.unfused ? work.nodes : work.outputs;
      const own = variant.unfused ? newTally() : tally;
      want.forEach((w, o) => {
        const [got, again] = [first[r]![o]!, second[r]![o]!];
        const differs = got.bits.findIndex((x, i) => x !== again.bits[i]);
        const where = `${variant.unfused ? 'value' : 'output'} ${o}: ${w.dtype}[${w.shape}]`;
        if (differs >= 0) fail(work, variant, `${where} differs from run to run at element ${differs}`);
        const wrong = compare(got, w, own);
        if (wrong) fail(work, variant, `${where} ${wrong}`);
      });
    });
  } finally {
    for (const { bound } of running) bound.dispose();
    for (const array of [...arrays.values()].flat()) array.dispose();
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
    const got = dtype === 'f32' ? floats[i]! : bits[i]!;
    const same = Number.isFinite(want) ? Math.abs(got - want) <= slack : Object.is(got, want);
    if (!same) wrong ??= `is ${got} at element ${i} of ${data.length}, not ${want} ± ${slack}`;
  }
  return wrong ?? (factor && wrongVectors(factor, floats));
}

function innerFailure({ inner }: Case): Failure[] {
  if (!inner || !(inner.bound < Number.POSITIVE_INFINITY)) return [];
  if (Math.abs(inner.value) <= inner.bound) return [];
  return [
    {
      variant: 'interpreter',
      message: `⟨u, Jv⟩ − ⟨Jᵀu, v⟩ is ${inner.value}, not 0 ± ${inner.bound}`,
    },
  ];
}
