import * as c from 'collimate';
import { adam } from 'collimate/train';
import { numbers, parameters, start } from './start.ts';

/** A perceptron with two hidden layers learns which of two spirals a point is on. */
export async function mlp(gpu: c.Gpu, steps = 1000) {
  const n = 128;
  const noise = numbers(2 * n, 9);
  const spirals = Float32Array.from({ length: 2 * n }, (_, i) => {
    const [at, arm] = [(i >> 1) / n, (i >> 1) % 2];
    const angle = 6 * at + Math.PI * arm + 0.05 * noise[i]!;
    return (0.2 + at) * (i % 2 ? Math.sin(angle) : Math.cos(angle));
  });
  const params = parameters(gpu, {
    hidden: [2, 64],
    first: [64],
    deep: [64, 64],
    second: [64],
    out: [64, 2],
  });
  const optimizer = adam({ lr: 0.01 });
  const points = c.DeviceArray.from(gpu, spirals, [n, 2]);
  const labels = c.DeviceArray.from(
    gpu,
    Array.from({ length: n }, (_, i) => i % 2),
    [n],
  );
  const inputs = [params, optimizer.init(params), points, labels] as const;

  const logits = (p: { readonly [name in keyof typeof params]: c.Tensor }, x: c.Tensor) => {
    const h = c.tanh(c.add(c.matmul(x, p.hidden), p.first));
    return c.matmul(c.tanh(c.add(c.matmul(h, p.deep), p.second)), p.out);
  };
  const step = await c.compile(
    gpu,
    (p, state, x, y) => {
      const loss = (q: typeof p) => c.softmaxCrossEntropy(logits(q, x), y);
      const [value, gradients] = c.valueAndGrad(loss)(p);
      const right = c.equal(c.argmax(logits(p, x)), c.reshape(y, [n, 1]));
      return [value, c.mean(c.cast(right, 'f32')), ...optimizer.update(p, gradients, state)];
    },
    inputs,
    { label: 'mlp', inPlace: [[2, 0], [3, 1]] }, // biome-ignore format: pairs
  );
  const training = step.bind(inputs);
  gpu.submit([training], steps);
  const [[loss], [accuracy]] = [await training.result[0].read(), await training.result[1].read()];
  return { training, loss: loss!, accuracy: accuracy! };
}

await start(import.meta.url, async (gpu) => {
  const { loss, accuracy } = await mlp(gpu);
  return `loss ${loss}, accuracy ${accuracy}`;
});
