/**
 * The fully connected ResNet, its gradient and its training in float64 and plain loops: from SCIENCE.md's
 * definitions and PyTorch's documentation, sharing nothing with `src`.
 */

export interface Shape {
  readonly inputs: number;
  readonly depth: number;
  readonly width: number;
  readonly classes: number;
  readonly activation: 'relu' | 'identity';
  readonly skip: boolean;
  /** Without BatchNorm linear layers have biases. */
  readonly norm?: 'batch' | 'none';
  /** Branch Linear–BN–ReLU–Linear–BN, or BN–ReLU–Linear–BN–ReLU–Linear. */
  readonly branch?: 'post-norm' | 'pre-norm';
  /** Factor of the branch; `learned`: the parameter `blocks.<i>.scale`. */
  readonly branchScale?: number | 'learned';
  /** Whether the blocks' linear layers are one: `shared.linear1`, `shared.linear2`. */
  readonly tied?: boolean;
  /** Factor of what goes past a branch, and whether that is h_1 and not h. */
  readonly skipScale?: number;
  readonly shortcut?: 'residual' | 'input';
}

/** Parameters and running statistics by PyTorch's names; matrices are [out, in]. */
export type Tensors = Map<string, Float64Array>;

/** Rows of a batch, one after another. */
type Batch = Float64Array;

const EPSILON = 1e-5;

/** x Wᵀ. */
function linear(x: Batch, weight: Float64Array, inputs: number): Batch {
  const outputs = weight.length / inputs;
  const count = x.length / inputs;
  const y = new Float64Array(count * outputs);
  for (let n = 0; n < count; n++) {
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += x[n * inputs + i]! * weight[o * inputs + i]!;
      y[n * outputs + o] = sum;
    }
  }
  return y;
}

/** Gradients of x Wᵀ by W and by x. */
function linearBackward(dy: Batch, x: Batch, weight: Float64Array, inputs: number) {
  const outputs = weight.length / inputs;
  const count = x.length / inputs;
  const dw = new Float64Array(weight.length);
  const dx = new Float64Array(x.length);
  for (let n = 0; n < count; n++) {
    for (let o = 0; o < outputs; o++) {
      const d = dy[n * outputs + o]!;
      if (d === 0) continue;
      for (let i = 0; i < inputs; i++) {
        dw[o * inputs + i]! += d * x[n * inputs + i]!;
        dx[n * inputs + i]! += d * weight[o * inputs + i]!;
      }
    }
  }
  return { dw, dx };
}

const relu = (x: Batch): Batch => x.map((v) => Math.max(v, 0));
const reluBackward = (dy: Batch, x: Batch): Batch => dy.map((d, i) => (x[i]! > 0 ? d : 0));
const columnSums = (x: Batch, width: number): Float64Array => {
  const sums = new Float64Array(width);
  x.forEach((v, i) => {
    sums[i % width]! += v;
  });
  return sums;
};
const plus = (a: Batch, b: Batch): Batch => a.map((v, i) => v + b[i]!);

export interface Statistics {
  readonly mean: Float64Array;
  /** Divided by n. */
  readonly variance: Float64Array;
}

function statisticsOf(x: Batch, width: number): Statistics {
  const count = x.length / width;
  const mean = new Float64Array(width);
  const variance = new Float64Array(width);
  x.forEach((v, i) => {
    mean[i % width]! += v / count;
  });
  x.forEach((v, i) => {
    variance[i % width]! += (v - mean[i % width]!) ** 2 / count;
  });
  return { mean, variance };
}

function normalize(x: Batch, { mean, variance }: Statistics): Batch {
  const width = mean.length;
  return x.map((v, i) => (v - mean[i % width]!) / Math.sqrt(variance[i % width]! + EPSILON));
}

const scaleAndShift = (x: Batch, gamma: Float64Array, beta: Float64Array): Batch =>
  x.map((v, i) => v * gamma[i % gamma.length]! + beta[i % gamma.length]!);

/** Gradients of BatchNorm over the batch, through its statistics; `unit` is the normalized input. */
function normBackward(dy: Batch, unit: Batch, { variance }: Statistics, gamma: Float64Array) {
  const width = gamma.length;
  const count = dy.length / width;
  const dgamma = new Float64Array(width);
  const dbeta = new Float64Array(width);
  dy.forEach((d, i) => {
    dgamma[i % width]! += d * unit[i]!;
    dbeta[i % width]! += d;
  });
  const dx = dy.map((d, i) => {
    const c = i % width;
    const centered = d - dbeta[c]! / count - (unit[i]! * dgamma[c]!) / count;
    return (gamma[c]! / Math.sqrt(variance[c]! + EPSILON)) * centered;
  });
  return { dgamma, dbeta, dx };
}

