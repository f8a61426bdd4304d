import { expectTypeOf } from 'vitest';
import {
  abs,
  add,
  cast,
  compile,
  cumsum,
  DeviceArray,
  equal,
  type Gpu,
  grad,
  type HostArray,
  iota,
  jvp,
  linearize,
  matmul,
  mean,
  mul,
  relu,
  sin,
  square,
  sub,
  sum,
  type Tensor,
  trace,
  valueAndGrad,
  vjp,
} from '../../src/index.ts';

/** What TypeScript knows: `npm run typecheck` checks it, and none of it runs. */
const knows = (_what: string, _claims: (gpu: Gpu) => unknown) => {};

knows('the arguments of a traced function from its specs, without annotations', async (gpu) => {
  const program = await compile(
    gpu,
    ({ hidden, out }, x, [key]) => {
      expectTypeOf(hidden).toEqualTypeOf<Tensor>();
      expectTypeOf(key).toEqualTypeOf<Tensor<'u32'>>();
      return { y: matmul(relu(matmul(x, hidden)), out), index: iota([4]), key: add(key, 1) };
    },
    [{ hidden: [2, 32], out: [32, 1] }, [64, 2], [{ shape: [2], dtype: 'u32' }]],
  );
  const { y, index, key } = await program.run({ hidden: [1, 2], out: new Float32Array(32) }, [1], [7]);
  expectTypeOf(y.data).toEqualTypeOf<Float32Array>();
  expectTypeOf(index).toEqualTypeOf<HostArray<'u32'>>();
  expectTypeOf(key.data).toEqualTypeOf<Uint32Array>();
  // @ts-expect-error a name that the function does not take
  program.run({ hidden: [1], output: [1] }, [1], [7]);
  // @ts-expect-error too few
  program.run({ hidden: [1], out: [1] }, [1]);
  // @ts-expect-error a string
  program.run({ hidden: [1], out: 'zeros' }, [1], [7]);
  const bound = program.bind([{ hidden: [1], out: [1] }, [1], [7]]);
  expectTypeOf(bound.result.index.read()).resolves.toEqualTypeOf<Uint32Array>();
  expectTypeOf(bound.args[0].hidden).toEqualTypeOf<DeviceArray<'f32'>>();
  // @ts-expect-error a host array has no place to write to
  program.bind([{ hidden: [1], out: [1] }, [1], [7]], { y: [0], index: [0], key: [0] });
});

knows('that arrays are specs', async (gpu) => {
  const inputs = [{ w: DeviceArray.zeros(gpu, [3]) }, DeviceArray.zeros(gpu, [2], 'u32')] as const;
  expectTypeOf(inputs[1].read()).resolves.toEqualTypeOf<Uint32Array>();
  const program = await compile(
    gpu,
    ({ w }, k) => {
      expectTypeOf(w).toEqualTypeOf<Tensor>();
      expectTypeOf(k).toEqualTypeOf<Tensor<'u32'>>();
      return [mul(w, 2), k] as const;
    },
    inputs,
  );
  expectTypeOf(program.bind(inputs).result[1]).toEqualTypeOf<DeviceArray<'u32'>>();
});

knows('integers from their specs, through functions of them, to their arrays', async (gpu) => {
  const program = await compile(
    gpu,
    (k) => [add(k, -1), sum(abs(k)), cast(k, 'f32'), cumsum(cast(k, 'u32'))] as const,
    [{ shape: [4], dtype: 'i32' }],
  );
  const [next, total, floats, sums] = await program.run(Int32Array.of(1, -2, 3, 4));
  expectTypeOf(next.data).toEqualTypeOf<Int32Array>();
  expectTypeOf(total).toEqualTypeOf<HostArray<'i32'>>();
  expectTypeOf(floats.data).toEqualTypeOf<Float32Array>();
  expectTypeOf(sums.data).toEqualTypeOf<Uint32Array>();
});

knows('where specs do not fit a function', async (gpu) => {
  const loss = ({ w }: { w: Tensor }, x: Tensor) => mean(square(matmul(x, w)));
  const step = await compile(gpu, valueAndGrad(loss), [{ w: [2, 1] }, [4, 2]]);
  const [value, gradient] = await step.run({ w: [1, 2] }, [1]);
  expectTypeOf(value.data).toEqualTypeOf<Float32Array>();
  expectTypeOf(gradient.w.data).toEqualTypeOf<Float32Array>();
  // @ts-expect-error v for w
  compile(gpu, loss, [{ v: [2, 1] }, [4, 2]]);
  // @ts-expect-error one for two
  compile(gpu, loss, [{ w: [2, 1] }]);
  // @ts-expect-error whole numbers
  trace(loss, [{ w: { shape: [2, 1], dtype: 'u32' } }, [4, 2]]);
});

knows('types of elements, as far as annotations say them', () => {
  const x = {} as Tensor;
  const k = {} as Tensor<'u32'>;
  expectTypeOf(sum(k)).toEqualTypeOf<Tensor<'u32'>>();
  expectTypeOf(equal(x, 1)).toEqualTypeOf<Tensor<'bool'>>();
  expectTypeOf(mul(cast(k, 'f32'), x)).toEqualTypeOf<Tensor>();
  // @ts-expect-error a sum of floats and whole numbers
  const mixed: Tensor = add(x, k);
  return mixed;
});

knows('tangents and cotangents from arguments and values', () => {
  const x = {} as Tensor;
  const f = (p: { w: Tensor; b: Tensor }, y: Tensor) => ({ z: add(mul(p.w, y), p.b) });
  const [, dz] = jvp(f, [{ w: x, b: x }, x], [{ w: x, b: x }, x]);
  expectTypeOf(dz.z).toEqualTypeOf<Tensor>();
  // @ts-expect-error one for two
  jvp(f, [{ w: x, b: x }, x], [{ w: x, b: x }]);
  const [, pull] = vjp(f, { w: x, b: x }, x);
  expectTypeOf(pull({ z: x })[0].b).toEqualTypeOf<Tensor>();
  // @ts-expect-error another name
  pull({ y: x });
  expectTypeOf(jvp((a, b) => sub(a, b), [x, x], [x, x])).toEqualTypeOf<[Tensor, Tensor]>();
  expectTypeOf(linearize((a) => sin(a), x).apply(x)).toEqualTypeOf<Tensor>();
  expectTypeOf(grad((p: { w: Tensor }) => sum(p.w))({ w: x })).toEqualTypeOf<{ w: Tensor }>();
});
