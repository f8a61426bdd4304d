import { fileURLToPath } from 'node:url';
import { DeviceArray, type Gpu, openGpu } from 'collimate';

/** Pseudorandom numbers, uniform in [−1, 1): the same for the same seed. */
export function numbers(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Device arrays by name: matrices [m, n] and kernels [out, in, …] keep activations near 1, vectors 0. */
export function parameters<const S extends Readonly<Record<string, readonly number[]>>>(gpu: Gpu, shapes: S) {
  const arrays = Object.entries(shapes).map(([name, shape], i) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const bound = shape.length > 1 ? Math.sqrt(3 / (shape.length > 2 ? size / shape[0]! : shape[0]!)) : 0;
    return [
      name,
      DeviceArray.from(
        gpu,
        numbers(size, i + 1).map((x) => x * bound),
        shape,
      ),
    ] as const;
  });
  return Object.fromEntries(arrays) as { [K in keyof S]: DeviceArray<'f32'> };
}

/** Runs an example if Node was started with its file. */
export async function start(url: string, example: (gpu: Gpu) => Promise<string>): Promise<void> {
  if (process.argv[1] !== fileURLToPath(url)) return;
  const gpu = await openGpu();
  console.log(await example(gpu));
  gpu.dispose();
}
