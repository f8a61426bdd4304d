import { type ConvForm, convPlace } from './conv-problem.ts';
import { range } from './product.ts';
import type { TiledProblem } from './slices.ts';

/**
 * The convolution for GPUs: the tiles of matmul-tiled.ts, whose loads look up what a row and k stand for.
 *
 * @param even  whether a slice of k lies within one window tap; for weight gradients, whether four k are
 *              neighbors in an image. If vectors are loaded too, it divides once per slice and row.
 */
export function convTiles(form: ConvForm, even: boolean): TiledProblem {
  const { part, strided, a, b } = form;
  const sumsPixels = part === 'weightGradient';
  const fast = even && a.width === 4 && b.width === 4;
  const anywhere = () => `${sumsPixels ? weightLoads(form) : pixelLoads(form)}\n${ANYWHERE}`;
  return {
    memory: form.memory,
    loads: `var<private> limit: u32;
var<private> tapsW: u32;
${strided ? 'var<private> phase: vec4u;' : ''}
${fast ? `${FOURS}\n${sumsPixels ? EVEN_WEIGHTS : evenPixels(form)}` : anywhere()}`,
    ...{ kept: fast, whole: false },
    locate: ({ rows, cols }) => `${convPlace(form, rows, cols)}
  ${
    sumsPixels
      ? 'let length = s.images * s.rowH * s.rowW;'
      : strided
        ? `phase = vec4u(firstR, firstQ, phaseH, phaseW);
  let across = (s.kernelW + s.strideW - 1u - firstQ) / s.strideW;
  let length = (s.kernelH + s.strideH - 1u - firstR) / s.strideH * across * s.depth;
  tapsW = across;`
        : 'tapsW = s.kernelW;\n  let length = s.taps * s.depth;'
  }
  limit = length;`,
    acrossA: sumsPixels,
    acrossB: sumsPixels,
  };
}

/** Divides a multiple of four, which may be a negative number that others are added to, by four. */
const FOURS = 'fn fours(i: u32) -> u32 { return bitcast<u32>(bitcast<i32>(i) >> 2u); }';

function evenPixels({ part, strided }: ConvForm): string {
  const forward = part === 'forward';
  const to = forward ? '+' : '-';
  // The pixel that a row meets at the first window tap.
  const [y, x] = forward
    ? ['p * s.strideH - s.padH', 'q * s.strideW - s.padW']
    : strided
      ? ['p + (phase.z + s.padH - phase.x) / s.strideH', 'q + (phase.w + s.padW - phase.y) / s.strideW']
      : ['p + s.padH', 'q + s.padW'];
  const place = 'let t = ahead / s.depth; let r = t / tapsW; let c = t % tapsW;';
  const weight = strided
    ? '(((phase.x + r * s.strideH) * s.kernelW + phase.y + c * s.strideW) * s.depth + ahead % s.depth)'
    : 'ahead';
  return `fn originA(at: u32, row: u32, k: u32) -> vec4u {
  let pixel = min(row, s.rows - 1u);
  let p = pixel / s.rowW % s.rowH;
  let q = pixel % s.rowW;
  let y = ${y};
  let x = ${x};
  let image = pixel / (s.rowW * s.rowH) * s.inH * s.inW;
  return vec4u(fours(at + (image + y * s.inW + x) * s.depth + k), y, x, k);
}
fn keptA(o: vec4u, ahead: u32, u: u32) -> bool {
  ${place}
  return (ahead < limit) & (o.y ${to} r < s.inH) & (o.z ${to} c < s.inW);
}
fn loadA(o: vec4u, ahead: u32, u: u32) -> vec4f {
  ${place}
  let i = o.x ${to} (r * s.inW + c) * (s.depth >> 2u) + ((ahead % s.depth) >> 2u);
  return fetchA(select(0u, i, keptA(o, ahead, u)));
}
fn originB(at: u32, col: u32, k: u32) -> vec4u {
  return vec4u(fours(at + min(col, s.cols - 1u) * s.taps * s.depth + k), 0u, 0u, k);
}
fn keptB(o: vec4u, ahead: u32, u: u32) -> bool { return ahead < limit; }
fn loadB(o: vec4u, ahead: u32, u: u32) -> vec4f {
  ${strided ? place : ''}
  return fetchB(select(0u, o.x + (${weight} >> 2u), ahead < limit));
}`;
}

const EVEN_WEIGHTS = `fn originA(at: u32, row: u32, k: u32) -> vec4u {
  return vec4u(fours(at + k * s.rows + min(row, s.rows - 4u)), 0u, 0u, k);
}
fn keptA(o: vec4u, ahead: u32, u: u32) -> bool { return o.w + ahead < limit; }
fn loadA(o: vec4u, ahead: u32, u: u32) -> vec4f {
  return fetchA(select(0u, o.x + (ahead + u) * (s.rows >> 2u), keptA(o, ahead, u)));
}
fn originB(at: u32, col: u32, k: u32) -> vec4u {
  let column = min(col, s.cols - 4u);
  let tap = column / s.channels;
  return vec4u(fours(at + column % s.channels), tap / s.kernelW - s.padH, tap % s.kernelW - s.padW, k);
}
fn pixelB(o: vec4u, k: u32, u: u32) -> vec2u {
  return vec2u(k / s.rowW % s.rowH * s.strideH + o.y, (k % s.rowW + u) * s.strideW + o.z);
}
// Zeros on both sides: 0 · ∞ is no part of the sum.
fn keptB(o: vec4u, ahead: u32, u: u32) -> bool {
  return (o.w + ahead < limit) & all(pixelB(o, o.w + ahead, u) < vec2u(s.inH, s.inW));
}
fn loadB(o: vec4u, ahead: u32, u: u32) -> vec4f {
  let k = o.w + ahead;
  let pixel = pixelB(o, k, u);
  let i = o.x + ((k / (s.rowW * s.rowH) * s.inH + pixel.x) * s.inW + pixel.y) * (s.channels >> 2u);
  return fetchB(select(0u, i, keptB(o, ahead, u)));
}`;

