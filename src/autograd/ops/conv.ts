import { CollimateError } from '../../errors.ts';
import { checkWindow, outputSides, type Window } from '../../kernels/window.ts';
import { lateKernels } from '../late.ts';
import { layOutConv } from '../lower/product-spec.ts';
import { add, conv, reshape, sum, sumTo, transpose } from '../operations.ts';
import type { Params } from '../primitives.ts';
import type { Rules } from '../rule.ts';
import { broadcastShapes, formatShape, formatType, type Shape, sizeOf, type Tensor } from '../tensor.ts';
import { broadcastIndex } from './indexing.ts';

type Part = Params['conv']['part'];

/** Axes of one problem; those before them broadcast. */
const AXES = 4;

/** Images x, weights w and outputs y. */
type Role = 'x' | 'w' | 'y';

/** Both operands, then the result. */
const ROLES: Record<Part, readonly [Role, Role, Role]> = {
  forward: ['x', 'w', 'y'],
  inputGradient: ['y', 'w', 'x'],
  weightGradient: ['y', 'x', 'w'],
};

type Size = 'n' | 'ci' | 'co';
const LAYOUT =
  'Give f32 images [n, height, width, channels], and weights [output channels, height, width, input channels] (swapped for an input gradient).';
const NAMES: Record<Size, string> = { n: 'images', ci: 'channels', co: 'output channels' };

/** The sides of all three: known from the window, or a letter that must agree wherever it stands. */
function sidesOf(result: Role, window: Window): Record<Role, readonly (number | Size)[]> {
  const [inner, outer] = result === 'x' ? (['co', 'ci'] as const) : (['ci', 'co'] as const);
  return {
    x: ['n', ...window.image, 'ci'],
    w: [outer, ...window.size, inner],
    y: ['n', ...outputSides(window), 'co'],
  };
}

