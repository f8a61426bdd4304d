import { DeviceArray } from '../autograd/array.ts';
import {
  add,
  cast,
  div,
  full,
  minimum,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  tanh,
} from '../autograd/functions.ts';
import { Tensor, type Typed } from '../autograd/tensor.ts';
import { leavesLike, treeFlatten, treeMap, treeUnflatten } from '../autograd/tree.ts';
import { CollimateError, checkReal } from '../errors.ts';
import { rateAt, type Schedule } from './schedules.ts';

/** What an optimizer carries from step to step, for parameters of structure `P`. */
export interface OptimizerState<P, Step = Typed<'u32'>> {
  /** Steps done, u32. */
  readonly step: Step;
  /** Running averages of gradients, like the parameters: none for SGD, one for momentum, two for Adam. */
  readonly moments: readonly P[];
}

/**
 * A rule that moves parameters along their gradients: two pure functions of trees, as in optax, with options
 * as in PyTorch.
 *
 * @example
 * const optimizer = adam({ lr: 0.05 });
 * const params = { w: DeviceArray.from(gpu, [3, -2], [2]) };
 * const inputs = [params, optimizer.init(params)] as const;
 * const step = await compile(gpu, (p, state) => {
 *   const gradients = grad((q: typeof p) => sum(square(q.w)))(p);
 *   return optimizer.update(p, gradients, state);
 * }, inputs, { inPlace: [[0, 0], [1, 1]] });
 * const training = step.bind(inputs);
 * for (let i = 0; i < 300; i++) training.submit();
 * (await params.w.read()).map(Math.round); // [0, 0]
 */
export interface Optimizer {
  /** The state before the first step: zeros beside the parameters on their device, or as tensors too. */
  init<P>(params: P): OptimizerState<P, StepOf<P>>;
  /**
   * Parameters and state after a step. All are tensors: the step is part of the traced function.
   * @throws CollimateError if gradients or state are not like the parameters
   */
  update<P>(params: P, gradients: P, state: OptimizerState<P>): [P, OptimizerState<P>];
}

/** A `DeviceArray` for parameters on a device, a tensor for those of a traced function. */
type StepOf<P> = P extends DeviceArray | Tensor
  ? P extends DeviceArray
    ? DeviceArray<'u32'>
    : Typed<'u32'>
  : P extends object
    ? StepOf<P[keyof P]>
    : never;

/** How a rule moves one tensor: its new value and the new moments. */
type Move = (p: Tensor, gradient: Tensor, moments: readonly Tensor[], step: Tensor) => [Tensor, Tensor[]];

/** `moments` many running averages, and the rule for each tensor. */
function optimizer(name: string, count: number, move: Move): Optimizer {
  const isTensor = (x: unknown): x is Tensor => x instanceof Tensor;
  const isLeaf = (x: unknown) => isTensor(x) || x instanceof DeviceArray;
  const zerosLike = (x: Tensor | DeviceArray) =>
    isTensor(x) ? full(0, x.shape) : DeviceArray.zeros(x.gpu, x.shape);
  return {
    init<P>(params: P) {
      const [first] = treeFlatten(params, isLeaf as (x: unknown) => x is Tensor | DeviceArray);
      if (!first) {
        throw new CollimateError(
          `${name}: there are no parameters`,
          'Give a tensor or an array, or a structure of them.',
        );
      }
      const step = isTensor(first)
        ? cast(full(0, []), 'u32')
        : DeviceArray.zeros(first.gpu, [], 'u32', 'step');
      const moments = Array.from({ length: count }, () => treeMap(params, isLeaf, zerosLike) as P);
      return { step: step as StepOf<P>, moments };
    },
    update<P>(params: P, gradients: P, { step, moments }: OptimizerState<P>): [P, OptimizerState<P>] {
      const like = (what: string, tree: unknown) => leavesLike(`${name}: ${what}`, params, tree, isTensor);
      const given = moments.map((moment) => like('moment', moment));
      const moved = like('gradient', gradients).map(({ value, model }, i) =>
        move(
          model,
          value,
          given.map((list) => list[i]!.value),
          step,
        ),
      );
      const tree = (tensors: readonly Tensor[]) => treeUnflatten(params, tensors) as P;
      const next = moments.map((_, m) => tree(moved.map(([, list]) => list[m]!)));
      return [tree(moved.map(([p]) => p)), { step: add(step, 1), moments: next }];
    },
  };
}

/** What all optimizers need to know. */
export interface OptimizerOptions {
  /** Learning rate: a number, or one that depends on the step, such as {@link cosine}. */
  readonly lr: number | Schedule;
  /** Default: 0, and 0.01 for {@link adamw}. */
  readonly weightDecay?: number;
}

function checkOptions({ lr, weightDecay = 0 }: OptimizerOptions): void {
  if (typeof lr !== 'function') checkReal('lr', lr, 0);
  checkReal('weightDecay', weightDecay, 0);
}

