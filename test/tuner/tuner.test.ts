import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AdapterInfo } from '../../src/gpu/adapter.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import type { Kernel, Work } from '../../src/gpu/kernel.ts';
import { fileChoices } from '../../src/host/choices.ts';
import { loadBroadcast, matmul } from '../../src/kernels/matmul.ts';
import { measureKernels, type Times } from '../../src/tuner/measure.ts';
import { Tuner, type TunerOptions } from '../../src/tuner/tuner.ts';
import { withGpu } from '../gpu/harness.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'collimate-tuner-'));
  file = join(folder, 'cache', 'kernels.json');
});
afterEach(() => {
  fs.rmSync(folder, { recursive: true });
  vi.restoreAllMocks();
});

/** The tuner asks a device for nothing but its name. */
const device = (info: Partial<AdapterInfo> = {}) =>
  ({ info: { name: 'card', driver: '1.0', ...info } }) as unknown as Gpu;
const kernel = (variant: string): Kernel => ({
  name: 'f',
  variant,
  wgsl: '',
  bindings: [],
  grid: [1, 1, 1],
  flops: 0,
  bytes: 0,
});
/** A problem with the guess `a` and the other candidates `b` and `c`. */
const problem = (size: number, others = ['b', 'c']): Work => ({
  kernel: {
    ...kernel('a'),
    choice: { problem: `f ${size}`, class: `f ${Math.round(Math.log2(size))}`, others: others.map(kernel) },
  },
  bytes: [4 * size],
});

/** A tuner that finds these medians and best times in turn, and the problems that it measured. */
function tuner(
  options: Partial<TunerOptions> = {},
  times: Readonly<Record<string, readonly [median: number, minimum: number] | null>> = {
    a: [10, 9],
    b: [5, 4],
    c: [6, 5],
  },
) {
  const measured: number[] = [];
  const made = new Tuner({
    mode: 'on',
    store: fileChoices(file),
    measure: async (_, kernels, [bytes]) => {
      measured.push(bytes! / 4);
      return kernels.map(({ variant }): Times | null => {
        const time = times[variant!];
        return time ? { median: time[0], minimum: time[1] } : null;
      });
    },
    ...options,
  });
  const choose = async (gpu: Gpu, ...work: Work[]) =>
    (await made.choose(gpu, work)).map(({ variant }) => variant);
  return { made, measured, choose };
}

