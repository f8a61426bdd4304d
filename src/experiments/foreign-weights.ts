import { CollimateError } from '../errors.ts';
import { type NetworkOptions, networkOf } from '../models/networks.ts';
import type { HostState } from '../train/state.ts';
import { BATCHES, stateOf } from './checkpoint.ts';
import { asFloat32, decodeSafetensors, type TensorData } from './safetensors.ts';

/** Prefixes that wrappers add to every name: DataParallel, `torch.compile`, and modules that hold the network. */
const PREFIXES = ['module.', '_orig_mod.', 'model.'];

/**
 * The weights of a network from any safetensors file with PyTorch's names and shapes and nothing else, such as
 * torchvision's `resnet34`. The number of classes is the file's. Half and double precision are accepted if float32 holds
 * each number exactly; prefixes of wrappers are left out; counts of batches are ignored, and may be missing.
 */
export function decodeWeights(
  bytes: Uint8Array,
  fileName: string,
  options: NetworkOptions,
): { network: NetworkOptions; state: HostState } {
  const fail = (message: string) =>
    new CollimateError(`${fileName} ${message}`, 'Use a file with the weights of that network.');
  let named = [...decodeSafetensors(bytes, fileName).tensors];
  const prefixOf = () => PREFIXES.find((prefix) => named.every(([name]) => name.startsWith(prefix)));
  for (let prefix = prefixOf(); named.length && prefix !== undefined; prefix = prefixOf()) {
    const { length } = prefix;
    named = named.map(([name, tensor]) => [name.slice(length), tensor]);
  }
  const tensors = new Map<string, TensorData>();
  for (const [name, tensor] of named) {
    if (name.endsWith(BATCHES)) continue;
    const data = asFloat32(tensor);
    if (!data) {
      throw new CollimateError(
        `${fileName} has the tensor ${name} as ${tensor.dtype}, which float32 does not hold exactly`,
        'Save it as float32: `tensor.float()`.',
      );
    }
    tensors.set(name, { dtype: 'F32', shape: tensor.shape, data });
  }
  const [classes = 0] = tensors.get(networkOf(options).classifier)?.shape ?? [];
  const network = classes >= 2 ? { ...options, classes } : options;
  return { network, state: stateOf(tensors, networkOf(network), 0, fail) };
}

export const IMAGENET_CLASSES = 1000;
/** The classes of ImageNette, in the order of their WordNet numbers, among ImageNet's 1000. */
export const IMAGENETTE_IN_IMAGENET = [0, 217, 482, 491, 497, 566, 569, 571, 574, 701];

/** Reorders the outputs of a classifier: those in `first` come first, the others follow in order. */
export function bringForward(state: HostState, weight: string, first: readonly number[]): void {
  const classes = state.parameters.get(weight.replace(/weight$/, 'bias'))!.length;
  for (const name of [weight, weight.replace(/weight$/, 'bias')]) {
    const data = state.parameters.get(name)!;
    const each = data.length / classes;
    const rows = Array.from({ length: classes }, (_, c) => c);
    const order = [...first, ...rows.filter((c) => !first.includes(c))];
    const moved = data.slice();
    order.forEach((from, to) => {
      moved.set(data.subarray(from * each, (from + 1) * each), to * each);
    });
    state.parameters.set(name, moved);
  }
}
