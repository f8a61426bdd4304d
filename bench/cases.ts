import { DeviceArray } from '../src/autograd/array.ts';
import { type BoundProgram, compile, type Program } from '../src/autograd/program.ts';
import type { AnyFunction } from '../src/autograd/tree.ts';
import type { Kernel } from '../src/gpu/kernel.ts';
import type { Check, PeerTiming } from './result.ts';
import type { Context } from './suite.ts';
import { timePass, wall } from './timing.ts';

/** A function of tensors that is timed as one program, with inputs to run it on. */
export interface Case {
  readonly name: string;
  readonly size: string;
  readonly f: AnyFunction<unknown>;
  readonly shapes: readonly (readonly number[])[];
  readonly precision?: 'f16';
  /** Contents of the inputs, made on demand. */
  inputs(): Float32Array[];
  /** Compares outputs with float64. */
  check(outputs: Float32Array[], inputs: Float32Array[], program: Program): Check;
  /** Times peers at the same work; `ours` does it once and returns its milliseconds. */
  peers?(ours: () => Promise<number>): Promise<PeerTiming[]>;
}

/** Compiles all cases side by side, then times and checks one after the other. */
export async function runCases(context: Context, cases: readonly Case[]): Promise<void> {
  const programs = cases.map(({ f, shapes, name, precision }) =>
    compile(
      context.gpu,
      f,
      shapes.map((shape) => ({ shape })),
      { label: name, ...(precision && { precision }) },
    ),
  );
  for (const program of programs) program.catch(() => {}); // Reported when its turn comes.
  for (const [i, one] of cases.entries()) {
    try {
      await runCase(context, one, await programs[i]!);
    } catch (error) {
      const { name, size } = one;
      const failed = { clock: 'gpu', milliseconds: null, flops: 0, bytes: 0 } as const;
      context.add({ name, size, ...failed, error: (error as Error).message });
    }
  }
}

async function runCase({ gpu, time, add }: Context, one: Case, program: Program): Promise<void> {
  const inputs = one.inputs();
  const arrays = inputs.map((data, i) => DeviceArray.from(gpu, data, one.shapes[i]!));
  try {
    using bound = program.bind(arrays);
    const { clock, milliseconds } = await timePass(gpu, (recorder) => bound.encode(recorder), { time });
    const check = one.check(await readAll(bound), inputs, program);
    const peers = await one.peers?.(() => wall(gpu, (recorder) => bound.encode(recorder), 1));
    const kernels = bound.dispatches.map(({ kernel }) => kernel);
    add({
      name: one.name,
      size: one.size,
      clock,
      milliseconds,
      ...workOf(kernels),
      variant: [...new Set(kernels.map((kernel) => kernel.variant ?? kernel.name))].join(', '),
      check,
      ...(peers ? { peers } : {}),
    });
  } finally {
    for (const array of arrays) array.dispose();
  }
}

/** Operations and bytes of kernels together, as they count them. */
export function workOf(kernels: readonly Kernel[]): Pick<Kernel, 'flops' | 'bytes'> {
  const sum = (of: 'flops' | 'bytes') => kernels.reduce((total, kernel) => total + kernel[of], 0);
  return { flops: sum('flops'), bytes: sum('bytes') };
}

const readAll = (bound: BoundProgram): Promise<Float32Array[]> =>
  Promise.all(bound.outputs.map(async (array) => (await array.read()) as Float32Array));
