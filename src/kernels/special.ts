/**
 * WGSL for NaN and infinities, by their bits: compilers may assume there is no NaN, and do (`x != x` is
 * false on both software adapters, and max(NaN, 1) is 1). `bits` is the type of u32 to match the numbers'.
 */

/** Bits of +∞; those of a NaN, without its sign, are greater. */
const INFINITY = '0x7f800000u';

export const isNan = (x: string, bits = 'U'): string =>
  `(bitcast<${bits}>(abs(${x})) > ${bits}(${INFINITY}))`;

/** Whether any of four numbers is infinite or NaN. */
export const anyNonFinite = (x: string): string =>
  `any((bitcast<vec4u>(${x}) & vec4u(0x7fffffffu)) >= vec4u(${INFINITY}))`;

/** WGSL of a NaN where a condition holds, else 0; known only at run time, since constants may not be NaN. */
export const nanWhere = (condition: string): string => `bitcast<f32>(select(0u, 0x7fc00000u, ${condition}))`;

/** The larger or smaller of two numbers; NaN if one is, by its bits: compilers fold x − x to 0 even then. */
export const extreme = (
  which: 'max' | 'min',
  a: string,
  b: string,
  [floats, bits]: readonly [string, string] = ['F', 'U'],
): string => {
  const most = `max(bitcast<${bits}>(abs(${a})), bitcast<${bits}>(abs(${b})))`;
  return `select(${which}(${a}, ${b}), bitcast<${floats}>(${most}), ${most} > ${bits}(${INFINITY}))`;
};

/** max(x, 0), or NaN: as integers, the bits of numbers below 0 are at most those of −∞. */
export const relu = (x: string): string => `select(${x}, F(0.0), bitcast<I>(${x}) <= I(-8388608))`;