export interface Pass {
  /** Mean cross-entropy. */
  readonly loss: number;
  readonly accuracy: number;
  readonly gradients: Tensors;
  /** By the name of the BatchNorm layer. */
  readonly statistics: Map<string, Statistics>;
}

/** A layer's output, and its pullback, which collects gradients. */
interface Layer {
  readonly output: Batch;
  readonly backward: (dy: Batch) => Batch;
}

/** Layers one behind the other. */
function chain(x: Batch, ...layers: ((x: Batch) => Layer)[]): Layer {
  const made: Layer[] = [];
  for (const layer of layers) made.push(layer(made.at(-1)?.output ?? x));
  return {
    output: made.at(-1)!.output,
    backward: (dy) => made.reduceRight((d, layer) => layer.backward(d), dy),
  };
}

/** The name that parameters of a block's layer begin with. */
export const layerName = ({ tied }: Shape, block: number, layer: string): string =>
  tied && layer.startsWith('linear') ? `shared.${layer}` : `blocks.${block}.${layer}`;

/** What goes past a branch. */
export const carried = ({ skipScale = 1, shortcut }: Shape, h: Batch, first: Batch): Batch =>
  (shortcut === 'input' ? first : h).map((v) => skipScale * v);

/** Names of the layers of a branch, in order. */
export function branchLayers({
  norm,
  branch,
}: Shape): ('linear1' | 'linear2' | 'bn1' | 'bn2' | 'relu' | 'drop')[] {
  if (norm === 'none') return ['linear1', 'relu', 'drop', 'linear2'];
  if (branch === 'pre-norm') return ['bn1', 'relu', 'linear1', 'bn2', 'relu', 'drop', 'linear2'];
  return ['linear1', 'bn1', 'relu', 'drop', 'linear2', 'bn2'];
}

/**
 * Loss and gradients of a batch in training mode. `factors` of each block, [batch, width], multiply the
 * input of the last linear layer of its branch: dropout.
 */
