import type { Rules } from '../rule.ts';
import { sizeOf, stridesOf } from '../tensor.ts';

/** Where values come from: data, literals, coordinates. */
export const leafRules: Pick<Rules, 'input' | 'constant' | 'iota'> = {
  input: {
    shape: (_, { shape, dtype }) => ({ shape, dtype }),
    reference: (_, { name }) => {
      throw new Error(`no value was given for input ${name}`);
    },
    jvp: 'zero',
    transpose: 'nonlinear',
    lowering: { kind: 'leaf' },
  },
  constant: {
    shape: (_, { dtype }) => ({ shape: [], dtype }),
    reference: (_, { value }) => Float64Array.of(value),
    jvp: 'zero',
    transpose: 'nonlinear',
    lowering: { kind: 'leaf' },
  },
  iota: {
    shape: (_, { shape }) => ({ shape, dtype: 'u32' }),
    reference: (_, { shape, axis }) => {
      const stride = stridesOf(shape).at(axis)!;
      return Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.floor(i / stride) % shape.at(axis)!);
    },
    jvp: 'zero',
    transpose: 'nonlinear',
    lowering: { kind: 'leaf' },
  },
};
