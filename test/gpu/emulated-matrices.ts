import type { Gpu } from '../../src/gpu/device.ts';
import type { AdapterTraits, Kernel } from '../../src/gpu/kernel.ts';
import { confirmMatrices } from '../../src/host/known-problems.ts';

export type HalfMatrices = NonNullable<AdapterTraits['halfMatrices']>;

/**
 * A shader with Dawn's subgroup matrices in plain WGSL of the same meaning, for adapters that have none, nor
 * f16: `lanes` neighboring threads are a subgroup, each with its share of a result, and vectors of f16 are
 * pairs of words. Operands are read where they are multiplied: between their loads and that, nothing is
 * stored. Loops start at a 0 that compilers do not know, so that they stay loops.
 */
export function emulateMatrices(wgsl: string, { m, n, k }: HalfMatrices, lanes: number): string {
  if (!wgsl.includes('enable chromium_experimental_subgroup_matrix;')) return wgsl;
  const vectors = (m * n) / 4;
  /** Vectors of a result that each lane has. */
  const share = Math.ceil(vectors / lanes);
  const each = (line: (i: number) => string) => Array.from({ length: share }, (_, i) => line(i)).join('\n  ');
  const functions = `alias Result = array<vec4f, ${share}>;
fn halves(x: vec4f) -> vec2u { return vec2u(pack2x16float(x.xy), pack2x16float(x.zw)); }
fn slice(i: u32) -> vec4f { return vec4f(unpack2x16float(slices[i].x), unpack2x16float(slices[i].y)); }
fn four(a: vec2u, b: vec2u, i: u32) -> vec4f {
  let row = a.x + i / ${n / 4}u * a.y;
  let col = b.x + i % ${n / 4}u * 4u * b.y;
  var sum = vec4f();
  for (var k = s.pad0; k < ${k / 4}u; k++) {
    let left = slice(row + k);
    for (var c = s.pad0; c < 4u; c++) { sum[c] += dot(left, slice(col + c * b.y + k)); }
  }
  return sum;
}
fn multiplyAccumulate(a: vec2u, b: vec2u, sums: Result, thread: u32) -> Result {
  var result = sums;
  let lane = thread % ${lanes}u;
  ${each((e) => `result[${e}] += four(a, b, min(lane + ${e * lanes}u, ${vectors - 1}u));`)}
  return result;
}
fn storeResult(at: u32, result: Result, stride: u32, thread: u32) {
  let lane = thread % ${lanes}u;
  ${each((e) => `{ let i = lane + ${e * lanes}u; if (i < ${vectors}u) { results[at + i / ${n / 4}u * stride + i % ${n / 4}u] = result[${e}]; } }`)}
}
@compute `;
  let text = wgsl.replaceAll(/enable (f16|subgroups|subgroup_size_control|chromium_\w+);\n/g, '');
  const replace = (pattern: RegExp, by: string) => {
    const replaced = text.replaceAll(pattern, by);
    if (replaced === text) throw new Error(`the shader has no ${pattern}`);
    text = replaced;
  };
  replace(/array<vec4h,/g, 'array<vec2u,');
  replace(/vec4h\(/g, 'halves(');
  replace(/@compute (@subgroup_size\(\d+\) )?/g, functions);
  replace(/ @builtin\(subgroup_id\) subgroup: u32,\n\) \{/g, `\n) {\n  let subgroup = thread / ${lanes}u;`);
  for (const side of [`left<f16, ${k}, ${m}>, row_major`, `right<f16, ${n}, ${k}>, col_major`]) {
    replace(new RegExp(`subgroupMatrixLoad<subgroup_matrix_${side}>\\(&slices, `, 'g'), 'vec2u(');
  }
  replace(new RegExp(`subgroup_matrix_result<f32, ${n}, ${m}>`, 'g'), 'Result');
  replace(/subgroupMatrixMultiplyAccumulate\((.*?)\)/g, 'multiplyAccumulate($1, thread)');
  replace(/subgroupMatrixStore<row_major>\(&results, (.*?)\);/g, 'storeResult($1, thread);');
  return text;
}

/** A shader that rounds operands to f16, for adapters without. */
const emulateHalves = (wgsl: string): string =>
  wgsl
    .replace('enable f16;\n', '')
    .replace('array<vec4h,', 'array<vec4f,')
    .replaceAll('vec4h(', 'quantizeToF16(');

/** The device as a GPU's that multiplies matrices of these sides; `breaks` changes what emulates them. */
export function withMatrices(
  gpu: Gpu,
  unit: HalfMatrices,
  subgroupSize = 32,
  breaks = (wgsl: string) => wgsl,
): Gpu {
  const traits = {
    ...{ ...gpu.traits, kind: 'hardware', f16: true },
    ...{ subgroupSize, halfProducts: true, halfMatrices: unit },
    maxWorkgroupStorageBytes: 16_384, // Too little for the largest tile, which takes long to compile.
  } as const;
  const pipeline = (kernel: Kernel) => {
    const wgsl = emulateMatrices(kernel.wgsl, unit, subgroupSize);
    return gpu.pipeline({
      ...kernel,
      wgsl: wgsl === kernel.wgsl ? emulateHalves(wgsl) : breaks(wgsl),
    });
  };
  let confirmed: Promise<boolean> | undefined;
  const emulated: Gpu = new Proxy(gpu, {
    get(target, key) {
      if (key === 'traits') return traits;
      if (key === 'confirmMatrices') {
        return () => {
          confirmed ??= confirmMatrices(emulated);
          return confirmed;
        };
      }
      if (key === 'pipeline') return pipeline;
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return emulated;
}
