import { conv2d } from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { vjp } from '../../src/autograd/transform.ts';
import { type Case, runCases } from '../cases.ts';
import { type ConvPart, ConvReference } from '../conv-reference.ts';
import { Sum } from '../inputs.ts';
import type { Context, Suite } from '../suite.ts';

interface Form {
  readonly name: string;
  readonly parts: readonly ConvPart[];
}

const forward: Form = { name: 'forward', parts: ['output'] };
const gradients: Form = { name: 'with both gradients', parts: ['output', 'input', 'weight'] };
const forms: readonly Form[] = [
  forward,
  gradients,
  { name: 'gradient by images', parts: ['input'] },
  { name: 'gradient by weights', parts: ['weight'] },
];

/** Default sizes for peers, which are slow. */
const PEER_SIZE = '16x16x16x64x64x3x1';

/** Convolutions and their gradients, as a user of `conv2d` and `vjp` gets them. */
export const convSuite: Suite = {
  name: 'conv',
  summary:
    'convolutions of N images HxW, I to O channels, KxK, stride S, padded by ⌊K/2⌋, and their gradients',
  threads: 'all',
  sizes: {
    notation: 'NxHxWxIxOxKxS',
    defaults: [
      PEER_SIZE,
      // Blocks of convolutional networks on MNIST with a stem of stride 6 and of stride 2.
      '128x4x4x32x32x3x1',
      '128x14x14x16x16x3x1',
      // Where ResNets halve the maps: the branch, and the projection around it; and a stem.
      '16x16x16x64x128x3x2',
      '16x16x16x64x128x1x2',
      '16x32x32x3x64x7x2',
    ],
  },
  run: (context) =>
    runCases(
      context,
      context.sizes.flatMap((size) => {
        const [images, height, width, inputChannels, outputChannels, window, stride] = size as Sizes;
        const shape = { images, height, width, inputChannels, outputChannels, size: window, stride };
        const reference = new ConvReference({ ...shape, padding: Math.floor(window / 2) });
        return forms.map((form) => caseOf(context, form, size.join('x'), reference));
      }),
    ),
};

type Sizes = [number, number, number, number, number, number, number];

function caseOf(context: Context, form: Form, size: string, reference: ConvReference): Case {
  const { shape, shapes } = reference;
  const convolve = (x: Tensor, w: Tensor) => conv2d(x, w, shape);
  const withGradients = (x: Tensor, w: Tensor, dy: Tensor): Tensor[] => {
    const [y, pull] = vjp(convolve, x, w);
    const [dx, dw] = pull(dy);
    const results: Record<ConvPart, Tensor> = { output: y, input: dx, weight: dw };
    return form.parts.map((part) => results[part]);
  };
  const forPeers = form === forward || form === gradients;
  return {
    name: form.name,
    size,
    ...(form === forward
      ? { f: convolve, shapes: [shapes.input, shapes.weight] }
      : { f: withGradients, shapes: [shapes.input, shapes.weight, shapes.output] }),
    inputs: () => {
      const { x, w, dy } = reference.operands;
      return form === forward ? [x, w] : [x, w, dy];
    },
    check: (outputs) => ({
      relativeTo: 'Σ|a||b|',
      error: Math.max(...form.parts.map((part, i) => reference.error(part, outputs[i]!))),
      tolerance: 5e-6,
    }),
    ...(context.peers && forPeers && (context.sizesGiven || size === PEER_SIZE)
      ? { peers: (ours) => beside(context, form, reference, ours) }
      : {}),
  };
}

function beside({ peers }: Context, form: Form, reference: ConvReference, ours: () => Promise<number>) {
  const total = form.parts.reduce((sum, part) => sum.join(reference.checksum(part)), new Sum());
  const work = { kind: 'conv', ...reference.shape, gradients: form === gradients } as const;
  return peers!.beside(work, ours, (check) => total.judge('sum of samples', check));
}
