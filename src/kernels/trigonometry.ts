/**
 * WGSL: `sine(x, quarters)` = sin(x + quarters · π/2) for the type `F`, f32 or a vector of them. WGSL's own sin and
 * cos may err by 2⁻¹¹, and on software adapters do. Here x is brought to [−π/4, π/4] by subtracting a multiple of
 * π/2 in three parts (Cody & Waite), and there polynomials of the Cephes library err by an ulp or two.
 */
export const SINE_WGSL = `
fn sine(x: F, quarters: f32) -> F {
  let turns = round(x * ${2 / Math.PI});
  let r = ((x - turns * 1.5703125) - turns * 4.837512969970703e-4) - turns * 7.549789954891882e-8;
  let z = r * r;
  let s = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
  let c = 1.0 - 0.5 * z + z * z * (4.166664568298827e-2 + z * (-1.388731625493765e-3 + z * 2.443315711809948e-5));
  let q = (turns + quarters) - 4.0 * floor((turns + quarters) * 0.25);
  let y = select(s, c, (q == F(1.0)) | (q == F(3.0)));
  return select(y, -y, q >= F(2.0));
}`;
