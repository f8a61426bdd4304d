import { DeviceArray } from '../autograd/array.ts';
import { add, amax, div, equal, greater, iota, minimum, reshape, sum, where } from '../autograd/functions.ts';
import type { BoundProgram } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkWhole } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { AdapterTraits } from '../gpu/kernel.ts';
import { inferenceNorm } from './batch-norm.ts';
import { bound } from './bound.ts';
import { checkExamples, type DeviceExamples, inputsOf } from './examples.ts';
import { Loader } from './loader.ts';
import { largestActivation, type Network, type Weights } from './network.ts';
import { objectiveOf } from './objective.ts';

/** Examples per step, if all activations fit into memory. */
const BATCH = 1000;
/** Maximum bytes of one activation, well below what adapters let a binding span. */
const ACTIVATION_BYTES = 64 * 2 ** 20;

/** Accuracy or R² on a dataset in inference mode, all batches queued at once. Example: {@link Trainer} */
export class Evaluator implements Disposable {
  private constructor(
    private readonly program: BoundProgram,
    private readonly batches: number,
    private readonly count: number,
    private readonly loader: Loader,
    private readonly position: DeviceArray,
    private readonly correct: DeviceArray,
  ) {}

  /** `weights` holds parameters and running statistics by name; the first `count` examples are used. */
  static async create(
    gpu: Gpu,
    network: Network,
    weights: Readonly<Record<string, DeviceArray>>,
    examples: DeviceExamples,
    count = examples.labels.size,
  ): Promise<Evaluator> {
    checkExamples(network, examples);
    checkWhole('the number of examples to classify', count, 1, examples.labels.size);
    const batch = evaluationBatch(network, gpu.traits);
    const last = count - 1;
    const loader = new Loader(gpu, examples, batch, (step, i) => Math.min(step * batch + i, last));
    const position = DeviceArray.zeros(gpu, [1], 'u32', 'evaluation position');
    const correct = DeviceArray.zeros(gpu, [1, 1], 'f32', 'correct');
    const { truth } = objectiveOf(network, examples);
    const inputs = [weights, loader.table, truth, position, correct] as const;
    const step = evaluationStep(network, examples, count, loader, batch);
    const inPlace = [[0, 3] as const, [1, 4] as const];
    const program = await bound(gpu, 'evaluation', inputs, step, [position, correct], inPlace);
    return new Evaluator(program, Math.ceil(count / batch), count, loader, position, correct);
  }

  /** Share of examples classified correctly with the current weights, or R², at least 0. */
  async accuracy(): Promise<number> {
    const { position, correct, program } = this;
    position.write([0]);
    correct.write([0]);
    this.loader.queue(0, this.batches, (steps) => position.gpu.submit([program], steps));
    return Math.max(0, (await correct.read())[0]! / this.count);
  }

  /** Frees what it made, but not state and examples. */
  dispose(): void {
    for (const own of [this.program, this.position, this.correct, this.loader]) own.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Examples evaluated at once. */
export function evaluationBatch(
  network: Parameters<typeof largestActivation>[0],
  traits: Pick<AdapterTraits, 'maxBindingBytes'>,
): number {
  const bytes = Math.min(ACTIVATION_BYTES, traits.maxBindingBytes);
  return Math.max(1, Math.min(BATCH, Math.floor(bytes / (4 * largestActivation(network)))));
}

function evaluationStep(
  network: Network,
  examples: DeviceExamples,
  count: number,
  loader: Loader,
  batch: number,
) {
  const objective = objectiveOf(network, examples);
  return (weights: Weights, images: Tensor, truth: Tensor, position: Tensor, correct: Tensor) => {
    const numbers = add(iota([batch]), position);
    const index = minimum(numbers, count - 1);
    const rows = loader.rows(div(position, batch), index);
    const x = inputsOf(images, rows, examples, network.input);
    const logits = network.forward(weights, x, inferenceNorm);
    const worth = objective.worth(logits, objective.expected(truth, index, x));
    const top = amax(logits, -1);
    // Outputs with a NaN are worth nothing.
    const known = where(equal(top, top), worth, 0);
    const counted = where(greater(count, reshape(numbers, [batch, 1])), known, 0);
    return [add(position, batch), add(correct, sum(counted, [-2, -1]))];
  };
}
