import { expect } from 'vitest';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { linearize } from '../../src/autograd/transform.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { dot, evaluate, expectAgreement, expectClose, type Operand, of, valuesOf } from './support.ts';

type Function = (...xs: Tensor[]) => Tensor;
const isFree = ({ dtype = 'f32' }: Operand) => dtype === 'f32';

/** Central differences of `f` along tangents of its f32 operands. */
export function differences(
  f: Function,
  operands: readonly Operand[],
  values: readonly Float64Array[],
  tangents: readonly Float64Array[],
): Float64Array {
  const h = 1e-5;
  const at = (step: number) => {
    let next = 0;
    const moved = values.map((v, i) => {
      if (!isFree(operands[i]!)) return v;
      const t = tangents[next++]!;
      return v.map((x, j) => x + step * t[j]!);
    });
    return evaluate(f, operands, moved)[0]!.data;
  };
  const [up, down] = [at(h), at(-h)];
  return up.map((x, i) => (x - down[i]!) / (2 * h));
}

/**
 * Asserts that a function and its derivatives by f32 operands agree on the GPU with float64, where that
 * derivative is the limit of differences and its transpose the adjoint, and that batches of tangents agree.
 */
export async function expectDerivatives(
  gpu: Gpu,
  f: Function,
  operands: readonly Operand[],
  tolerance = 1e-5,
): Promise<void> {
  const values = valuesOf(operands);
  const free = operands.filter(isFree);
  const [out] = evaluate(f, operands, values);
  const along = (lead: number[]) => [...free, of(out!.shape)].map(({ shape }) => of([...lead, ...shape]));
  const both = (...all: Tensor[]) => {
    const given = all.slice(0, operands.length);
    const withFree = (...xs: Tensor[]) => f(...given.map((x, i) => (isFree(operands[i]!) ? xs.shift()! : x)));
    const at = linearize(withFree, ...given.filter((_, i) => isFree(operands[i]!)));
    const [u, ...vs] = all.slice(operands.length).reverse();
    return [at.value, at.apply(...vs.reverse()), ...at.applyTranspose(u!)];
  };
  await expectAgreement(gpu, both, [...operands, ...along([])], { tolerance });

  const directions = valuesOf(along([]), 60);
  const [, jv, ...jtu] = evaluate(both, [...operands, ...along([])], [...values, ...directions]);
  expectClose(jv!.data, differences(f, operands, values, directions), 1e-7, 'the derivative');
  const left = dot(directions.at(-1)!, jv!.data);
  const right = jtu.reduce((sum, x, i) => sum + dot(x.data, directions[i]!), 0);
  expect(Math.abs(left - right), 'of the adjoint').toBeLessThanOrEqual(1e-11 * (1 + Math.abs(left)));

  const lead = [2, 3];
  const many = valuesOf(along(lead), 70);
  const [, ...batched] = evaluate(both, [...operands, ...along(lead)], [...values, ...many]);
  for (const k of [0, 5]) {
    const part = (v: Float64Array) => v.subarray((k * v.length) / 6, ((k + 1) * v.length) / 6);
    const [, ...single] = evaluate(both, [...operands, ...along([])], [...values, ...many.map(part)]);
    single.forEach((want, i) => {
      expectClose(part(batched[i]!.data), want.data, 1e-11, `tangent ${k}`);
    });
  }
}
