import * as c from 'collimate';
import { adam } from 'collimate/train';
import { numbers, parameters, start } from './start.ts';

/**
 * A deep equilibrium model (Bai et al., 2019): z solves z = tanh(z·W + x·U). Its gradient needs only the
 * last iterate: for a cotangent g of z, the right side's is the u that solves u = g + Jᵀ·u.
 */
export async function implicit(gpu: c.Gpu, steps = 300, iterations = 40) {
  const params = parameters(gpu, { inner: [16, 16], from: [2, 16], out: [16, 1] });
  params.inner.write(numbers(256, 1).map((w) => 0.15 * w)); // so small that iterations converge
  const optimizer = adam({ lr: 0.01 });
  const points = c.DeviceArray.from(gpu, numbers(128, 5), [64, 2]);
  const inputs = [params, optimizer.init(params), points] as const;

  type Weights = { readonly [name in keyof typeof params]: c.Tensor };
  const right = (p: Weights, z: c.Tensor, x: c.Tensor) =>
    c.tanh(c.add(c.matmul(z, p.inner), c.matmul(x, p.from)));
  const solve = (f: (z: c.Tensor) => c.Tensor, z: c.Tensor) => {
    for (let i = 0; i < iterations; i++) z = f(z);
    return z;
  };
  const target = (x: c.Tensor) => c.sin(c.mul(c.sum(x, -1), 2));
  const lossAt = (p: Weights, z: c.Tensor, x: c.Tensor) =>
    c.mean(c.square(c.sub(c.matmul(z, p.out), target(x))));
  const gradient = (p: Weights, x: c.Tensor): [c.Tensor, Weights] => {
    const z = solve((at) => right(p, at, x), c.full(0, [64, 16]));
    const [loss, pull] = c.vjp(lossAt, p, z, x);
    const [direct, g] = pull(c.full(1, loss.shape));
    const { applyTranspose } = c.linearize((q: Weights, at: c.Tensor) => right(q, at, x), p, z);
    const u = solve((v) => c.add(g, applyTranspose(v)[1]), g);
    const [through] = applyTranspose(u);
    const both = (name: keyof Weights) => c.add(direct[name], through[name]);
    return [loss, { inner: both('inner'), from: both('from'), out: both('out') }];
  };
  const step = await c.compile(
    gpu,
    (p, state, x) => {
      const [loss, gradients] = gradient(p, x);
      return [loss, ...optimizer.update<Weights>(p, gradients, state)];
    },
    inputs,
    { label: 'implicit', inPlace: [[1, 0], [2, 1]] }, // biome-ignore format: pairs
  );
  const training = step.bind(inputs);
  gpu.submit([training], steps);
  const unrolled = (p: Weights, x: c.Tensor) =>
    lossAt(
      p,
      solve((at) => right(p, at, x), c.full(0, [64, 16])),
      x,
    );
  return { training, loss: (await training.result[0].read())[0]!, gradient, unrolled };
}

await start(import.meta.url, async (gpu) => `loss ${(await implicit(gpu)).loss}`);
