import { CollimateError } from '../../errors.ts';
import { checkWindow, outputSides, type Window } from '../../kernels/window.ts';
import { bind } from '../bind.ts';
import { lateKernels } from '../late.ts';
import { broadcast, reshape } from '../operations.ts';
import type { Rules } from '../rule.ts';

import { formatShape, formatType, type Shape, sizeOf, type Tensor } from '../tensor.ts';

/** Axes of an image: height, width, channels. */
const AXES = 3;

const pick = (part: 'tangent' | 'cotangent', t: Tensor, x: Tensor, window: Window): Tensor =>
  bind('maxPool', [t, x], { part, window });

export const poolRules: Pick<Rules, 'maxPool'> = {
  maxPool: {
    shape: (inputs, { part, window }) => {
      const x = inputs.at(-1)!;
      if (x.rank < AXES || inputs.some((t) => t.dtype !== 'f32')) {
        throw new CollimateError(
          `maxPool: an operand is ${formatType(x)}`,
          'Give f32 [… , height, width, channels].',
        );
      }
      checkWindow('maxPool', window);
      const [h, w, channels] = x.shape.slice(-AXES) as [number, number, number];
      const places = [...outputSides(window), channels];
      const whole = [h, w, channels];
      const lead = inputs[0]!.shape.slice(0, -AXES);
      const given = part === 'cotangent' ? places : whole;
      const own = x.shape.slice(0, -AXES);
      const fits = `${lead.slice(lead.length - own.length)}` === `${own}`;
      if (`${inputs[0]!.shape.slice(-AXES)}` !== `${given}` || `${[h, w]}` !== `${window.image}` || !fits) {
        throw new CollimateError(
          `maxPool: ${part} of ${inputs.map((t) => formatShape(t.shape)).join(' and ')} with images of ${window.image.join('×')}`,
          'Tangents and cotangents have the shape of their tensor, and further leading axes.',
        );
      }
      return { shape: [...lead, ...(part === 'cotangent' ? whole : places)], dtype: 'f32' };
    },
    reference: (inputs, { part, window }, out) => {
      const x = inputs.at(-1)!;
      const [height, width, channels] = x.shape.slice(-AXES) as [number, number, number];
      const [oh, ow] = outputSides(window);
      const data = new Float64Array(sizeOf(out.shape));
      const images = sizeOf(inputs[0]!.shape.slice(0, -AXES));
      const each = height * width * channels;
      for (let image = 0; image < images; image++)
        for (let place = 0; place < oh * ow; place++)
          for (let c = 0; c < channels; c++) {
            const top = Math.floor(place / ow) * window.stride[0] - window.padding[0];
            const left = (place % ow) * window.stride[1] - window.padding[1];
            let best = -1;
            for (let h = Math.max(top, 0); h < Math.min(top + window.size[0], height); h++)
              for (let w = Math.max(left, 0); w < Math.min(left + window.size[1], width); w++) {
                const at = (h * width + w) * channels + c;
                const start = (image * each) % x.data.length;
                const [value, largest] = [x.data[start + at]!, x.data[start + best]!];
                if (best < 0 || value > largest || (Number.isNaN(value) && !Number.isNaN(largest))) best = at;
              }
            const output = (image * oh * ow + place) * channels + c;
            if (part === 'cotangent') data[image * each + best]! += inputs[0]!.data[output]!;
            else data[output] = inputs[0]!.data[image * each + best]!;
          }
      return data;
    },
    // The choice of elements is locally constant, except at ties.
    jvp: ([t], inputs, { params: { part, window } }) =>
      t ? pick(part === 'value' ? 'tangent' : part, t, inputs.at(-1)!, window) : null,
    transpose: (ct, [, x], _, { params: { part, window } }) => [
      pick(part === 'tangent' ? 'cotangent' : 'tangent', ct, x!, window),
      null,
    ],
    batch: ([t, x], [own, chooses], { inputs: [model], params }) => {
      if (!x || !chooses) return bind('maxPool', [t!, ...(x ? [x] : [])], params);
      // As many images as tangents: leading axes that only tangents have go behind the new one.
      const lead = [x.shape[0]!, ...model!.shape.slice(0, -AXES)];
      const whole = (y: Tensor, [first, ...rest]: Shape) => {
        const ones = new Array<number>(lead.length + AXES - 1 - rest.length).fill(1);
        return broadcast(reshape(y, [first!, ...ones, ...rest]), [...lead, ...y.shape.slice(-AXES)]);
      };
      return bind('maxPool', [whole(t!, own ? t!.shape : [1, ...t!.shape]), whole(x, x.shape)], params);
    },
    late: lateKernels.pool,
    lowering: {
      kind: 'kernel',
      make: ({ inputs, params }, traits) => {
        const x = inputs.at(-1)!;
        return lateKernels.pool.module.maxPool(
          {
            ...params,
            channels: x.shape.at(-1)!,
            images: sizeOf(inputs[0]!.shape.slice(0, -AXES)),
            distinct: sizeOf(x.shape.slice(0, -AXES)),
          },
          traits,
        );
      },
    },
  },
};
