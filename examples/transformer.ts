import * as c from 'collimate';
import { adamw, clipByGlobalNorm, cosine, warmup } from 'collimate/train';
import { parameters, start } from './start.ts';

const TEXT = 'she sells sea shells by the sea shore; the shells she sells are sea shells for sure. ';

/** A transformer of one block learns to continue a text, character by character. */
export async function transformer(gpu: c.Gpu, steps = 200) {
  const [n, length, width, heads] = [17, 16, 32, 4];
  const alphabet = [...new Set(TEXT)].sort();
  const v = alphabet.length;
  /** The code of each character of each window of the text; they begin five apart. */
  const windows = (from: number) =>
    Array.from({ length: n * length }, (_, i) => {
      const at = 5 * Math.floor(i / length) + (i % length) + from;
      return alphabet.indexOf(TEXT[at % TEXT.length]!);
    });
  const square: [number, number] = [width, width];
  const params = parameters(gpu, {
    ...{ embedding: [v, width], position: [length, width], out: [width, v] },
    ...{ queries: square, keys: square, values: square, mix: square },
    ...{ up: [width, 4 * width], down: [4 * width, width] },
  });
  const optimizer = adamw({ lr: warmup(20, cosine({ lr: 0.01, steps: 180 })) });
  const tokens = c.DeviceArray.from(gpu, windows(0), [n, length], 'u32');
  const next = c.DeviceArray.from(gpu, windows(1), [n * length]);
  const inputs = [params, optimizer.init(params), tokens, next] as const;

  const swap = (x: c.Tensor) => c.transpose(x, [0, 2, 1, 3]);
  const split = (x: c.Tensor) => swap(c.reshape(x, [n, length, heads, width / heads]));
  const logits = (p: { readonly [name in keyof typeof params]: c.Tensor }, x: c.Tensor<'u32'>) => {
    const h = c.add(c.matmul(c.oneHot(x, v), p.embedding), p.position);
    const project = (w: c.Tensor) => split(c.matmul(c.layerNorm(h), w));
    const heard = c.attention(project(p.queries), project(p.keys), project(p.values), { causal: true });
    const mixed = c.add(h, c.matmul(c.reshape(swap(heard), [n, length, width]), p.mix));
    const thought = c.matmul(c.gelu(c.matmul(c.layerNorm(mixed), p.up)), p.down);
    return c.reshape(c.matmul(c.layerNorm(c.add(mixed, thought)), p.out), [n * length, v]);
  };
  const step = await c.compile(
    gpu,
    (p, state, x, y) => {
      const loss = (q: typeof p) => c.softmaxCrossEntropy(logits(q, x), y);
      const [value, gradients] = c.valueAndGrad(loss)(p);
      return [value, ...optimizer.update(p, clipByGlobalNorm(gradients, 1), state)];
    },
    inputs,
    { label: 'transformer', inPlace: [[1, 0], [2, 1]] }, // biome-ignore format: pairs
  );
  const training = step.bind(inputs);
  gpu.submit([training], steps);
  return { training, loss: (await training.result[0].read())[0]! };
}

await start(import.meta.url, async (gpu) => `loss ${(await transformer(gpu)).loss}`);
