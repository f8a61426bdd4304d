import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { machineCode } from '../../scripts/machine-code.ts';
import { machineText, peakOf, shareOf, summary } from '../../scripts/machine-report.ts';
import { isInstalled, type NullGpuName, nullGpus } from '../../scripts/null-gpu.ts';
import { start } from '../start.ts';

/** What drivers print of a sum of products along rows, of vectors; cut to what is read of it. */
const recorded = (driver: string) =>
  machineCode(readFileSync(join(import.meta.dirname, `machine-code/${driver}.txt`), 'utf8'))!;

test('statistics and main loop of machine code for AMD', () => {
  expect(recorded('amd')).toEqual({
    ...{ lanes: 64, registers: 24, spilled: 0, workgroupBytes: 8192, waves: 32 },
    ...{ instructions: 149, latency: 12_945, throughput: 809 },
    // From BB11 to the branch back to it.
    loop: {
      ...{ multiplyAdds: 4, multiplyAddSlots: 4, matrices: 0, vector: 8, workgroup: 0, workgroupBytes: 0 },
      ...{ memory: 2, scalar: 6, barriers: 0 },
    },
  });
});

test('statistics and main loop of machine code for NVIDIA', () => {
  const { loop, ...rest } = recorded('nvidia');
  expect(rest).toEqual({
    ...{ lanes: 32, registers: 33, spilled: 0, workgroupBytes: 8192, waves: 12, instructions: 204 },
    ...{ latency: undefined, throughput: undefined },
  });
  expect(loop).toMatchObject({ multiplyAdds: 4, multiplyAddSlots: 4, workgroup: 0, memory: 2, barriers: 0 });
});

const shader = (code: string, stats = 'VGPRs: 8\nSpilled VGPRs: 0\nScratch size: 0\nInstructions: 9') =>
  machineCode(`disasm:\n${code}\n*** SHADER STATS ***\n${stats}\n`)!;

const nested = `BB0:
\ts_mov_b32 exec_lo, 0
BB1:
\tbuffer_load_b128 v[0:3], v4, s[4:7], 0 offen
\ts_mov_b32 s8, 0
BB2:
\tds_load_b128 v[8:11], v5
\tds_load_2addr_b32 v[8:9], v5 offset1:1
\ts_waitcnt lgkmcnt(0)
\tv_dual_fmac_f32 v0, v8, v9 :: v_dual_fmac_f32 v1, v10, v11
\tv_dual_mov_b32 v2, v3 :: v_dual_fmac_f32 v4, v5, v6
\tv_mad_u64_u32 v[2:3], s0, v1, v2, v[4:5]
\ts_add_u32 s8, s8, 2
\ts_cmp_ge_u32 s8, 16
\ts_cbranch_scc0 BB2
BB3:
\ts_barrier
\ts_cbranch_scc1 BB1
BB4:
\ts_endpgm`;

test('loops of known length count as often as they turn; what is issued as one counts once', () => {
  const code = shader(nested);
  expect(code.lanes).toBe(32);
  expect(code.loop).toEqual({
    ...{
      multiplyAdds: 24,
      multiplyAddSlots: 16,
      matrices: 0,
      vector: 24,
      workgroup: 16,
      workgroupBytes: 8 * 24,
    },
    ...{ memory: 1, scalar: 8 * 3 + 2, barriers: 1 },
  });
  expect(shareOf(code)).toBe(16 / 41);
  // 24 multiply-adds of 32 lanes on 64 of a cycle, in the cycles that workgroup memory takes, or the issue.
  expect(peakOf(code, 'navi31')).toBeCloseTo(12 / Math.max(41, 192 / 4 + 48), 10);
});

test('the way out of a loop is no part of it, though it may lie between its blocks', () => {
  const code = shader(`BB0:
\tv_mov_b32_e32 v0, 0
BB1:
\tv_fmac_f32_e32 v0, v1, v2
\ts_cbranch_scc0 BB3
BB2:
\tv_add_f32_e32 v0, v0, v0
\ts_branch BB4
BB3:
\tv_mul_f32_e32 v1, v1, v1
\ts_branch BB1
BB4:
\ts_endpgm`);
  expect(code.loop).toMatchObject({ multiplyAdds: 1, vector: 2 });
});

test('spilled registers and scratch memory are told', () => {
  const code = shader('BB0:\n\ts_endpgm', 'VGPRs: 256\nSpilled VGPRs: 3\nScratch size: 16\nInstructions: 1');
  const one = { name: 'svd', variant: '', grid: '1×1×1', dispatches: 2, code };
  expect(code.spilled).toBe(7);
  expect(summary([one], 'navi21')).toBe('RDNA 2 (navi21): 1 kernels compile, 1 spill: svd');
  expect(machineText([one], 'navi21', false)).toMatch(/^svd +2 +256 +7 /m);
});

async function explain(gpu: string, ...more: string[]) {
  const words = ['matmul', '--sizes', '64', '--for', gpu, ...more];
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...(await start('scripts/explain.ts')), ...words],
    { encoding: 'utf8' },
  );
  return { stdout, stderr, status };
}

/** Each by itself where it is installed; where not, how to install it is said. */
test.each(Object.keys(nullGpus) as NullGpuName[])('the compiler for %s', async (gpu) => {
  const { stdout, stderr, status } = await explain(gpu);
  if (!isInstalled(gpu)) {
    expect(status).toBe(1);
    expect(stderr).toMatch(/is not installed\n.*apt-get install mesa-vulkan-drivers mesa-drm-shim/);
    return;
  }
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(stdout).toContain(`${nullGpus[gpu].title} (${gpu}): 5 kernels compile, none spills`);
  expect(stdout).toMatch(
    /^matmul_nn \(tiled .*\n {2}\d+ registers, none spilled; .* waves of (32|64) lanes/m,
  );
  expect(stdout).toMatch(/^ {2}a turn of the main loop: [\d,]+ multiply-adds, /m);
});

test('products of f16 become instructions for matrices on RDNA 3, where its compiler is installed', async () => {
  if (!isInstalled('navi31')) return;
  const { stdout, status } = await explain('navi31', '--f16');
  expect(status).toBe(0);
  expect(stdout).toContain('8 kernels compile, none spills');
  expect(stdout).toMatch(
    /^matmul_nn \(subgroup matrices f16 64x32 in 128x128\).*\n.* none spilled; .*\n.*\n {2}a turn of the main loop: 16 products of matrices, 0 multiply-adds, /m,
  );
});
