import type { Triples } from '../../analysis/unconstrained/measures.ts';
import { DeviceArray } from '../../autograd/array.ts';
import { add, minimum, mul, reshape, rsqrt, square, sum } from '../../autograd/functions.ts';
import { rightSvd, svd } from '../../autograd/linalg.ts';
import { type BoundProgram, compile } from '../../autograd/program.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { valueAndGrad } from '../../autograd/transform.ts';
import { checkReal, checkWhole } from '../../errors.ts';
import type { Gpu } from '../../gpu/device.ts';
import { philoxNormal } from '../../kernels/philox.ts';
import {
  type UnconstrainedOptions,
  type UnconstrainedParameters,
  unconstrainedObjective,
} from '../../models/unconstrained-jacobians.ts';
import { checkSgd, sgd } from '../../train/sgd.ts';
import { keyOf } from '../../train/state.ts';
import { specsOf } from '../../train/trainer.ts';

export interface OptimizerOptions {
  /** Number S of models that are optimized side by side, each from a random start of its own. */
  readonly starts: number;
  readonly steps: number;
  /** At the first step; falls to 0 along a cosine. */
  readonly lr: number;
  readonly momentum: number;
  /** A start's gradient, over all of its parameters, is brought to this norm where it is longer. */
  readonly clip: number;
  readonly seed: number;
}

type Arrays = Readonly<Record<'jacobians' | 'classifier' | 'loss' | 'objective', DeviceArray>>;

/**
 * Many models, each with parameters of its own, optimized by one step on the GPU: gradients of all of them, then SGD with
 * momentum. Without clipping, deep models with several classes overshoot in the first steps: a factor in one block multiplies
 * the gradients of all others.
 */
export class UnconstrainedOptimizer implements Disposable {
  readonly #gpu: Gpu;
  readonly #arrays: Arrays;
  readonly #own: Disposable[];
  readonly #gradient: BoundProgram;
  readonly #update: BoundProgram;
  readonly #values: BoundProgram;
  readonly #triples: BoundProgram<{ u: Tensor; s: Tensor; v: Tensor }>;

  private constructor(
    gpu: Gpu,
    arrays: Arrays,
    own: Disposable[],
    gradient: BoundProgram,
    update: BoundProgram,
    values: BoundProgram,
    triples: BoundProgram<{ u: Tensor; s: Tensor; v: Tensor }>,
  ) {
    this.#gpu = gpu;
    this.#arrays = arrays;
    this.#own = own;
    this.#gradient = gradient;
    this.#update = update;
    this.#values = values;
    this.#triples = triples;
  }

  /** Compiles the step and draws the starts; `width` must be a multiple of 8, at which all adapters can bind blocks. */
  static async create(
    gpu: Gpu,
    model: UnconstrainedOptions,
    options: OptimizerOptions,
  ): Promise<UnconstrainedOptimizer> {
    const { depth, width, classes } = model;
    const { starts } = options;
    checkWhole('depth', depth, 1);
    checkWhole('classes', classes, 2);
    checkWhole('width', width, classes);
    checkWhole('starts', starts, 1);
    checkReal('penalty', model.penalty, 0);
    checkSgd({ ...options, weightDecay: 0 });
    const own: DeviceArray[] = [];
    const zeros = (shape: number[], label: string, dtype?: 'u32') => {
      const array = DeviceArray.zeros(gpu, shape, dtype, label);
      own.push(array);
      return array;
    };
    const pair = (label: string) => ({
      jacobians: zeros([depth, starts, width, width], `${label}: Jacobians`),
      classifier: zeros([starts, classes, width], `${label}: classifiers`),
    });
    const [parameters, gradients, momenta] = ['parameters', 'gradients', 'momenta'].map(pair) as [
      ReturnType<typeof pair>,
      ReturnType<typeof pair>,
      ReturnType<typeof pair>,
    ];
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

    const gradientInputs = [blocks(parameters)];
    const updateInputs = [parameters, gradients, momenta, step];
    const [gradient, update, values, triples] = await Promise.all([
      compile(gpu, gradientOf(model), specsOf(gradientInputs), { label: 'gradient' }),
      compile(gpu, updateOf(options), specsOf(updateInputs), {
        label: 'update',
        inPlace: [
          [0, 0],
          [1, 1],
          [2, 4],
          [3, 5],
          [4, 6],
        ],
      }),
      compile(gpu, (j: Tensor) => rightSvd(j).s, specsOf([parameters.jacobians]), {
        label: 'singular values',
      }),
      compile(gpu, svd, specsOf([parameters.jacobians]), { label: 'singular triples' }),
    ]);
    return new UnconstrainedOptimizer(
      gpu,
      { ...parameters, loss, objective },
      own,
      gradient.bind(gradientInputs, [blocks(gradients), loss, objective]),
      update.bind(updateInputs, [parameters, momenta, step]),
      values.bind([parameters.jacobians]),
      triples.bind([parameters.jacobians]),
    );
  }

