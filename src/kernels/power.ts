/** 2/ln 2, log₂ ¾ and log₂ 1¼, each as a 12-bit number and the rest. */
const [K, K_LOW] = [2.884765625, 6.2445679e-4];
const [LOG_BELOW, LOG_BELOW_LOW] = [-0.4149169921875, -1.2050709e-4];
const [LOG_ABOVE, LOG_ABOVE_LOW] = [0.3218994140625, 2.8680825e-5];

/**
 * `power(x, y)` = xʸ for the types `F`, `I` and `U`, with IEEE 754's special values, to two or three units
 * in the last place; it calls `exponential`. 2ˡ, l = y log₂|x|, is accurate only to the bits of l after the
 * binary point, so log₂|x| is kept in two parts. x = 2ᵉ m, m from √½ to √2, and log₂ m = log₂ c + 2/ln 2
 * artanh s, where s = (m − c) / (m + c) is small for the nearest c of ¾, 1 and 1¼. Upper parts have 12 bits
 * (`upper`), so that their products are exact; compilers cannot see through it to cancel terms.
 */
export const POWER_WGSL = `
fn upper(x: F) -> F { return bitcast<F>(bitcast<U>(x) & U(0xfffff000u)); }
fn power(x: F, y: F) -> F {
  let ax = bitcast<U>(x) & U(0x7fffffffu);
  let ay = bitcast<U>(y) & U(0x7fffffffu);
  let subnormal = ax < U(0x800000u);
  let normal = select(ax, bitcast<U>(F(ax)), subnormal) + U(0x3f800000u - 0x3f3504f3u);
  let e = F(normal >> U(23u)) - select(F(127.0), F(276.0), subnormal);
  let m = bitcast<F>((normal & U(0x7fffffu)) + U(0x3f3504f3u));
  let below = m < F(0.8409);
  let above = m > F(1.1892);
  let c = select(select(F(1.0), F(0.75), below), F(1.25), above);
  let f = m - c;
  let d = m + c;
  let dUpper = upper(d);
  let s = f / d;
  let sUpper = upper(s);
  let sLower = ((f - sUpper * dUpper) - sUpper * (m - (dUpper - c))) / d;
  let z = s * s;
  let rest = sLower + s * (z * (0.33333334 + z * (0.19999295 + z * 0.1444717)));
  let t = ${K} * sUpper;
  let whole = e + select(select(F(0.0), F(${LOG_BELOW}), below), F(${LOG_ABOVE}), above);
  let correction = select(select(F(0.0), F(${LOG_BELOW_LOW}), below), F(${LOG_ABOVE_LOW}), above);
  let high = upper(whole + t);
  let low = ((whole - high) + t) + (correction + (${K_LOW} * sUpper + ${K + K_LOW} * rest));
  let v = clamp(y, F(-4e9), F(4e9));
  let vUpper = upper(v);
  let p = vUpper * high;
  let q = (v - vUpper) * high + v * low;
  let n = round(clamp(p + q, F(-200.0), F(200.0)));
  let k = U(n + 256.0);
  let size = exponential(clamp((p - n) + q, F(-1.0), F(1.0)) * ${Math.LN2})
    * bitcast<F>(((k >> U(1u)) - U(1u)) << U(23u)) * bitcast<F>((k - (k >> U(1u)) - U(1u)) << U(23u));
  let negative = bitcast<U>(y) != ay;
  let extreme = (ax == U(0u)) | (ax == U(0x7f800000u));
  let limit = select(U(0u), U(0x7f800000u), (ax == U(0u)) == negative);
  // Numbers from 2²⁴ on are even.
  let isWhole = (ay >= U(0x4b800000u)) | (floor(y) == y);
  let odd = isWhole & (ay < U(0x4b800000u)) & ((U(abs(v)) & U(1u)) == U(1u));
  let sign = bitcast<U>(x) & select(U(0u), U(0x80000000u), odd);
  let known = select(bitcast<U>(size), limit, extreme) | sign;
  let root = (bitcast<U>(x) != ax) & !isWhole & !extreme;
  let nan = root | (ax > U(0x7f800000u)) | (ay > U(0x7f800000u));
  let one = (ay == U(0u)) | (bitcast<U>(x) == U(0x3f800000u));
  return bitcast<F>(select(select(known, U(0x7fc00000u), nan), U(0x3f800000u), one));
}`;
