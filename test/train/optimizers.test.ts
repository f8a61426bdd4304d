import { describe, expect, it } from 'vitest';
import { DeviceArray } from '../../src/autograd/array.ts';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Typed } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import * as t from '../../src/train/index.ts';
import { cosineRate } from '../../src/train/schedules.ts';
import { expectClose } from '../autograd/support.ts';
import { withGpu } from '../gpu/harness.ts';

/** ∇ of Σ k (x − 1)⁴ / 4 with k = 1, 2, …: far from linear, so that steps differ. */
const gradient = (x: readonly number[]) => x.map((v, i) => (i + 1) * (v - 1) ** 3);
const loss = ({ w, b }: { w: Typed; b: Typed }) => {
  const at = (x: Typed, k: Typed | number) => c.sum(c.mul(k, c.square(c.square(c.sub(x, 1)))));
  const k = c.add(c.cast(c.iota([3]), 'f32'), 1);
  return c.div(c.add(at(w, k), at(b, 4)), 4);
};
const START = [0.5, -0.25, 2, 1.5];

/** What PyTorch documents, in float64: torch.optim.SGD and torch.optim.Adam(W) with the same options. */
type Rule = (x: number[], step: number) => number[];
function sgd({ lr = 0, momentum = 0, decay = 0, nesterov = false, rate = (_: number) => lr }): Rule {
  let buffer: number[] | undefined;
  return (x, step) => {
    const g = gradient(x).map((v, i) => v + decay * x[i]!);
    buffer = buffer ? buffer.map((b, i) => momentum * b + g[i]!) : g;
    const along = nesterov ? g.map((v, i) => v + momentum * buffer![i]!) : buffer;
    return x.map((v, i) => v - rate(step) * (momentum ? along : g)[i]!);
  };
}
function adam({ lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, decay = 0, decoupled = false }): Rule {
  let [m, v] = [START.map(() => 0), START.map(() => 0)];
  return (x, step) => {
    const g = gradient(x).map((d, i) => d + (decoupled ? 0 : decay * x[i]!));
    m = m.map((b, i) => betas[0]! * b + (1 - betas[0]!) * g[i]!);
    v = v.map((b, i) => betas[1]! * b + (1 - betas[1]!) * g[i]! ** 2);
    const [first, second] = betas.map((beta) => 1 - beta ** (step + 1));
    return x.map((old, i) => {
      const kept = decoupled ? old * (1 - lr * decay) : old;
      return kept - (lr * (m[i]! / first!)) / (Math.sqrt(v[i]! / second!) + eps);
    });
  };
}

describe('an optimizer does what PyTorch documents', () => {
  const rate = (step: number) =>
    0.05 * Math.min(step / 4, 1) * (0.5 + 0.5 * Math.cos((Math.PI * Math.min(Math.max(step - 4, 0), 8)) / 8));
  it.each<[string, t.Optimizer, Rule]>([
    ['sgd', t.sgd({ lr: 0.05 }), sgd({ lr: 0.05 })],
    [
      'with momentum and weight decay',
      t.sgd({ lr: 0.05, momentum: 0.9, weightDecay: 0.1 }),
      sgd({ lr: 0.05, momentum: 0.9, decay: 0.1 }),
    ],
    [
      'with Nesterov’s',
      t.sgd({ lr: 0.02, momentum: 0.8, nesterov: true }),
      sgd({ lr: 0.02, momentum: 0.8, nesterov: true }),
    ],
    ['with a schedule', t.sgd({ lr: t.warmup(4, t.cosine({ lr: 0.05, steps: 8 })) }), sgd({ rate })],
    ['adam', t.adam(), adam({})],
    [
      'adam with weight decay',
      t.adam({ lr: 0.1, betas: [0.5, 0.9], weightDecay: 0.2 }),
      adam({ lr: 0.1, betas: [0.5, 0.9], decay: 0.2 }),
    ],
    [
      'adam without averages',
      t.adam({ lr: 0.1, betas: [0, 0], epsilon: 0.1 }),
      adam({ lr: 0.1, betas: [0, 0], eps: 0.1 }),
    ],
    ['adamw', t.adamw({ lr: 0.1 }), adam({ lr: 0.1, decay: 0.01, decoupled: true })],
  ])('%s', (_, optimizer, rule) =>
    withGpu(async (gpu) => {
      using w = DeviceArray.from(gpu, START.slice(0, 3), [3]);
      using b = DeviceArray.from(gpu, START.slice(3), []);
      const params = { w, b };
      const state = optimizer.init(params);
      const inputs = [params, state] as const;
      const step = await compile(gpu, (p, s) => optimizer.update(p, grad(loss)(p), s), inputs, {
        inPlace: [[0, 0], [1, 1]], // biome-ignore format: pairs
      });
      const training = step.bind(inputs);
      let want = START;
      for (let i = 0; i < 16; i++) {
        training.submit();
        want = rule(want, i);
        const got = [...(await w.read()), ...(await b.read())];
        expectClose(got, want, 2e-6, `step ${i}`);
      }
      expect([...(await state.step.read())]).toEqual([16]);
      training.dispose();
      for (const array of [state.step, ...state.moments.flatMap((m) => [m.w, m.b])]) array.dispose();
    }),
  );

  it('however small the first steps are', () => {
    // 1 − 0.999999ᵗ would lose a tenth of its digits in float32; Adam's first step is lr at any gradient.
    const optimizer = t.adam({ lr: 1, betas: [0.9, 0.999999], epsilon: 0 });
    const f = (x: Typed, g: Typed) => optimizer.update(x, g, optimizer.init(x))[0];
    return withGpu(async (gpu) => {
      const program = await compile(gpu, f, [[3], [3]]);
      const { data } = await program.run([0, 0, 0], [1, -1e-6, 1e6]);
      expect([...data].map((x) => Math.abs(Math.abs(x) - 1) < 1e-6)).toEqual([true, true, true]);
    });
  });
});

