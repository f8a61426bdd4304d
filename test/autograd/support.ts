import { expect } from 'vitest';
import type { HostArray } from '../../src/autograd/array.ts';
import { type Graph, printGraph, trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Primitive } from '../../src/autograd/primitives.ts';
import { compile, type Program } from '../../src/autograd/program.ts';
import type { NdArray, Rule } from '../../src/autograd/rule.ts';
import { rules } from '../../src/autograd/rules.ts';
import type { Spec } from '../../src/autograd/signature.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { ancestors } from '../../src/autograd/tensor.ts';
import { treeFlatten } from '../../src/autograd/tree.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
import { TEXEL_BYTES } from '../../src/gpu/texels.ts';

/** A body's processor time over that of a reference just before: other work slows both alike. */
export function timesAsLong(body: () => void, reference: () => void): number {
  const [before, time] = [reference, body].map((f) => {
    const start = process.cpuUsage();
    f();
    const { user, system } = process.cpuUsage(start);
    return user + system;
  }) as [number, number];
  return time / before;
}

/** An operand of a function under test: its shape and its values' range. */
export interface Operand extends Spec {
  readonly low?: number;
  readonly high?: number;
}

export const of = (shape: readonly number[], low = -2, high = 2): Operand => ({ shape, low, high });
export const indices = (shape: readonly number[], high: number): Operand => ({
  shape,
  dtype: 'u32',
  low: 0,
  high,
});

/** Numbers in [low, high) that float32 holds exactly: the same for the same seed. */
export function numbers(count: number, seed: number, low = -2, high = 2): Float64Array {
  let state = (seed + 1) * 0x9e3779b9;
  return Float64Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.fround(low + ((high - low) * ((t ^ (t >>> 14)) >>> 0)) / 2 ** 32);
  });
}

export function valuesOf(operands: readonly Operand[], seed = 1): Float64Array[] {
  return operands.map(({ shape, dtype = 'f32', low, high }, i) => {
    const size = shape.reduce((a, b) => a * b, 1);
    if (dtype === 'f32') return numbers(size, seed + 100 * i, low, high);
    return numbers(size, seed + 100 * i, low ?? 0, high ?? 256).map(Math.floor);
  });
}

/** The values of a function in float64. */
export function evaluate(
  f: (...args: Tensor[]) => unknown,
  operands: readonly Spec[],
  values: readonly ArrayLike<number>[],
): NdArray[] {
  return interpret(trace(f, operands), values);
}

/**
 * The Gpu with allocations full of NaN instead of zeros, which shows elements that are read or returned
 * unwritten; with other traits, if given.
 */