export function trainingPass(
  shape: Shape,
  tensors: Tensors,
  x: Batch,
  labels: ArrayLike<number>,
  factors?: readonly Batch[],
): Pass {
  const { inputs, depth, width, classes, activation, skip, norm, branchScale = 1 } = shape;
  const gradients: Tensors = new Map();
  const statistics = new Map<string, Statistics>();
  const get = (name: string) => tensors.get(name)!;
  const collect = (name: string, gradient: Float64Array) => {
    const others = gradients.get(name);
    gradients.set(name, others ? plus(others, gradient) : gradient);
  };

  const linearLayer = (name: string, fanIn: number) => (input: Batch) => {
    const weight = get(`${name}.weight`);
    const bias = tensors.get(`${name}.bias`);
    const product = linear(input, weight, fanIn);
    return {
      output: bias ? product.map((v, i) => v + bias[i % width]!) : product,
      backward: (dy: Batch) => {
        const { dw, dx } = linearBackward(dy, input, weight, fanIn);
        collect(`${name}.weight`, dw);
        if (bias) collect(`${name}.bias`, columnSums(dy, width));
        return dx;
      },
    };
  };
  const normLayer = (name: string) => (input: Batch) => {
    const gamma = get(`${name}.weight`);
    const seen = statisticsOf(input, width);
    statistics.set(name, seen);
    const unit = normalize(input, seen);
    return {
      output: scaleAndShift(unit, gamma, get(`${name}.bias`)),
      backward: (dy: Batch) => {
        const { dgamma, dbeta, dx } = normBackward(dy, unit, seen, gamma);
        gradients.set(`${name}.weight`, dgamma).set(`${name}.bias`, dbeta);
        return dx;
      },
    };
  };
  const reluLayer = (input: Batch) => ({
    output: relu(input),
    backward: (dy: Batch) => reluBackward(dy, input),
  });
  const factorLayer = (given: Batch | undefined) => (input: Batch) => {
    const by = (v: Batch) => (given ? v.map((a, i) => a * given[i]!) : v);
    return { output: by(input), backward: by };
  };
  const scaleLayer = (name: string) => (input: Batch) => {
    const scale = branchScale === 'learned' ? get(name)[0]! : branchScale;
    return {
      output: input.map((v) => scale * v),
      backward: (dy: Batch) => {
        if (branchScale === 'learned') {
          gradients.set(name, Float64Array.of(dy.reduce((sum, d, i) => sum + d * input[i]!, 0)));
        }
        return dy.map((d) => scale * d);
      },
    };
  };

  const stem = chain(
    x,
    linearLayer('stem.linear', inputs),
    ...(norm === 'none' ? [] : [normLayer('stem.bn')]),
    reluLayer,
  );
  let h = stem.output;
  const blocks = Array.from({ length: depth }, (_, i) => {
    const make = {
      relu: () => reluLayer,
      drop: () => factorLayer(factors?.[i]),
      linear: (name: string) => linearLayer(layerName(shape, i, name), width),
      bn: (name: string) => normLayer(`blocks.${i}.${name}`),
    };
    const layers = branchLayers(shape).map((name) => make[name.replace(/\d/, '') as keyof typeof make](name));
    const branch = chain(h, ...layers, scaleLayer(`blocks.${i}.scale`));
    const sum = skip ? plus(carried(shape, h, stem.output), branch.output) : branch.output;
    h = activation === 'relu' ? relu(sum) : sum;
    return { branch, sum };
  });

  const count = labels.length;
  const logits = logitsOf(shape, tensors, h);
  const dlogits = new Float64Array(logits.length);
  let loss = 0;
  let right = 0;
  for (let n = 0; n < count; n++) {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    const top = Math.max(...row);
    const total = row.reduce((s, z) => s + Math.exp(z - top), 0);
    loss += (top + Math.log(total) - row[labels[n]!]!) / count;
    if (row.indexOf(top) === labels[n]) right++;
    for (let c = 0; c < classes; c++) {
      const target = c === labels[n] ? 1 : 0;
      dlogits[n * classes + c] = (Math.exp(row[c]! - top) / total - target) / count;
    }
  }

  const head = linearBackward(dlogits, h, get('head.weight'), width);
  gradients.set('head.weight', head.dw);
  gradients.set('head.bias', columnSums(dlogits, classes));
  let dh: Batch = head.dx;
  let dfirst: Batch = dh.map(() => 0);
  for (const { branch, sum } of blocks.reverse()) {
    const dsum = activation === 'relu' ? reluBackward(dh, sum) : dh;
    const past = dsum.map((d) => (skip ? d * (shape.skipScale ?? 1) : 0));
    const fromStem = shape.shortcut === 'input';
    dh = fromStem ? branch.backward(dsum) : plus(branch.backward(dsum), past);
    if (fromStem) dfirst = plus(dfirst, past);
  }
  stem.backward(plus(dh, dfirst));
  return { loss, accuracy: right / count, gradients, statistics };
}

/** The classifier's logits for any h. */
export function logitsOf({ width, classes }: Shape, tensors: Tensors, h: Batch): Batch {
  const bias = tensors.get('head.bias')!;
  return linear(h, tensors.get('head.weight')!, width).map((v, i) => v + bias[i % classes]!);
}

export interface Hyperparameters {
  readonly optimizer?: 'sgd' | 'adamw';
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  /** Steps over which the learning rate falls to 0. */
  readonly steps: number;
}

export interface State {
  step: number;
  readonly tensors: Tensors;
  /** Momentum; or the means of gradients and of their squares. */
  readonly moments: readonly Tensors[];
}

