import * as c from 'collimate';
import { adam, cosine } from 'collimate/train';
import { parameters, start } from './start.ts';

/** Learns the solution sin(πx) of u″ = −π² sin(πx), u(0) = u(1) = 0, from the equation alone. */
export async function pinn(gpu: c.Gpu, steps = 2000) {
  const n = 64;
  const params = parameters(gpu, { w1: [1, 32], b1: [32], w2: [32, 32], b2: [32], w3: [32, 1] });
  const optimizer = adam({ lr: cosine({ lr: 0.01, steps: 2000 }) });
  const points = c.DeviceArray.from(
    gpu,
    Float32Array.from({ length: n }, (_, i) => (i + 0.5) / n),
    [n, 1],
  );
  const inputs = [params, optimizer.init(params), points] as const;

  type Weights = { readonly [name in keyof typeof params]: c.Tensor };
  /** x (1 − x) times the network, so that the ends are where they should be. */
  const u = (p: Weights, x: c.Tensor) => {
    const h = c.tanh(c.add(c.matmul(c.tanh(c.add(c.matmul(x, p.w1), p.b1)), p.w2), p.b2));
    return c.mul(c.mul(x, c.sub(1, x)), c.matmul(h, p.w3));
  };
  const one = c.full(1, [n, 1]);
  const derivative = (f: (x: c.Tensor) => c.Tensor) => (x: c.Tensor) => c.jvp(f, [x], [one])[1];
  const step = await c.compile(
    gpu,
    (p, state, x) => {
      const exact = c.sin(c.mul(x, Math.PI));
      const loss = (q: typeof p) => {
        const curvature = derivative(derivative((at) => u(q, at)))(x);
        return c.mean(c.square(c.add(curvature, c.mul(exact, Math.PI ** 2))));
      };
      const [value, gradients] = c.valueAndGrad(loss)(p);
      const off = c.sub(u(p, x), exact);
      return [value, c.amax(c.maximum(off, c.neg(off))), ...optimizer.update(p, gradients, state)];
    },
    inputs,
    { label: 'pinn', inPlace: [[2, 0], [3, 1]] }, // biome-ignore format: pairs
  );
  const training = step.bind(inputs);
  gpu.submit([training], steps);
  const [[loss], [error]] = [await training.result[0].read(), await training.result[1].read()];
  return { training, loss: loss!, error: error! };
}

await start(import.meta.url, async (gpu) => {
  const { loss, error } = await pinn(gpu);
  return `residual ${loss}, largest error of u ${error}`;
});
