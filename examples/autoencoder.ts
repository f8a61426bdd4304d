import * as c from 'collimate';
import { adam } from 'collimate/train';
import { numbers, parameters, start } from './start.ts';

/** A convolutional autoencoder learns to squeeze pictures of 16×16 pixels through 16 numbers each. */
export async function autoencoder(gpu: c.Gpu, steps = 400) {
  const [n, side] = [32, 16];
  /** Blots of random places and widths. */
  const pixels = Float32Array.from({ length: n * side * side }, (_, i) => {
    const [k, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
    const [atX, atY, width] = numbers(8, 3 * k + 1).subarray(5) as unknown as [number, number, number];
    const distance = (x - 8 - 4 * atX) ** 2 + (y - 8 - 4 * atY) ** 2;
    return Math.exp(-distance / (6 + 4 * width));
  });
  const params = parameters(gpu, {
    ...{ in1: [8, 1, 4, 4], in2: [4, 8, 4, 4], code: [64, 16] },
    ...{ decode: [16, 64], out2: [4, 8, 4, 4], out1: [8, 1, 4, 4] },
  });
  const optimizer = adam({ lr: 0.01 });
  const images = c.DeviceArray.from(gpu, pixels, [n, side, side, 1]);
  const inputs = [params, optimizer.init(params), images] as const;

  const half = { stride: 2, padding: 1 };
  const rebuilt = (p: { readonly [name in keyof typeof params]: c.Tensor }, x: c.Tensor) => {
    const down = c.relu(c.conv2d(c.relu(c.conv2d(x, p.in1, half)), p.in2, half));
    const code = c.matmul(c.reshape(down, [n, 64]), p.code);
    const up = c.reshape(c.relu(c.matmul(code, p.decode)), [n, 4, 4, 4]);
    return c.convTranspose2d(c.relu(c.convTranspose2d(up, p.out2, half)), p.out1, half);
  };
  const step = await c.compile(
    gpu,
    (p, state, x) => {
      const loss = (q: typeof p) => c.mean(c.square(c.sub(rebuilt(q, x), x)));
      const [value, gradients] = c.valueAndGrad(loss)(p);
      return [c.div(value, c.variance(x)), ...optimizer.update(p, gradients, state)];
    },
    inputs,
    { label: 'autoencoder', inPlace: [[1, 0], [2, 1]] }, // biome-ignore format: pairs
  );
  const training = step.bind(inputs);
  gpu.submit([training], steps);
  return { training, unexplained: (await training.result[0].read())[0]! };
}

await start(import.meta.url, async (gpu) => {
  const { unexplained } = await autoencoder(gpu);
  return `share of the variance that is lost: ${unexplained}`;
});
