import type { Triples } from '../../analysis/unconstrained/measures.ts';
import { DeviceArray } from '../../autograd/array.ts';
import { add, minimum, mul, reshape, rsqrt, square, sum } from '../../autograd/functions.ts';
import { rightSvd, svd } from '../../autograd/linalg.ts';
import type { Tensor, Typed } from '../../autograd/tensor.ts';
import { valueAndGrad } from '../../autograd/transform.ts';
import { checkReal, checkWhole } from '../../errors.ts';
import type { Gpu } from '../../gpu/device.ts';
import { philoxNormal } from '../../kernels/philox.ts';
import {
  type UnconstrainedOptions,
  type UnconstrainedParameters,
  unconstrainedObjective,
} from '../../models/unconstrained-jacobians.ts';
import { bound, floats } from '../../train/bound.ts';
import { sgd } from '../../train/optimizers.ts';
import { cosine } from '../../train/schedules.ts';
import { keyOf } from '../../train/state.ts';
import type { TheorySettings } from './settings.ts';

export type DescentOptions = Pick<TheorySettings, 'starts' | 'steps' | 'lr' | 'momentum' | 'clip' | 'seed'>;

/**
 * Optimizes many independent models by one step on the GPU: gradients, then clipped SGD with momentum.
 * Unclipped, deep models of several classes overshoot at first: a factor in one block multiplies all others'
 * gradients. Compiles the step and draws the starts; all adapters bind blocks if 8 divides `width`.
 */
export async function unconstrainedOptimizer(gpu: Gpu, model: UnconstrainedOptions, options: DescentOptions) {
  const { depth, width, classes } = model;
  const { starts } = options;
  checkWhole('depth', depth, 1);
  checkWhole('classes', classes, 2);
  checkWhole('width', width, classes);
  checkWhole('starts', starts, 1);
  checkReal('penalty', model.penalty, 0);
  const update = updateOf(options);
  const own: Disposable[] = [];
  const keep = <T extends Disposable>(one: T): T => {
    own.unshift(one);
    return one;
  };
  const zeros = (shape: number[], label: string, dtype?: 'u32') =>
    keep(DeviceArray.zeros(gpu, shape, dtype, label));
  const pair = (label: string) => ({
    jacobians: zeros([depth, starts, width, width], `${label}: Jacobians`),
    classifier: zeros([starts, classes, width], `${label}: classifiers`),
  });
  const [parameters, gradients, momenta] = [pair('parameters'), pair('gradients'), pair('momenta')];
  const step = zeros([1], 'step', 'u32');
  const loss = zeros([starts, 1, 1], 'losses');
  const objective = zeros([starts, 1, 1], 'objectives');
  const blocks = ({ jacobians, classifier }: typeof parameters) => ({
    jacobians: Array.from({ length: depth }, (_, i) =>
      jacobians.view(i * starts * width * width, [starts, width, width]),
    ),
    classifier,
  });

  const drawn = drawStarts(model, options);
  parameters.jacobians.write(drawn.jacobians);
  parameters.classifier.write(drawn.classifier);

  const given = [blocks(parameters)];
  const state = [parameters, gradients, momenta, step];
  const inPlace = [[0, 0], [1, 2], [2, 3]] as const; // biome-ignore format: pairs
  const [gradient, updating, singular, all] = await Promise.all([
    bound(gpu, 'gradient', given, gradientOf(model), [blocks(gradients), loss, objective]),
    bound(gpu, 'update', state, update, [parameters, momenta, step], inPlace),
    bound(gpu, 'singular values', [parameters.jacobians], (j: Tensor) => rightSvd(j).s),
    bound(gpu, 'singular triples', [parameters.jacobians], svd),
  ]);
  for (const program of [gradient, updating, singular, all]) keep(program);
  return {
    queue: (steps: number) => gpu.submit([gradient, updating], steps),
    /** Cross-entropy and objective of each start, S numbers each, with the current parameters. */
    async values(): Promise<{ loss: number[]; objective: number[] }> {
      gradient.submit();
      const [losses, objectives] = await Promise.all([loss.read(), objective.read()]);
      return { loss: [...losses], objective: [...objectives] };
    },
    /** Of every J_i of every start, [L, S, d]. */
    singularValues(): Promise<Float32Array> {
      singular.submit();
      return floats(singular.outputs[0]!);
    },
    async triples(): Promise<Triples> {
      all.submit();
      const { u, s, v } = all.result;
      const [us, ss, vs] = await Promise.all([u, s, v].map(floats));
      return { u: us!, s: ss!, v: vs! };
    },
    [Symbol.dispose]() {
      for (const one of own) one[Symbol.dispose]();
    },
  };
}

/** Gradients of the objectives, and the objectives. Models are independent: their sum has all gradients. */
const gradientOf = (model: UnconstrainedOptions) => (parameters: UnconstrainedParameters) => {
  const total = (p: UnconstrainedParameters): [Tensor, { loss: Tensor; objective: Tensor }] => {
    const both = unconstrainedObjective(model, p);
    return [sum(both.objective), both];
  };
  const [[, { loss, objective }], gradients] = valueAndGrad(total, { hasAux: true })(parameters);
  return [gradients, loss, objective];
};

type Pair = { readonly jacobians: Tensor; readonly classifier: Tensor };

function updateOf({ lr, momentum, steps, clip }: DescentOptions) {
  const optimizer = sgd({ lr: cosine({ lr, steps }), momentum });
  return (parameters: Pair, gradients: Pair, momenta: Pair, step: Typed<'u32'>) => {
    const starts = gradients.classifier.shape[0]!;
    const squares = add(
      sum(square(gradients.jacobians), [-4, -2, -1]),
      reshape(sum(square(gradients.classifier), [-2, -1]), [1, starts, 1, 1]),
    );
    const factor = minimum(mul(rsqrt(add(squares, 1e-30)), clip), 1);
    const clipped = {
      jacobians: mul(gradients.jacobians, factor),
      classifier: mul(gradients.classifier, reshape(factor, [starts, 1, 1])),
    };
    const [next, state] = optimizer.update(parameters, clipped, { step, moments: [momenta] });
    return [next, state.moments[0]!, state.step];
  };
}

/**
 * Random starts. J_i is normal with variance 1/(dL) with skip connections (representations then grow by e^½
 * at any depth) and 1/d without, W with 1/d. A start depends on the seed and its number alone.
 */
function drawStarts(
  { depth, width, classes, skip }: UnconstrainedOptions,
  { starts, seed }: Pick<DescentOptions, 'starts' | 'seed'>,
): { jacobians: Float32Array; classifier: Float32Array } {
  const square = width * width;
  const jacobians = new Float32Array(depth * starts * square);
  const classifier = new Float32Array(starts * classes * width);
  const deviation = 1 / Math.sqrt(skip ? width * depth : width);
  for (let start = 0; start < starts; start++) {
    const own = philoxNormal(depth * square, keyOf(seed), 2 * start).map((z) => z * deviation);
    for (let i = 0; i < depth; i++) {
      jacobians.set(own.subarray(i * square, (i + 1) * square), (i * starts + start) * square);
    }
    const weights = philoxNormal(classes * width, keyOf(seed), 2 * start + 1);
    classifier.set(
      weights.map((z) => z / Math.sqrt(width)),
      start * classes * width,
    );
  }
  return { jacobians, classifier };
}
