import { type ConvForm, convPlace } from './conv-problem.ts';
import type { TiledProblem } from './matmul-tiled.ts';
import { range } from './product.ts';

/**
 * The convolution for GPUs: the tiles of matmul-tiled.ts, whose loads look up what a row and k stand for. Divisions by
 * sizes are paid once for every four values that are loaded, and each of those is used for a whole row or column of a tile.
 */
export function convTiles(form: ConvForm): TiledProblem {
  const weight = form.part === 'weight';
  return {
    memory: form.memory,
    loads: weight ? weightLoads(form) : pixelLoads(form),
    locate: ({ rows, cols }) => `${convPlace(form, rows, cols)}
  ${
    weight
      ? 'let length = s.images * s.rowH * s.rowW;'
      : form.strided
        ? `phase = vec4u(firstR, firstQ, phaseH, phaseW);
  let across = (s.kernelW + s.strideW - 1u - firstQ) / s.strideW;
  let length = (s.kernelH + s.strideH - 1u - firstR) / s.strideH * across * s.depth;
  tapsW = across;`
        : 'tapsW = s.kernelW;\n  let length = s.taps * s.depth;'
  }`,
    acrossA: weight,
    acrossB: weight,
  };
}

const four = (vec: boolean, load: (u: number) => string) =>
  vec ? load(0) : `vec4f(${range(4, load).join(', ')})`;

function pixelLoads({ part, strided, a, b }: ConvForm): string {
  const [vecA, vecB] = [a.width === 4, b.width === 4];
  const forward = part === 'response';
  // Row and column of the window for its place t, and which of the other operand's pixels pixel (p, q) meets there.
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
  return `var<private> tapsW: u32;
${strided ? 'var<private> phase: vec4u;' : ''}
fn valueA(at: u32, p: u32, q: u32, k: u32) -> ${name(vecA)} {
  let t = k / s.depth;
  let y = ${met[0]};
  let x = ${met[1]};
  let inside = (${strided ? 'k < (s.kernelH + s.strideH - 1u - phase.x) / s.strideH * tapsW * s.depth' : 'k < s.taps * s.depth'}) & (y < s.inH) & (x < s.inW);
  return select(${zero(vecA)}, fetchA(select(0u, ${index(vecA, 'at + (y * s.inW + x) * s.depth + k % s.depth')}, inside)), inside);
}
fn loadA(at: u32, row: u32, k: u32) -> vec4f {
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
fn loadB(at: u32, col: u32, k: u32) -> vec4f {
  let start = at + min(col, s.cols - 1u) * s.taps * s.depth;
  return ${four(vecB, (u) => `valueB(start, k + ${u}u)`)};
}`;
}

function weightLoads({ a, b }: ConvForm): string {
  const [vecA, vecB] = [a.width === 4, b.width === 4];
  const across = vecB ? 'vec4f' : 'f32';
  return `fn loadA(at: u32, row: u32, k: u32) -> vec4f {
  let start = at + min(k, s.images * s.rowH * s.rowW - 1u) * s.rows;
  let value = ${vecA ? 'fetchA((start + min(row, s.rows - 4u)) >> 2u)' : four(false, (u) => `fetchA(start + min(row + ${u}u, s.rows - 1u))`)};
  return select(vec4f(), value, k < s.images * s.rowH * s.rowW);
}
fn valueB(at: u32, column: u32, p: u32, q: u32) -> ${across} {
  let tap = column / s.channels;
  let y = p * s.strideH + tap / s.kernelW - s.padH;
  let x = q * s.strideW + tap % s.kernelW - s.padW;
  let inside = (y < s.inH) & (x < s.inW);
  let i = at + (y * s.inW + x) * s.channels + column % s.channels;
  return select(${vecB ? 'vec4f()' : '0.0'}, fetchB(select(0u, i${vecB ? ' >> 2u' : ''}, inside)), inside);
}
fn loadB(at: u32, col: u32, k: u32) -> vec4f {
  let pixel = min(k, s.images * s.rowH * s.rowW - 1u);
  let start = at + pixel / (s.rowW * s.rowH) * s.inH * s.inW * s.channels;
  let p = pixel / s.rowW % s.rowH;
  let q = pixel % s.rowW;
  // Zeros on both sides: 0 · ∞ is no part of the sum.
  return select(vec4f(), ${four(vecB, (u) => `valueB(start, min(col + ${u}u, s.cols - ${vecB ? 4 : 1}u), p, q)`)}, k < s.images * s.rowH * s.rowW);
}`;
}
