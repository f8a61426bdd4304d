import * as c from 'collimate';
import { numbers, parameters, start } from './start.ts';

/** A loss Hessian's eigenvalue of largest magnitude by power iteration, matrix-free: v ← H·v / ‖H·v‖. */
export async function eigenvalue(gpu: c.Gpu, steps = 200) {
  const params = parameters(gpu, { hidden: [4, 8], out: [8, 1] });
  const x = c.DeviceArray.from(gpu, numbers(64 * 4), [64, 4]);
  const v = {
    hidden: c.DeviceArray.from(gpu, numbers(32, 7), [4, 8]),
    out: c.DeviceArray.from(gpu, numbers(8, 8), [8, 1]),
  };
  const inputs = [v, params, x] as const;

  type Weights = { readonly hidden: c.Tensor; readonly out: c.Tensor };
  const loss = (p: Weights, points: c.Tensor) => {
    const y = c.matmul(c.tanh(c.matmul(points, p.hidden)), p.out);
    return c.mean(c.square(c.sub(y, c.sum(c.sin(points), -1))));
  };
  const dot = (a: Weights, b: Weights) => c.add(c.sum(c.mul(a.hidden, b.hidden)), c.sum(c.mul(a.out, b.out)));
  const step = await c.compile(
    gpu,
    (vector, p, points) => {
      const scale = c.rsqrt(dot(vector, vector));
      const unit = { hidden: c.mul(vector.hidden, scale), out: c.mul(vector.out, scale) };
      const image = c.hvp(loss, [p, points], unit);
      return [image, dot(unit, image)]; // the next vector, and the Rayleigh quotient
    },
    inputs,
    { label: 'power iteration', inPlace: [[0, 0]] },
  );
  const training = step.bind(inputs);
  gpu.submit([training], steps);
  return { training, value: (await training.result[1].read())[0]!, loss };
}

await start(import.meta.url, async (gpu) => `eigenvalue ${(await eigenvalue(gpu)).value}`);