  /** Queues steps and returns at once. */
  queue(steps: number): void {
    this.#gpu.submit([this.#gradient, this.#update], steps);
  }

  /** Cross-entropy and objective of each start, S numbers each, with the parameters of this moment. */
  async values(): Promise<{ loss: number[]; objective: number[] }> {
    this.#gradient.submit();
    const [loss, objective] = await Promise.all([this.#arrays.loss.read(), this.#arrays.objective.read()]);
    return { loss: [...loss], objective: [...objective] };
  }

  /** Singular values of every J_i of every start, [L, S, d]. */
  async singularValues(): Promise<Float32Array> {
    this.#values.submit();
    return (await this.#values.outputs[0]!.read()) as Float32Array;
  }

  async triples(): Promise<Triples> {
    this.#triples.submit();
    const { u, s, v } = this.#triples.result;
    const [us, ss, vs] = await Promise.all([u.read(), s.read(), v.read()]);
    return { u: us as Float32Array, s: ss as Float32Array, v: vs as Float32Array };
  }

  dispose(): void {
    for (const own of [this.#gradient, this.#update, this.#values, this.#triples, ...this.#own]) {
      own[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Gradients of the objectives by the parameters, and the objectives. Models do not touch each other: their sum has all gradients. */
const gradientOf = (model: UnconstrainedOptions) => (parameters: UnconstrainedParameters) => {
  const total = (p: UnconstrainedParameters): [Tensor, { loss: Tensor; objective: Tensor }] => {
    const both = unconstrainedObjective(model, p);
    return [sum(both.objective), both];
  };
  const [[, { loss, objective }], gradients] = valueAndGrad(total, { hasAux: true })(parameters);
  return [gradients, loss, objective];
};

type Pair = { readonly jacobians: Tensor; readonly classifier: Tensor };

const updateOf =
  ({ lr, momentum, steps, clip }: OptimizerOptions) =>
  (parameters: Pair, gradients: Pair, momenta: Pair, step: Tensor) => {
    const starts = gradients.classifier.shape[0]!;
    const squares = add(
      sum(square(gradients.jacobians), [-4, -2, -1]),
      reshape(sum(square(gradients.classifier), [-2, -1]), [1, starts, 1, 1]),
    );
    const factor = minimum(mul(rsqrt(add(squares, 1e-30)), clip), 1);
    const next = (name: keyof Pair) => {
      const scale = name === 'classifier' ? reshape(factor, [starts, 1, 1]) : factor;
      const options = { lr, momentum, weightDecay: 0, steps };
      const moved = sgd(parameters[name], mul(gradients[name], scale), momenta[name], step, options);
      return { parameters: moved.parameters, momentum: moved.momentum! };
    };
    const [jacobians, classifier] = [next('jacobians'), next('classifier')];
    return [
      { jacobians: jacobians.parameters, classifier: classifier.parameters },
      { jacobians: jacobians.momentum, classifier: classifier.momentum },
      add(step, 1),
    ];
  };

/**
 * Random starts: entries of J_i are normal with variance 1/(dL) with skip connections, so that representations grow by e^½ whatever
 * the depth, and 1/d without; those of W with variance 1/d. A start depends on the seed and its number alone.
 */
function drawStarts(
  { depth, width, classes, skip }: UnconstrainedOptions,
  { starts, seed }: Pick<OptimizerOptions, 'starts' | 'seed'>,
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
