/**
 * WGSL for numbers that may be NaN or infinite, by their bits: WGSL lets compilers take NaN for impossible, and they do (`x != x` is
 * false on both software adapters, and their max(NaN, 1) is 1). `bits` is the type of u32 that goes with the numbers' type.
 */

/** Bits of +∞; those of a NaN, without its sign, are more. */
const INFINITY = '0x7f800000u';

export const isNan = (x: string, bits = 'U'): string =>
  `(bitcast<${bits}>(abs(${x})) > ${bits}(${INFINITY}))`;

/** Whether any of four numbers is infinite or NaN. */
export const anyNonFinite = (x: string): string =>
  `any((bitcast<vec4u>(${x}) & vec4u(0x7fffffffu)) >= vec4u(${INFINITY}))`;

/** WGSL of a NaN: known at run time only, as constants may not be NaN. Taken where `wanted`, else it is 0. */
export const nanWhere = (wanted: string): string => `bitcast<f32>(select(0u, 0x7fc00000u, ${wanted}))`;

/** The larger or smaller of two numbers, or NaN where one is: of the sum of x and −x, compilers make 0 even there. */
export const extreme = (
  which: 'max' | 'min',
  a: string,
  b: string,
  [floats, bits]: readonly [string, string] = ['F', 'U'],
): string => {
  const most = `max(bitcast<${bits}>(abs(${a})), bitcast<${bits}>(abs(${b})))`;
  return `select(${which}(${a}, ${b}), bitcast<${floats}>(${most}), ${most} > ${bits}(${INFINITY}))`;
};

/** max(x, 0), or NaN: of numbers below 0 the bits are, as whole numbers, at most those of −∞. */
export const relu = (x: string): string => `select(${x}, F(0.0), bitcast<I>(${x}) <= I(-8388608))`;