describe('a choice', () => {
  test.each([
    ['the fastest', { a: [10, 9], b: [5, 4], c: [6, 5] }, 'b'],
    ['the guess where others gain less than the margin', { a: [10, 9], b: [9.4, 8], c: [9.5, 8] }, 'a'],
    ['the guess where only the median gains', { a: [10, 5], b: [6, 5], c: [11, 9] }, 'a'],
    ['the guess where only the best time gains', { a: [10, 9], b: [10, 2], c: [11, 9] }, 'a'],
    ['none that does not run', { a: [10, 9], b: null, c: [6, 5] }, 'c'],
    ['the guess, and its error in time, if itself does not run', { a: null, b: [5, 4], c: [6, 5] }, 'a'],
  ] as const)('is %s', async (_, times, expected) => {
    expect(await tuner({}, times).choose(device(), problem(64))).toEqual([expected]);
  });

  test('is measured once for a class of problems, also by tuners to come', async () => {
    const first = tuner();
    expect(await first.choose(device(), problem(64), problem(70), problem(1000))).toEqual(['b', 'b', 'b']);
    expect(first.measured).toEqual([64, 1000]);
    const second = tuner({}, { a: [1, 1], b: [2, 2], c: [2, 2] });
    expect(await second.choose(device(), problem(80), problem(900), problem(4))).toEqual(['b', 'b', 'a']);
    expect(second.measured).toEqual([4]);
  });

  test.each([
    ['adapter', { name: 'other card' }],
    ['driver', { driver: '1.1' }],
    ['pool of threads', { threads: 0 }],
  ])('is measured again on another %s, and both are kept', async (_, info) => {
    await tuner().choose(device(), problem(64));
    const other = tuner({}, { a: [1, 1], b: [2, 2], c: [2, 2] });
    expect(await other.choose(device(info), problem(64))).toEqual(['a']);
    const later = tuner();
    expect(await later.choose(device(info), problem(64))).toEqual(['a']);
    expect(await tuner().choose(device(), problem(64))).toEqual(['b']);
    expect(later.measured).toEqual([]);
  });

  test('is measured again where a kernel was rewritten, not where its sizes are others', async () => {
    const written = (size: number, wgsl: string): Work => {
      const { kernel, bytes } = problem(size);
      return { kernel: { ...kernel, wgsl }, bytes };
    };
    await tuner().choose(device(), written(64, 'var a: array<f32, 64>; a += 1;'));
    const { choose, measured } = tuner({}, { a: [1, 1], b: [2, 2], c: [2, 2] });
    expect(await choose(device(), written(70, 'var a: array<f32, 70>; a += 1;'))).toEqual(['b']);
    expect(await choose(device(), written(66, 'var a: array<f32, 66>; a *= 1;'))).toEqual(['a']);
    expect(measured).toEqual([66]);
  });

  test('is measured again where there are candidates that were not', async () => {
    await tuner().choose(device(), problem(64, ['b']));
    const { choose, measured } = tuner({}, { a: [10, 9], b: [5, 4], c: [3, 2] });
    expect(await choose(device(), problem(64))).toEqual(['c']);
    expect(measured).toEqual([64]);
  });

  test('made in the meantime by another process is kept', async () => {
    const [here, there] = [tuner(), tuner()];
    await here.choose(device(), problem(64));
    await there.choose(device(), problem(64), problem(1000));
    await here.choose(device(), problem(4));
    const { choose, measured } = tuner();
    await choose(device(), problem(4), problem(64), problem(1000));
    expect(measured).toEqual([]);
  });

  test('is the pinned one, whatever the file says and the mode is', async () => {
    await tuner().choose(device(), problem(64));
    for (const mode of ['on', 'off', 'force'] as const) {
      const { choose, measured } = tuner({ mode, pinned: { 'f 64': 'c' } });
      expect(await choose(device(), problem(64))).toEqual(['c']);
      expect(measured).toEqual([]);
    }
    // Pins are for problems, not for classes; one that names no candidate is none.
    const { choose } = tuner({ pinned: { 'f 64': 'gone' } });
    expect(await choose(device(), problem(64), problem(65))).toEqual(['b', 'b']);
  });
});

test('`force` measures again once, and `off` neither measures nor reads nor writes', async () => {
  const off = tuner({ mode: 'off' });
  expect(await off.choose(device(), problem(64))).toEqual(['a']);
  expect(off.measured).toEqual([]);
  expect(fs.existsSync(file)).toBe(false);

  await tuner().choose(device(), problem(64));
  const force = tuner({ mode: 'force' }, { a: [10, 9], b: [9, 9], c: [2, 1] });
  expect(await force.choose(device(), problem(64), problem(65))).toEqual(['c', 'c']);
  expect(force.measured).toEqual([64]);
  expect(await tuner().choose(device(), problem(64))).toEqual(['c']);
  expect(await tuner({ mode: 'off' }).choose(device(), problem(64))).toEqual(['a']);
});

test('choices are told before they are used, with the kernels that were not chosen from left alone', async () => {
  const { made } = tuner({ pinned: { 'f 8': 'c' } });
  const told: object[] = [];
  made.onChoice = () => told.push({ ...made.choices });
  const alone = { kernel: kernel('alone'), bytes: [4] };
  await made.choose(device(), [alone, problem(8)]);
  expect(told).toEqual([]);
  expect(await made.choose(device(), [alone, problem(64), problem(8)])).toMatchObject([
    alone.kernel,
    { variant: 'b' },
    { variant: 'c' },
  ]);
  expect(told).toEqual([{ 'f 8': 'c', 'f 64': 'b' }]);
});