/** A step as torch.optim.SGD or AdamW takes it with CosineAnnealingLR; changes the state. */
export function trainingStep(
  shape: Shape,
  state: State,
  x: Batch,
  labels: ArrayLike<number>,
  options: Hyperparameters,
  factors?: readonly Batch[],
): Pass {
  const pass = trainingPass(shape, state.tensors, x, labels, factors);
  const rate = 0.5 * options.lr * (1 + Math.cos((Math.PI * state.step) / options.steps));
  for (const [name, gradient] of pass.gradients) {
    const parameter = state.tensors.get(name)!;
    const [first, second] = state.moments.map((moment) => moment.get(name)!);
    gradient.forEach((g, i) => {
      if (options.optimizer === 'adamw') {
        const [t, beta] = [state.step + 1, options.momentum];
        first![i] = beta * first![i]! + (1 - beta) * g;
        second![i] = 0.999 * second![i]! + 0.001 * g ** 2;
        const [mean, square] = [first![i]! / (1 - beta ** t), second![i]! / (1 - 0.999 ** t)];
        parameter[i]! -= rate * (options.weightDecay * parameter[i]! + mean / (Math.sqrt(square) + 1e-8));
      } else {
        const decayed = g + options.weightDecay * parameter[i]!;
        if (first) first[i] = options.momentum * first[i]! + decayed;
        parameter[i]! -= rate * (first ? first[i]! : decayed);
      }
    });
  }
  const count = labels.length;
  for (const [name, { mean, variance }] of pass.statistics) {
    const follow = (running: Float64Array, seen: Float64Array, correction: number) =>
      seen.forEach((v, i) => {
        running[i] = 0.9 * running[i]! + 0.1 * correction * v;
      });
    follow(state.tensors.get(`${name}.running_mean`)!, mean, 1);
    follow(state.tensors.get(`${name}.running_var`)!, variance, count / (count - 1));
  }
  state.step++;
  return pass;
}

/** Scale a and shift b of a BatchNorm layer in inference mode, y = a x + b. */
export function inferenceNorm(tensors: Tensors, name: string): { a: Float64Array; b: Float64Array } {
  const mean = tensors.get(`${name}.running_mean`)!;
  const variance = tensors.get(`${name}.running_var`)!;
  const a = tensors.get(`${name}.weight`)!.map((g, i) => g / Math.sqrt(variance[i]! + EPSILON));
  const b = tensors.get(`${name}.bias`)!.map((beta, i) => beta - mean[i]! * a[i]!);
  return { a, b };
}

/** What the blocks compute in inference mode, for a batch of any size. */
export interface Inference {
  /** h_1 … h_{L+1}. */
  readonly h: Batch[];
  /** What enters the ReLUs within each branch, in order. */
  readonly inner: Batch[][];
  /** h + F(h) of each block, or F(h) without skip connections. */
  readonly sum: Batch[];
  readonly logits: Batch;
}

/** A block's factor of its branch. */
export const scaleOf = ({ branchScale = 1 }: Shape, tensors: Tensors, block: number): number =>
  branchScale === 'learned' ? tensors.get(`blocks.${block}.scale`)![0]! : branchScale;

/** `without` is the number of a block whose branch is left out, from 0. */
export function infer(shape: Shape, tensors: Tensors, x: Batch, without?: number): Inference {
  const { inputs, depth, width, activation, skip, norm } = shape;
  const layer = (input: Batch, fanIn: number, name: string) => {
    const bias = tensors.get(`${name}.bias`) ?? new Float64Array(width);
    return linear(input, tensors.get(`${name}.weight`)!, fanIn).map((v, i) => v + bias[i % width]!);
  };
  const normed = (input: Batch, name: string) => {
    const { a, b } = inferenceNorm(tensors, name);
    return scaleAndShift(input, a, b);
  };
  const first = layer(x, inputs, 'stem.linear');
  const h = [relu(norm === 'none' ? first : normed(first, 'stem.bn'))];
  const inner: Batch[][] = [];
  const sum: Batch[] = [];
  for (let i = 0; i < depth; i++) {
    const gates: Batch[] = [];
    let f = h[i]!;
    for (const name of branchLayers(shape)) {
      if (name === 'relu') {
        gates.push(f);
        f = relu(f);
      } else if (name.startsWith('linear')) f = layer(f, width, layerName(shape, i, name));
      else if (name.startsWith('bn')) f = normed(f, `blocks.${i}.${name}`);
    }
    const scale = i === without ? 0 : scaleOf(shape, tensors, i);
    const branch = f.map((v) => scale * v);
    inner.push(gates);
    sum.push(skip ? plus(carried(shape, h[i]!, h[0]!), branch) : branch);
    h.push(activation === 'relu' ? relu(sum[i]!) : sum[i]!);
  }
  return { h, inner, sum, logits: logitsOf(shape, tensors, h[depth]!) };
}

/** Share of a data set that is classified correctly. */
export function accuracyOf(
  shape: Shape,
  tensors: Tensors,
  x: Batch,
  labels: ArrayLike<number>,
  without?: number,
): number {
  const { classes } = shape;
  const { logits } = infer(shape, tensors, x, without);
  let right = 0;
  for (let n = 0; n < labels.length; n++) {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    if (row.indexOf(Math.max(...row)) === labels[n]) right++;
  }
  return right / labels.length;
}
