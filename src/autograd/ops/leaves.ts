import { CollimateError } from '../../errors.ts';
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
    shape: (_, { value, dtype }) => {
      if (!Number.isFinite(Math.fround(value))) {
        throw new CollimateError(
          `constant: ${value} is not a finite float32`,
          'Shaders have no literal for it: pass it in as data, or use a large number.',
        );
      }
      return { shape: [], dtype };
    },
    reference: (_, { value, dtype }) => Float64Array.of(dtype === 'u32' ? value >>> 0 : value),
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
