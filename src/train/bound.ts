import type { DeviceArray } from '../autograd/array.ts';
import { type BoundProgram, type CompileOptions, compile } from '../autograd/program.ts';
import type { As } from '../autograd/signature.ts';
import type { AnyFunction } from '../autograd/tree.ts';
import type { Gpu } from '../gpu/device.ts';

/** A function of tensors, compiled for arrays and bound; `outputs`, `inPlace` as in `bind`, `compile`. */
export async function bound<R>(
  gpu: Gpu,
  label: string,
  inputs: readonly unknown[],
  f: AnyFunction<R>,
  outputs?: As<R, 'device'>,
  inPlace: CompileOptions['inPlace'] = [],
): Promise<BoundProgram<R>> {
  const program = await compile(gpu, f, inputs, { label, inPlace });
  return program.bind(inputs, outputs);
}

/** An f32 array's numbers. */
export const floats = async (array: DeviceArray): Promise<Float32Array> =>
  (await array.read()) as Float32Array;