/** Loads that look up each element separately, and give zeros where there is none. */
const ANYWHERE = ['A', 'B']
  .map(
    (name) => `fn origin${name}(at: u32, x: u32, k: u32) -> vec4u { return vec4u(at, x, 0u, k); }
fn load${name}(o: vec4u, ahead: u32, u: u32) -> vec4f { return four${name}(o.x, o.y, o.w + ahead + u); }`,
  )
  .join('\n');

const four = (vec: boolean, load: (u: number) => string) =>
  vec ? load(0) : `vec4f(${range(4, load).join(', ')})`;

function pixelLoads({ part, strided, a, b }: ConvForm): string {
  const [vecA, vecB] = [a.width === 4, b.width === 4];
  const forward = part === 'forward';
  // Row and column of window tap t, and the pixel of the other operand that pixel (p, q) meets there.
  const [r, q] = strided
    ? ['phase.x + t / tapsW * s.strideH', 'phase.y + t % tapsW * s.strideW']
    : ['t / tapsW', 't % tapsW'];
  const met = forward
    ? ['p * s.strideH + t / tapsW - s.padH', 'q * s.strideW + t % tapsW - s.padW']
    : strided
      ? [
          'p + (phase.z + s.padH - phase.x) / s.strideH - t / tapsW',
          'q + (phase.w + s.padW - phase.y) / s.strideW - t % tapsW',
        ]
      : ['p + s.padH - t / tapsW', 'q + s.padW - t % tapsW'];
  const name = (vec: boolean) => (vec ? 'vec4f' : 'f32');
  const zero = (vec: boolean) => (vec ? 'vec4f()' : '0.0');
  const index = (vec: boolean, at: string) => (vec ? `(${at}) >> 2u` : at);
  return `fn valueA(at: u32, p: u32, q: u32, k: u32) -> ${name(vecA)} {
  let t = k / s.depth;
  let y = ${met[0]};
  let x = ${met[1]};
  let inside = (k < limit) & (y < s.inH) & (x < s.inW);
  return select(${zero(vecA)}, fetchA(select(0u, ${index(vecA, 'at + (y * s.inW + x) * s.depth + k % s.depth')}, inside)), inside);
}
fn fourA(at: u32, row: u32, k: u32) -> vec4f {
  let x = min(row, s.rows - 1u);
  let start = at + x / (s.rowW * s.rowH) * s.inH * s.inW * s.depth;
  let p = x / s.rowW % s.rowH;
  let q = x % s.rowW;
  return ${four(vecA, (u) => `valueA(start, p, q, k + ${u}u)`)};
}
fn valueB(at: u32, k: u32) -> ${name(vecB)} {
  let t = k / s.depth;
  let r = ${r};
  let q = ${q};
  let inside = r < s.kernelH;
  return select(${zero(vecB)}, fetchB(select(0u, ${index(vecB, 'at + (r * s.kernelW + q) * s.depth + k % s.depth')}, inside)), inside);
}
fn fourB(at: u32, col: u32, k: u32) -> vec4f {
  let start = at + min(col, s.cols - 1u) * s.taps * s.depth;
  return ${four(vecB, (u) => `valueB(start, k + ${u}u)`)};
}`;
}

function weightLoads({ a, b }: ConvForm): string {
  const [vecA, vecB] = [a.width === 4, b.width === 4];
  const across = vecB ? 'vec4f' : 'f32';
  return `fn fourA(at: u32, row: u32, k: u32) -> vec4f {
  let start = at + min(k, limit - 1u) * s.rows;
  let value = ${vecA ? 'fetchA((start + min(row, s.rows - 4u)) >> 2u)' : four(false, (u) => `fetchA(start + min(row + ${u}u, s.rows - 1u))`)};
  return select(vec4f(), value, k < limit);
}
fn valueB(at: u32, column: u32, p: u32, q: u32) -> ${across} {
  let tap = column / s.channels;
  let y = p * s.strideH + tap / s.kernelW - s.padH;
  let x = q * s.strideW + tap % s.kernelW - s.padW;
  let inside = (y < s.inH) & (x < s.inW);
  let i = at + (y * s.inW + x) * s.channels + column % s.channels;
  return select(${vecB ? 'vec4f()' : '0.0'}, fetchB(select(0u, i${vecB ? ' >> 2u' : ''}, inside)), inside);
}
fn fourB(at: u32, col: u32, k: u32) -> vec4f {
  let pixel = min(k, limit - 1u);
  let start = at + pixel / (s.rowW * s.rowH) * s.inH * s.inW * s.channels;
  let p = pixel / s.rowW % s.rowH;
  let q = pixel % s.rowW;
  // Zeros on both sides: 0 · ∞ is no part of the sum.
  return select(vec4f(), ${four(vecB, (u) => `valueB(start, min(col + ${u}u, s.cols - ${vecB ? 4 : 1}u), p, q)`)}, k < limit);
}`;
}
