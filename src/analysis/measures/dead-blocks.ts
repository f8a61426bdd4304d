import * as v from 'valibot';
import { whole } from '../../schema.ts';
import { ofNetwork, type Values } from './field.ts';
import type { Scalar } from './measure.ts';
import type { sample as spectrum } from './spectrum.ts';

export const title = 'Dead blocks';

/** Up to this σ_1, F moves h by less than float32's rounding: directions of the Jacobian mean nothing. */
export const DEAD_BELOW = 1e-6;

const fields = {
  deadBlocks: ofNetwork(
    'blocks, from 1, that are dead at some sample: see [Notation](results.md#notation)',
    v.array(whole(1)),
    (blocks, { depth }) => blocks.every((block) => block <= depth),
  ),
};

export { fields as whole };

export const overSamples = (samples: readonly Values<typeof spectrum>[]): Values<typeof fields> => ({
  deadBlocks: samples[0]!.sigma.flatMap((_, i) =>
    samples.some((s) => s.sigma[i]![0]! <= DEAD_BELOW) ? [i + 1] : [],
  ),
});

/** Numbers of the dead blocks. */
export const facts = {
  'Dead blocks (J = 0)': ({ deadBlocks }: Values<typeof fields>) =>
    deadBlocks.length > 0 ? deadBlocks.join(', ') : 'none',
};

export const scalars = {
  deadBlocks: {
    label: 'dead blocks',
    what: 'number of blocks whose Jacobian is zero at some sample',
    glance: true,
    from: (m) => m.deadBlocks.length,
  },
} satisfies Record<string, Scalar<Values<typeof fields>>>;