/** How {@link sgd} differs from plain gradient descent. */
export interface SgdOptions extends OptimizerOptions {
  /** Of the heavy ball, without dampening (default: 0). */
  readonly momentum?: number;
  /** Whether the step looks ahead along the momentum (default: false). */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent as in PyTorch: the gradient gains weightDecay · parameter.
 *
 * @example
 * const optimizer = sgd({ lr: 0.1, momentum: 0.9, weightDecay: 5e-4 });
 */
export function sgd(options: SgdOptions): Optimizer {
  checkOptions(options);
  const { lr, weightDecay = 0, momentum = 0, nesterov = false } = options;
  checkReal('momentum', momentum, 0, 1);
  return optimizer('sgd', momentum ? 1 : 0, (p, gradient, [before], step) => {
    const decayed = weightDecay ? add(gradient, mul(p, weightDecay)) : gradient;
    const velocity = before ? add(mul(before, momentum), decayed) : decayed;
    const along = nesterov ? add(decayed, mul(velocity, momentum)) : velocity;
    return [sub(p, mul(along, rateAt(lr, step))), before ? [velocity] : []];
  });
}

/** How {@link adam} and {@link adamw} average. */
export interface AdamOptions extends Partial<OptimizerOptions> {
  /** Decay rates of the averages of gradients and of their squares (default: [0.9, 0.999]). */
  readonly betas?: readonly [number, number];
  /** Added to the root of the average square (default: 1e-8). */
  readonly epsilon?: number;
}

/**
 * Adam (Kingma & Ba, 2015) as in PyTorch: the gradient gains weightDecay · parameter. Default `lr`: 0.001.
 *
 * @example
 * const optimizer = adam({ lr: 0.01 });
 */
export const adam = (options: AdamOptions = {}): Optimizer => adaptive('adam', options, false);

/**
 * AdamW, Adam with decoupled weight decay (Loshchilov & Hutter, *Decoupled weight decay regularization*,
 * 2019), as in PyTorch: before a step, parameters are multiplied by 1 − lr · weightDecay.
 *
 * @example
 * const optimizer = adamw({ lr: 1e-3, weightDecay: 0.1 });
 */
export const adamw = (options: AdamOptions = {}): Optimizer =>
  adaptive('adamw', { weightDecay: 0.01, ...options }, true);

function adaptive(name: string, options: AdamOptions, decoupled: boolean): Optimizer {
  const { lr = 1e-3, weightDecay = 0, betas = [0.9, 0.999], epsilon = 1e-8 } = options;
  checkOptions({ lr, weightDecay });
  for (const [i, beta] of betas.entries()) checkReal(`betas[${i}]`, beta, 0, 1);
  checkReal('epsilon', epsilon, 0);
  const average = (beta: number, before: Tensor, x: Tensor) => add(mul(before, beta), mul(x, 1 - beta));
  return optimizer(name, 2, (p, gradient, [first, second], step) => {
    const rate = rateAt(lr, step);
    const decayed = weightDecay && !decoupled ? add(gradient, mul(p, weightDecay)) : gradient;
    const [m, v] = [average(betas[0], first!, decayed), average(betas[1], second!, square(decayed))];
    const t = add(cast(step, 'f32'), 1);
    const along = div(div(m, missing(betas[0], t)), add(sqrt(div(v, missing(betas[1], t))), epsilon));
    const shrunk = weightDecay && decoupled ? mul(p, sub(1, mul(rate, weightDecay))) : p;
    return [sub(shrunk, mul(along, rate)), [m, v]];
  });
}

/** 1 − βᵗ, all gradients' weight in an average from 0; as 2 tanh(x/2) / (1 + tanh(x/2)), nothing cancels. */
function missing(beta: number, t: Tensor): Tensor {
  const half = tanh(mul(t, -Math.log(beta) / 2));
  return div(mul(half, 2), add(half, 1));
}

/**
 * The Euclidean norm of all numbers in a structure of tensors together, a scalar.
 *
 * @example
 * const norm = await compile(gpu, (x, y) => globalNorm({ x, y }), [[2], [1]]);
 * (await norm.run([3, 4], [12])).data; // [13]
 */
export function globalNorm(tree: unknown): Typed {
  const squares = treeFlatten(tree).map((x) => reshape(sum(square(x as Typed)), []));
  return sqrt(squares.reduce((total, x) => add(total, x)));
}

/**
 * Gradients, multiplied by `most` / (‖g‖ + 1e-6) if their joint norm is larger, as in PyTorch.
 *
 * @example
 * const clip = await compile(gpu, (x) => clipByGlobalNorm(x, 1), [[2]]);
 * (await clip.run([30, 40])).data; // [0.6, 0.8]
 */
export function clipByGlobalNorm<P>(gradients: P, most: number): P {
  checkReal('most', most, 0);
  const factor = minimum(div(most, add(globalNorm(gradients), 1e-6)), 1);
  return treeUnflatten(
    gradients,
    treeFlatten(gradients).map((g) => mul(g, factor)),
  ) as P;
}
