/** 2/π as a binary fraction, after a word of zeros. */
const TWO_OVER_PI = [0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab];

/**
 * Sine and cosine in WGSL, to one or two units in the last place for every x, for `F` and `U`: f32 and u32,
 * or vectors of them. WGSL's own may err by 2⁻¹¹ in [−π, π] and by anything beyond, as on software adapters.
 *
 * `sineOf(r, quarter)` = sin(r + quarter · π/2) for |r| ≤ π/4, by minimax polynomials. `sine(x, quarters)` =
 * sin(x + quarters · π/2) first reduces x in integers (Payne & Hanek): x = m · 2ᵉ, and 64 bits of x · 2/π,
 * from weight 2 down, are m times 96 bits of 2/π: enough, as no float is within 2⁻³⁰ of a multiple of π/2.
 */
export const SINE_WGSL = `
fn sineOf(r: F, quarter: U) -> F {
  let z = r * r;
  let s = r + r * z * (-0.16666655 + z * (0.008332158 - z * 0.00019514958));
  let c = 1.0 - (0.5 * z - z * z * (0.041666646 + z * (-0.0013887364 + z * 2.4438092e-5)));
  let y = select(s, c, (quarter & U(1u)) == U(1u));
  return bitcast<F>(bitcast<U>(y) ^ ((quarter & U(2u)) << U(30u)));
}
fn productHigh(a: U, b: U) -> U {
  let al = a & U(0xffffu); let ah = a >> U(16u); let bl = b & U(0xffffu); let bh = b >> U(16u);
  let mid = ah * bl + ((al * bl) >> U(16u));
  let low = al * bh + (mid & U(0xffffu));
  return ah * bh + (mid >> U(16u)) + (low >> U(16u));
}
fn sine(x: F, quarters: u32) -> F {
  let bits = bitcast<U>(x) & U(0x7fffffffu);
  let direct = bits <= U(0x3f490fdau);
  // The 96 bits of 2/π: three words from word start / 32 on, each shifted up by what of start is left.
  let start = select((bits >> U(23u)) - U(120u), U(0u), direct);
  let word = start >> U(5u);
  let up = start & U(31u);
  ${[0, 1, 2, 3].map((i) => `let p${i} = ${wordAt(i)};`).join('\n  ')}
  ${[0, 1, 2].map((i) => `let w${i} = (p${i} << up) | ((p${i + 1} >> U(1u)) >> (U(31u) - up));`).join('\n  ')}
  let m = (bits & U(0x7fffffu)) | U(0x800000u);
  let low = m * w1 + productHigh(m, w2);
  let high = m * w0 + productHigh(m, w1) + select(U(0u), U(1u), low < m * w1);
  // Two bits of quarters, and the rest as a fraction of one that runs from −½ to ½.
  let quarter = ((high + U(0x20000000u)) >> U(30u)) & U(3u);
  let fraction = (high << U(2u)) | (low >> U(30u));
  let negative = (fraction >> U(31u)) * U(0xffffffffu);
  let top = fraction ^ negative;
  let zeros = min(countLeadingZeros(top), U(31u));
  let digits = (top << zeros) | ((((low << U(2u)) ^ negative) >> U(1u)) >> (U(31u) - zeros));
  let scaled = productHigh(digits, U(0xc90fdaa2u));
  let size = (F(scaled >> U(8u)) * 256.0 + F(scaled & U(255u))) * bitcast<F>((U(96u) - zeros) << U(23u));
  let r = bitcast<F>(bitcast<U>(size) | (negative & U(0x80000000u)));
  // Sine is odd: of what is negative, the sign is turned in the end, by adding two quarters to those of |x|.
  let sign = select(U(0u), bitcast<U>(x) & U(0x80000000u), quarters == 0u);
  let y = bitcast<U>(sineOf(select(r, bitcast<F>(bits), direct), select(quarter, U(0u), direct) + U(quarters))) ^ sign;
  return bitcast<F>(select(y, bits | U(0x7fc00000u), bits >= U(0x7f800000u)));
}`;

/** WGSL of word `word + i` of 2/π, for `word` up to 4. */
function wordAt(i: number): string {
  return [1, 2, 3, 4].reduce(
    (chosen, w) => `select(${chosen}, U(${TWO_OVER_PI[w + i]}u), word == U(${w}u))`,
    `U(${TWO_OVER_PI[i]}u)`,
  );
}