test('when the time is spent or measuring fails, the guess is used and nothing kept', async () => {
  let clock = 0;
  const slow = (milliseconds: number, fails = false): Partial<TunerOptions> => ({
    now: () => clock,
    measure: async (_, kernels, __, limit) => {
      expect(limit).toBeLessThanOrEqual(1500);
      clock += milliseconds;
      return fails ? undefined : kernels.map((_, i) => ({ median: 10 - i, minimum: 10 - i }));
    },
  });
  const spent = tuner(slow(2500));
  expect(await spent.choose(device(), problem(4), problem(64), problem(1000))).toEqual(['c', 'c', 'a']);
  expect(await tuner(slow(1, true)).choose(device(), problem(4), problem(1000))).toEqual(['c', 'a']);
  const next = tuner();
  await next.choose(device(), problem(4), problem(64), problem(1000));
  expect(next.measured).toEqual([1000]);
});

test.each([
  ['damaged', '{ "schema": "collimate/ker'],
  ['foreign', '{ "schema": "somebody/else@1", "adapters": {} }'],
  ['incomplete', '{ "schema": "collimate/kernels@2", "adapters": { "x": { "y": { "variant": 3 } } } }'],
  ['a list', '[]'],
  ['nothing', 'null'],
])('a file that is %s is ignored with a warning, and replaced', async (_, contents) => {
  const warnings = vi.spyOn(console, 'error').mockImplementation(() => {});
  fs.mkdirSync(join(folder, 'cache'));
  fs.writeFileSync(file, contents);
  expect(await tuner().choose(device(), problem(64))).toEqual(['b']);
  expect(warnings.mock.calls.flat().join()).toContain(`warning: ${file} is ignored and will be replaced`);
  warnings.mockClear();
  const { choose, measured } = tuner();
  expect(await choose(device(), problem(64))).toEqual(['b']);
  expect(measured).toEqual([]);
  expect(warnings).not.toHaveBeenCalled();
});

test('a folder that cannot be written is told of, and does no harm', async () => {
  const warnings = vi.spyOn(console, 'error').mockImplementation(() => {});
  fs.writeFileSync(join(folder, 'cache'), 'a file');
  expect(await tuner().choose(device(), problem(64))).toEqual(['b']);
  expect(warnings.mock.calls.flat().join()).toContain('warning: the choice of kernels is not kept');
});

test('on the adapter at hand, measuring gives each candidate a time and leaves no buffer behind', async () => {
  await withGpu(async (gpu) => {
    const spec = { m: 40, n: 32, k: 32, transposeA: false, transposeB: true, batch: [] };
    await loadBroadcast();
    const product = matmul(spec, gpu.traits);
    const candidates = [product, ...(product.choice?.others ?? []), { ...product, wgsl: 'nonsense' }];
    // The second operand, which may be read as uniforms, is in a buffer larger than uniforms may be.
    const times = await measureKernels(gpu, candidates, [5120, 2 ** 20, 5120], 60_000);
    expect(times).toHaveLength(candidates.length);
    expect(times!.pop()).toBeNull();
    for (const time of times!) {
      expect(time!.minimum).toBeGreaterThan(0);
      expect(time!.median).toBeGreaterThanOrEqual(time!.minimum);
    }
    expect(await measureKernels(gpu, candidates, [2 ** 30, 4096, 5120], 60_000)).toBeUndefined();
    expect(await measureKernels(gpu, candidates, [5120, 4096, 5120], -1)).toBeUndefined();

    const own = new Tuner({ mode: 'on', store: fileChoices(file) });
    const [chosen] = await own.choose(gpu, [{ kernel: product, bytes: [5120, 4096, 5120] }]);
    expect(candidates.map(({ variant }) => variant)).toContain(chosen!.variant);
  });
});
