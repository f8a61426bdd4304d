/**
 * Exponential, logarithm, hyperbolic tangent and error function in WGSL, to one or two units in the last
 * place, for the types `F` and `U`: f32 and u32, or vectors of them. WGSL's own may err by 2⁻²¹ near log(1)
 * and by 3 + 2|x| units in eˣ, and return anything for zero, negative numbers and NaN. These use + − × ÷ and
 * integers only; contracted products keep exact what must be. Special values are recognized and made by
 * their bits, as compilers may assume there are none. Polynomials are minimax fits, off by less than 6e-9.
 */
const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.reduceRight((sum, c) => (sum ? `${c} + ${x} * (${sum})` : `${c}`), '');

/** ln 2 in two parts: integers below 2¹⁵ times the upper one are exact. */
const [LN2_HIGH, LN2_LOW] = [0.693359375, -2.1219444005469057e-4];

/**
 * `exponential(x)` = eˣ = 2ⁿ eʳ, with |r| ≤ ln 2 / 2. 2ⁿ is applied as two factors: alone it can overflow,
 * or be subnormal, where the result is not.
 */
export const EXP_WGSL = `
fn exponential(x: F) -> F {
  let inside = clamp(x, F(-105.0), F(89.0));
  let n = round(inside * ${Math.LOG2E});
  let k = U(n + 256.0);
  let r = (inside - n * ${LN2_HIGH}) - n * ${LN2_LOW};
  let y = 1.0 + (r + r * r * (${horner('r', [0.5, 0.16666512, 0.041666187, 0.008369599, 0.001395172])}));
  let scaled = y * bitcast<F>(((k >> U(1u)) - U(1u)) << U(23u)) * bitcast<F>((k - (k >> U(1u)) - U(1u)) << U(23u));
  return select(scaled, x, (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u));
}`;

/**
 * `logarithm(x)` = ln x = e ln 2 + ln(1 + f), with x = 2ᵉ (1 + f) and 1 + f from √½ to √2. f is exact, so
 * nothing is lost near 1. Subnormal numbers are read as integers: adapters may flush them to zero.
 */
export const LOG_WGSL = `
fn logarithm(x: F) -> F {
  let bits = bitcast<U>(x);
  let subnormal = bits < U(0x800000u);
  let normal = select(bits, bitcast<U>(F(bits & U(0x7fffffu))), subnormal) + U(0x3f800000u - 0x3f3504f3u);
  let e = F(normal >> U(23u)) - select(F(127.0), F(276.0), subnormal);
  let f = bitcast<F>((normal & U(0x7fffffu)) + U(0x3f3504f3u)) - 1.0;
  let tail = f * f * f * (${horner('f', [0.3333333, -0.2500082, 0.20001227, -0.16623357, 0.14201757, -0.13160183, 0.12761576, -0.07634497])});
  let y = e * ${LN2_HIGH} + (f + ((tail + e * ${LN2_LOW}) - 0.5 * f * f));
  let known = select(bitcast<U>(y), bits, bits == U(0x7f800000u));
  let nan = select(known, bits | U(0x7fc00000u), bits > U(0x7f800000u));
  return bitcast<F>(select(nan, bits | U(0xff800000u), (bits << U(1u)) == U(0u)));
}`;

/** `hyperbolicTangent(x)` = tanh x: an odd polynomial below 0.55, else 1 − 2 / (e²ˣ + 1) with x's sign. */
export const TANH_WGSL = `
fn hyperbolicTangent(x: F) -> F {
  let bits = bitcast<U>(x);
  let a = bitcast<F>(bits & U(0x7fffffffu));
  let z = x * x;
  let small = a + a * z * (${horner('z', [-0.33333316, 0.13332586, -0.05385231, 0.02107168, -0.0062742396])});
  let large = 1.0 - 2.0 / (exponential(2.0 * min(a, F(10.0))) + 1.0);
  let y = bitcast<U>(select(large, small, a < F(0.55))) | (bits & U(0x80000000u));
  return bitcast<F>(select(y, bits, (bits & U(0x7fffffffu)) > U(0x7f800000u)));
}`;

/** `errorFunction(x)` = erf x, with x's sign: an odd polynomial to 0.92, 1 − e^(−p(|x|)) to 4, then 1. */
export const ERF_WGSL = `
fn errorFunction(x: F) -> F {
  let bits = bitcast<U>(x);
  let a = bitcast<F>(bits & U(0x7fffffffu));
  let z = x * x;
  // Of the smallest floats, the second term is subnormal.
  let small = select(a * 1.1283792, a + a * (${horner('z', [0.12837917, -0.37612635, 0.11283697, -0.0268595, 0.0052012857, -8.1455929e-4, 8.3823732e-5])}), a > F(1e-30));
  let b = min(a, F(4.0));
  let large = 1.0 - exponential(-(${horner('b', [1.9567426e-4, 1.1276757, 0.63718224, 0.10393161, -0.022226924, 0.0030432183, -1.9593733e-4])}));
  let y = bitcast<U>(select(large, small, a < F(0.92))) | (bits & U(0x80000000u));
  return bitcast<F>(select(y, bits, (bits & U(0x7fffffffu)) > U(0x7f800000u)));
}`;