export const convRules: Pick<Rules, 'conv'> = {
  conv: {
    shape: ([a, b], { part, window }) => {
      for (const t of [a!, b!]) {
        if (t.rank < AXES || t.dtype !== 'f32') {
          throw new CollimateError(`conv: an operand is ${formatType(t)}`, LAYOUT);
        }
      }
      checkWindow('conv', window);
      const [first, second, result] = ROLES[part];
      const sides = sidesOf(result, window);
      const known: Partial<Record<Size, number>> = {};
      [first, second].forEach((role, i) => {
        const own = [a!, b!][i]!.shape.slice(-AXES);
        const [, h, w] = sides[role];
        if (own[1] !== h || own[2] !== w) {
          throw new CollimateError(
            `conv: ${role} is ${formatShape(own)}, expected sides of ${h}×${w}`,
            LAYOUT,
          );
        }
        sides[role].forEach((side, axis) => {
          if (typeof side === 'number') return;
          const [before, size] = [known[side] ?? own[axis]!, own[axis]!];
          known[side] = size;
          if (before === size) return;
          throw new CollimateError(
            `conv: ${formatShape(a!.shape)} has ${before} ${NAMES[side]}, ${formatShape(b!.shape)} has ${size}`,
            LAYOUT,
          );
        });
      });
      const own = sides[result].map((side) => (typeof side === 'number' ? side : known[side]!));
      const batch = broadcastShapes('conv', [a!.shape.slice(0, -AXES), b!.shape.slice(0, -AXES)]);
      return { shape: [...batch, ...own], dtype: 'f32' };
    },
    reference: ([a, b], { part, window }, out) => {
      const { image, size, stride, padding } = window;
      const [oh, ow] = outputSides(window);
      const [first, second, result] = ROLES[part];
      const shapes = { [first]: a!.shape, [second]: b!.shape, [result]: out.shape } as Record<Role, Shape>;
      const batch = out.shape.slice(0, -AXES);
      /** Where the elements of each problem of the batch start. */
      const startsOf = (role: Role) => {
        const index = broadcastIndex(batch, shapes[role].slice(0, -AXES));
        return (p: number) => index(p) * sizeOf(shapes[role].slice(-AXES));
      };
      const [startX, startW, startY] = [startsOf('x'), startsOf('w'), startsOf('y')];
      const [n, , , ci] = shapes.x.slice(-AXES) as [number, number, number, number];
      const co = shapes.w.at(result === 'x' ? -1 : -AXES)!;
      const taps = size[0] * size[1];
      // Strides of the weights along channels, output channels and taps.
      const [stepC, stepF, stepTap] = result === 'x' ? [taps * co, 1, co] : [1, taps * ci, ci];
      const data = new Float64Array(sizeOf(out.shape));
      for (let p = 0; p < sizeOf(batch); p++) {
        const [x0, w0, y0] = [startX(p), startW(p), startY(p)];
        for (let m = 0; m < n * oh * ow; m++) {
          const [q, r, i] = [m % ow, Math.floor(m / ow) % oh, Math.floor(m / (ow * oh))];
          for (let tap = 0; tap < taps; tap++) {
            const h = r * stride[0] - padding[0] + Math.floor(tap / size[1]);
            const v = q * stride[1] - padding[1] + (tap % size[1]);
            if (h < 0 || h >= image[0] || v < 0 || v >= image[1]) continue;
            for (let c = 0; c < ci; c++)
              for (let f = 0; f < co; f++) {
                const x = x0 + ((i * image[0] + h) * image[1] + v) * ci + c;
                const w = w0 + tap * stepTap + c * stepC + f * stepF;
                const y = y0 + m * co + f;
                const at = result === 'y' ? y : result === 'x' ? x : w;
                data[at]! += a!.data[first === 'x' ? x : y]! * b!.data[second === 'x' ? x : w]!;
              }
          }
        }
      }
      return data;
    },
    // d(x ∗ w) = dx ∗ w + x ∗ dw, and likewise for the other two.
    jvp: ([ta, tb], [a, b], { params: { part, window } }) => {
      const da = ta ? conv(part, ta, b!, window) : null;
      const db = tb ? conv(part, a!, tb, window) : null;
      return da && db ? add(da, db) : (da ?? db);
    },
    // The form is linear in each of the three: the cotangent is its derivative by that operand.
    transpose: (ct, [a, b], [la], { params: { part, window } }) => {
      const shape = (la ? a! : b!).shape;
      const bar = () => {
        switch (part) {
          case 'forward':
            return la
              ? conv('inputGradient', ct, swapChannels(b!), window)
              : byWeights(ct, a!, shape, window);
          case 'inputGradient':
            return la
              ? conv('forward', ct, swapChannels(b!), window)
              : swapChannels(byWeights(a!, ct, swapChannels(b!).shape, window));
          case 'weightGradient':
            return la ? conv('forward', b!, ct, window) : conv('inputGradient', a!, swapChannels(ct), window);
        }
      };
      const own = sumTo(bar(), shape);
      return la ? [own, null] : [null, own];
    },
    late: lateKernels.conv,
    lowering: {
      kind: 'kernel',
      make: (node, traits) => lateKernels.conv.module.conv(layOutConv(node)!.spec, traits),
    },
  },
};

/** Weights [co, kh, kw, ci] as [ci, kh, kw, co], and back: what is summed over lies innermost. */
const swapChannels = (w: Tensor): Tensor => transpose(w, [3, 1, 2, 0]);

/** Smaller weights have too few tiles to keep an adapter busy: the sum over images is split into parts. */
const SPLIT_BELOW = 2 ** 17;
const MAX_SPLITS = 16;

/**
 * The derivative by the weights, a sum over all images: for small weights, parts of the sum are computed
 * side by side, then added. Leading axes that the weights lack are further images of the same sum.
 */
function byWeights(y: Tensor, x: Tensor, shape: readonly number[], window: Window): Tensor {
  if (shape.length > AXES || x.rank !== y.rank) return conv('weightGradient', y, x, window);
  const merge = (t: Tensor) => reshape(t, [t.size / sizeOf(t.shape.slice(-3)), ...t.shape.slice(-3)]);
  const [outputs, images] = [merge(y), merge(x)];
  const n = images.shape[0]!;
  const most = Math.min(MAX_SPLITS, Math.floor(SPLIT_BELOW / sizeOf(shape)));
  let splits = Math.max(1, Math.min(most, n));
  while (n % splits !== 0) splits--;
  if (splits === 1) return conv('weightGradient', outputs, images, window);
  const cut = (t: Tensor) => reshape(t, [splits, n / splits, ...t.shape.slice(1)]);
  return reshape(sum(conv('weightGradient', cut(outputs), cut(images), window), -5), shape);
}