export function poisoned(gpu: Gpu, traits: Partial<AdapterTraits> = {}): Gpu {
  const poison = (bytes: number) => new Uint32Array(bytes / 4).fill(0x7fc0dead);
  const poisonedBuffer = (buffer: GPUBuffer) => {
    gpu.write(buffer, 0, poison(buffer.size));
    return buffer;
  };
  const poisonedTexels = (texture: GPUTexture) => {
    const { width, height } = texture;
    const [bytesPerRow, bytes] = [TEXEL_BYTES * width, TEXEL_BYTES * width * height];
    gpu.device.queue.writeTexture({ texture }, poison(bytes), { bytesPerRow }, [width, height]);
    return texture;
  };
  const memory = new Proxy(gpu.memory, {
    get(target, key) {
      if (key === 'borrowBuffer')
        return (bytes: number, label: string) => poisonedBuffer(target.borrowBuffer(bytes, label));
      if (key === 'borrowTexels')
        return (bytes: number, label: string) => poisonedTexels(target.borrowTexels(bytes, label));
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return new Proxy(gpu, {
    get(target, key) {
      if (key === 'traits') return { ...target.traits, ...traits };
      if (key === 'createBuffer') {
        return (bytes: number, options: { label?: string; usage?: number } = {}) => {
          const buffer = target.createBuffer(bytes, options);
          return options.usage === undefined ? poisonedBuffer(buffer) : buffer;
        };
      }
      if (key === 'memory') return memory;
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

interface Agreement {
  traits?: Partial<AdapterTraits>;
  /** Maximum difference relative to each result's largest number. */
  tolerance?: number;
  values?: readonly ArrayLike<number>[];
  seed?: number;
}

/** Asserts that a function agrees on the GPU with the interpreter, and returns its program. */
export async function expectAgreement(
  gpu: Gpu,
  f: (...args: Tensor[]) => unknown,
  operands: readonly Operand[],
  { traits = {}, tolerance = 1e-5, seed = 1, values = valuesOf(operands, seed) }: Agreement = {},
): Promise<Program> {
  const program = await compile(poisoned(gpu, traits), f, operands);
  for (const { buffers } of program.plan.dispatches) {
    expect(buffers.length).toBeLessThanOrEqual(program.gpu.traits.maxStorageBuffersPerStage);
  }
  const want = interpret(program.graph, values);
  const isHost = (x: unknown): x is HostArray => ArrayBuffer.isView((x as HostArray).data);
  const got = treeFlatten(await program.run(...values), isHost);
  want.forEach((w, i) => {
    const shapes = operands.map(({ shape }) => `[${shape}]`).join(' ');
    expectClose(got[i]!.data, w.data, w.dtype === 'f32' ? tolerance : 0, `result ${i} of ${f} at ${shapes}`);
  });
  return program;
}

/** Smallest normal float32. WGSL lets adapters take smaller ones for 0, as operands and as results. */
const NORMAL = 2 ** -126;

/**
 * Asserts that a function gives on the GPU the integers and bools that the references give, and numbers of
 * the same class, each value rounded to float32: NaN, infinities by sign, the same number up to rounding, or
 * 0 of either sign. Where float32 has a subnormal on the way, 0 may take its place: the result may then be
 * that of either.
 */
export async function expectSameClass(
  gpu: Gpu,
  f: (...args: Tensor[]) => unknown,
  operands: readonly Spec[],
  values: readonly (readonly number[])[],
  { traits = {}, slack = 0 }: { traits?: Partial<AdapterTraits>; slack?: number } = {},
): Promise<void> {
  const program = await compile(poisoned(gpu, traits), f, operands);
  const wants = [(x: number) => x, flush].map((kept) => float32(program.graph, values, kept));
  const isHost = (x: unknown): x is HostArray => ArrayBuffer.isView((x as HostArray).data);
  treeFlatten(await program.run(...values), isHost).forEach(({ data, dtype }, r) => {
    const near = (got: number, want: number) =>
      Object.is(got, want) ||
      (dtype !== 'f32' && got === want) ||
      (dtype === 'f32' &&
        Number.isFinite(got) &&
        Number.isFinite(want) &&
        Math.abs(got - want) <= 1e-5 * Math.abs(want) + NORMAL + slack);
    data.forEach((got, i) => {
      const [want, flushed] = wants.map((w) => w[r]!.data[i]!) as [number, number];
      if (near(got, want) || near(got, flushed)) return;
      const [, lines] = printGraph(program.graph).split('\n', 2);
      expect.fail(`result ${r} of ${f}, element ${i}: ${got}, not ${want}\n${lines}`);
    });
  });
}

/** Of a subnormal number, 0. */
export const flush = (x: number): number => (Math.abs(x) < NORMAL ? 0 * x : x);

/** The references' results with each value rounded to float32 and passed through `kept`. */
export function float32(
  graph: Graph,
  values: readonly (readonly number[])[],
  kept: (x: number) => number,
): NdArray[] {
  const known = new Map<Tensor, NdArray>();
  const round = (data: ArrayLike<number>, { dtype }: Tensor) =>
    Float64Array.from(data, (x) => (dtype === 'f32' ? kept(Math.fround(x)) : x));
  for (const [i, x] of graph.inputs.entries()) {
    known.set(x, { shape: x.shape, dtype: x.dtype, data: round(values[i]!, x) });
  }
  for (const node of ancestors(graph.outputs)) {
    if (known.has(node)) continue;
    const { reference } = rules[node.op] as unknown as Rule<Primitive>;
    const data = reference(
      node.inputs.map((x) => known.get(x)!),
      node.params,
      node,
    );
    known.set(node, { shape: node.shape, dtype: node.dtype, data: round(data, node) });
  }
  return graph.outputs.map((y) => known.get(y)!);
}

/** Asserts that numbers differ by at most `tolerance` times the largest, or are equal infinities or NaN. */
export function expectClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  what = '',
): void {
  expect(got.length, what).toBe(want.length);
  let scale = 0;
  for (const x of Array.from(want)) if (Number.isFinite(x)) scale = Math.max(scale, Math.abs(x));
  for (let i = 0; i < want.length; i++) {
    if (Object.is(got[i], want[i]) || Math.abs(got[i]! - want[i]!) <= tolerance * (scale || 1)) continue;
    expect.fail(`${what}: element ${i} of ${want.length} is ${got[i]}, not ${want[i]}`);
  }
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** How often each primitive occurs in a graph. */
export function countOps({ outputs }: Pick<Graph, 'outputs'>): Record<string, number> {
  const counts: Record<string, number> = {};
  const seen = new Set<Tensor>();
  const visit = (t: Tensor): void => {
    if (seen.has(t)) return;
    seen.add(t);
    counts[t.op] = (counts[t.op] ?? 0) + 1;
    t.inputs.forEach(visit);
  };
  outputs.forEach(visit);
  return counts;
}
