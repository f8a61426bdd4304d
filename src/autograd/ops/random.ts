import { CollimateError } from '../../errors.ts';
import { philoxNormal, philoxUniform } from '../../kernels/philox.ts';
import { random } from '../../kernels/random.ts';
import type { Rules } from '../rule.ts';
import { formatType, holds, rangeOf, sizeOf } from '../shape.ts';

/** Numbers that depend on key, stream and position only. */
export const randomRules: Pick<Rules, 'random'> = {
  random: {
    shape: ([key], { distribution, shape, stream }) => {
      if (!holds('u32', stream) || !['uniform', 'normal'].includes(distribution)) {
        throw new CollimateError(
          `random: stream ${stream} of the distribution ${distribution}`,
          `Streams are ${rangeOf('u32')}, distributions uniform or normal.`,
        );
      }
      if (key!.dtype !== 'u32' || key!.size !== 2) {
        throw new CollimateError(`random: the key is ${formatType(key!)}`, 'A key is u32[2].');
      }
      return { shape, dtype: 'f32' };
    },
    reference: ([key], { distribution, shape, stream }) => {
      const generate = distribution === 'uniform' ? philoxUniform : philoxNormal;
      return generate(sizeOf(shape), key!.data as unknown as [number, number], stream);
    },
    jvp: 'zero',
    transpose: 'nonlinear',
    lowering: {
      kind: 'kernel',
      make: ({ params }, traits) => random({ ...params, count: sizeOf(params.shape) }, traits),
    },
  },
};
