import { CollimateError } from '../../errors.ts';
import type { Rules } from '../rule.ts';
import { expectType, formatShape, holds, isNumeric, rangeOf, sizeOf, stridesOf } from '../shape.ts';
import { describe } from '../tensor.ts';

const leaf = { jvp: 'zero', transpose: 'nonlinear', lowering: { kind: 'leaf' } } as const;

/** Where values come from: data, literals, coordinates. */
export const leafRules: Pick<Rules, 'input' | 'constant' | 'iota'> = {
  input: {
    shape: (_, { name, shape, dtype }) => {
      expectType(`input ${name}`, dtype);
      return { shape, dtype };
    },
    reference: (_, { name, data }) => {
      if (data) return Float64Array.from(data);
      throw new CollimateError(
        `input ${name} belongs to another graph, and has no value here`,
        'Pass the tensor in as an argument.',
      );
    },
    ...leaf,
  },
  constant: {
    shape: (_, { value, dtype }) => {
      const typed = isNumeric(dtype);
      if (!typed || !holds(dtype, value)) {
        throw new CollimateError(
          `constant: ${describe(value)} is not a ${dtype} literal`,
          typed
            ? `Give ${rangeOf(dtype)}, or cast the other operand.`
            : 'Literals are f32, u32 or i32: for a bool, compare two numbers.',
        );
      }
      return { shape: [], dtype };
    },
    reference: (_, { value }) => Float64Array.of(value),
    ...leaf,
  },
  iota: {
    shape: (_, { shape, axis }) => {
      if (!Number.isInteger(axis) || axis >= 0 || -axis > shape.length) {
        throw new CollimateError(
          `iota: axis ${axis} is not in shape ${formatShape(shape)}`,
          'Count axes from the end: −1 is the last.',
        );
      }
      return { shape, dtype: 'u32' };
    },
    reference: (_, { shape, axis }) => {
      const stride = stridesOf(shape).at(axis)!;
      return Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.floor(i / stride) % shape.at(axis)!);
    },
    ...leaf,
  },
};