describe('a schedule', () => {
  const rates = (schedule: t.Schedule, steps: readonly number[]) => {
    const graph = trace((step) => schedule(step), [{ shape: [steps.length], dtype: 'u32' }]);
    return [...interpret(graph, [steps])[0]!.data];
  };
  it.each<[string, t.Schedule, number[]]>([
    ['cosine', t.cosine({ lr: 2, steps: 4 }), [2, 1 + Math.SQRT1_2, 1, 1 - Math.SQRT1_2, 0, 0]],
    ['linear', t.linear({ lr: 2, to: 1, steps: 4 }), [2, 1.75, 1.5, 1.25, 1, 1]],
    ['stepDecay', t.stepDecay({ lr: 2, every: 2, factor: 0.5 }), [2, 2, 1, 1, 0.5, 0.5]],
    ['stepDecay to nothing', t.stepDecay({ lr: 2, every: 2, factor: 0 }), [2, 2, 0, 0, 0, 0]],
    ['warmup to a constant', t.warmup(2, 3), [0, 1.5, 3, 3, 3, 3]],
    ['warmup to another', t.warmup(2, t.linear({ lr: 4, steps: 2 })), [0, 2, 4, 2, 0, 0]],
  ])('%s', (_, schedule, want) => {
    expectClose(rates(schedule, [0, 1, 2, 3, 4, 5]), want, 1e-12);
  });

  it('is the same on the host', () => {
    const steps = [0, 3, 7, 9];
    const options = { lr: 0.1, steps: 7 };
    expectClose(
      rates(t.cosine(options), steps),
      steps.map((step) => cosineRate(step, options)),
      1e-12,
    );
  });
});

describe('clipping', () => {
  const clipped = (most: number, a: number[], b: number) => {
    const graph = trace((x, y) => t.clipByGlobalNorm({ x, y: [y] }, most), [[2], { shape: [] }]);
    return interpret(graph, [a, [b]]).flatMap(({ data }) => [...data]);
  };
  it('leaves short gradients alone and shortens long ones to the norm', () => {
    expect(clipped(20, [3, 4], 12)).toEqual([3, 4, 12]);
    expectClose(clipped(1.3, [3, 4], 12), [0.3, 0.4, 1.2], 1e-6);
    expect(clipped(1, [0, 0], 0)).toEqual([0, 0, 0]);
    expect(clipped(1, [Number.NaN, 1], 1)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });
});

describe('refuses', () => {
  const x = () => c.full(1, [2]);
  const state = () => t.sgd({ lr: 1, momentum: 0.5 }).init({ a: x() });
  it.each<[string, () => unknown, string]>([
    ['a rate', () => t.sgd({ lr: Number.NaN }), 'lr is NaN'],
    ['a momentum', () => t.sgd({ lr: 1, momentum: 1 }), 'momentum is 1'],
    ['a beta', () => t.adam({ betas: [0.9, 1] }), 'betas[1] is 1'],
    ['a negative rate', () => t.adam({ lr: -1 }), 'lr is -1'],
    ['a weight decay', () => t.adamw({ weightDecay: -0.1 }), 'weightDecay is -0.1'],
    ['an epsilon', () => t.adam({ epsilon: -1e-8 }), 'epsilon is -1e-8'],
    ['a norm', () => t.clipByGlobalNorm([x()], -1), 'most is -1'],
    ['no steps', () => t.cosine({ lr: 1, steps: 0 }), 'steps is 0'],
    ['half a step', () => t.linear({ lr: 1, steps: 1.5 }), 'steps is 1.5'],
    ['a rate to begin at', () => t.linear({ lr: -1, steps: 1 }), 'lr is -1'],
    ['a rate to end at', () => t.linear({ lr: 1, to: -1, steps: 1 }), 'to is -1'],
    ['no steps of warmup', () => t.warmup(0, 1), 'steps is 0'],
    ['a rate that steps down', () => t.stepDecay({ lr: -1, every: 1, factor: 1 }), 'lr is -1'],
    ['steps down at no steps', () => t.stepDecay({ lr: 1, every: 0, factor: 1 }), 'every is 0'],
    ['a factor', () => t.stepDecay({ lr: 1, every: 1, factor: -1 }), 'factor is -1'],
    ['no parameters', () => t.adamw().init({}), 'adamw: there are no parameters'],
    [
      'gradients of others',
      () => t.sgd({ lr: 1 }).update({ a: x() }, { b: x() } as never, state() as never),
      'sgd: gradient: expected {a}, got {b}',
    ],
    [
      'moments of others',
      () => t.sgd({ lr: 1 }).update({ b: x() }, { b: x() }, state() as never),
      'sgd: moment: expected {b}, got {a}',
    ],
  ])('%s', (_, f, message) => expect(f).toThrow(message));

  it('nothing at the ends of what is allowed', () => {
    t.sgd({ lr: 0, momentum: 0, weightDecay: 0 });
    t.adam({ lr: 0, betas: [0, 0], epsilon: 0 });
    t.linear({ lr: 0, to: 0, steps: 1 });
    t.stepDecay({ lr: 0, every: 1, factor: 0 });
    t.warmup(1, 0);
  });
});
