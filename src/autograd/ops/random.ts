import { CollimateError } from '../../errors.ts';
import { philoxNormal, philoxUniform } from '../../kernels/philox.ts';
import { lateKernels } from '../late.ts';
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
      if (key!.dtype !== 'u32' || key!.shape.at(-1) !== 2) {
        throw new CollimateError(
          `random: the key is ${formatType(key!)}`,
          'A key is u32[2], or u32 […, 2] for the numbers of many keys.',
        );
      }
      return { shape: [...key!.shape.slice(0, -1), ...shape], dtype: 'f32' };
    },
    reference: ([key], { distribution, shape, stream }) => {
      const generate = distribution === 'uniform' ? philoxUniform : philoxNormal;
      const keys = Array.from({ length: key!.data.length / 2 }, (_, i) => [
        ...key!.data.slice(2 * i, 2 * i + 2),
      ]);
      return Float64Array.from(
        keys.flatMap((key) => [...generate(sizeOf(shape), key as [number, number], stream)]),
      );
    },
    jvp: 'zero',
    transpose: 'nonlinear',
    late: lateKernels.random,
    lowering: {
      kind: 'kernel',
      make: ({ inputs: [key], params }, traits) =>
        lateKernels.random.module.random(
          { ...params, count: sizeOf(params.shape), keys: key!.size / 2 },
          traits,
        ),
    },
  },
};
