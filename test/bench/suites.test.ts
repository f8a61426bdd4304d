import { expect, test } from 'vitest';
import { runCases } from '../../bench/cases.ts';
import { completeRow, type Row } from '../../bench/result.ts';
import { measureRoofline } from '../../bench/roofline.ts';
import { stepProfile } from '../../bench/step-profile.ts';
import type { Context } from '../../bench/suite.ts';
import { timeHost } from '../../bench/suites/host.ts';
import { findSuite } from '../../bench/suites.ts';
import { timePass } from '../../bench/timing.ts';
import { loadData, mnistConv, mnistFc, Training } from '../../bench/training.ts';
import { knownTraits } from '../../scripts/explanation.ts';
import { mul } from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import type { AdapterTraits, Work } from '../../src/gpu/kernel.ts';
import { withGpu } from '../gpu/harness.ts';

const roofline = { gflops: 1, gbps: 1, arithmetic: '', copy: '', clock: 'gpu' } as const;

/** Runs `body` with a context that spends no time, and returns the rows. */
function collect(sizes: number[][], body: (context: Context) => Promise<void>): Promise<Row[]> {
  return withGpu(async (gpu) => {
    const rows: Row[] = [];
    await body({
      ...{ gpu, time: 0, sizes, sizesGiven: true, peers: undefined, profile: false },
      add: (measured) => rows.push(completeRow(measured, 'test', 'default', roofline)),
      say: () => {},
    });
    return rows;
  });
}

test.each([
  ['matmul', [9, 7, 13], 3],
  ['conv', [2, 5, 6, 3, 5, 3, 2], 4],
  ['conv', [3, 4, 4, 4, 8, 1, 1], 4],
  ['pointwise', [5, 7], 3],
  ['reduce', [9, 8], 5],
  ['norm', [6, 8], 2],
  ['layers', [2, 5, 8], 2],
  ['linalg', [3, 9, 5], 2],
])('what %s times is right, at a small size', async (name, size, count) => {
  const rows = await collect([size], (context) => findSuite(name).run(context));
  expect(rows.map(({ error }) => error)).toEqual(new Array(count).fill(undefined));
  for (const row of rows) {
    expect(row.check!.error).toBeLessThan(row.check!.tolerance);
    expect(row.milliseconds!.n).toBeGreaterThanOrEqual(5);
    expect(row.milliseconds!.min).toBeGreaterThanOrEqual(0);
    expect(row.variant).toBeTruthy();
  }
});

test('every cost of dispatching is measured, and no dispatch is lost', async () => {
  const rows = await collect([], (context) => findSuite('dispatch').run(context));
  expect(rows.map(({ error }) => error)).toEqual(new Array(5).fill(undefined));
  expect(rows.at(-1)!.check!.error).toBe(0);
});

test('a wrong result is an error of its row, and a kernel that cannot be made another; the rest goes on', async () => {
  const one = {
    ...{ name: 'double', size: '4', f: (x: Tensor) => mul(x, 2), shapes: [[4]] },
    inputs: () => [Float32Array.of(1, 2, 3, 4)],
    check: ([y]: Float32Array[]) => ({ relativeTo: '1', error: Math.abs(y![1]! - 5), tolerance: 0.5 }),
  };
  const impossible = {
    ...one,
    f: () => {
      throw new Error('no such kernel');
    },
  };
  const right = { ...one, check: ([y]: Float32Array[]) => ({ ...one.check([y!]), error: y![1]! - 4 }) };
  const rows = await collect([], (context) => runCases(context, [one, impossible, right]));
  expect(rows.map(({ error }) => error)).toEqual([
    ...['off by 1.0e+0 of 1, where 0.5 is allowed', 'no such kernel', undefined],
  ]);
});

test.each([
  ['fc', true],
  ['fc', false],
  ['conv', true],
] as const)('a training step of %s does what float64 does (BatchNorm: %s)', (kind, norm) =>
  withGpu(async (gpu) => {
    using data = await loadData(gpu);
    const shape = { kind, norm, depth: 2, width: 12, batch: 9 };
    using training = await Training.create(gpu, data, shape);
    const { error, tolerance } = await training.check();
    expect(error).toBeLessThan(tolerance);
    const profiled = await stepProfile(gpu, training);
    expect(profiled).toMatch(kind === 'fc' ? /^matmul_/m : /^conv_/m);
    expect(profiled).toContain(`${training.dispatches.length} dispatches`);
    const { clock, milliseconds, figures } = await timeHost(gpu, shape, training, 0);
    expect(clock).toBe('host');
    expect(figures!['µs per dispatch']! * training.dispatches.length).toBeCloseTo(1000 * milliseconds!.min);
    expect(figures!['share of encoding']).toBeGreaterThan(0);
    expect(figures!['share of encoding']).toBeLessThan(1);
  }),
);

/** The device, but with other traits: programs are planned for those, compiled to nothing, and never run. */
function planningFor(gpu: Gpu, traits: AdapterTraits): Gpu {
  const own: Record<PropertyKey, unknown> = {
    traits,
    choose: async (work: readonly Work[]) => work.map(({ kernel }) => kernel),
    pipeline: async () => ({}),
    examine: async () => {},
    bindGroup: () => ({}),
  };
  return new Proxy(gpu, {
    get(target, name) {
      const value = own[name] ?? Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

// The host pays for each (docs/gpu.md): lower these numbers if you can; raise them only for a gain.
test('a step takes no more dispatches than it is known to take', () =>
  withGpu(async (gpu) => {
    using data = await loadData(gpu);
    const count = async (maxStorageBuffersPerStage: number) => {
      const planning = planningFor(gpu, { ...knownTraits.gpu, maxStorageBuffersPerStage });
      using fc = await Training.create(planning, data, mnistFc);
      using conv = await Training.create(planning, data, mnistConv);
      return { fc: fc.dispatches.length, conv: conv.dispatches.length };
    };
    // As many buffers as a kernel may bind in Node, and by WebGPU's defaults.
    const [node, least] = [await count(16), await count(8)];
    expect(node.fc).toBeLessThanOrEqual(62);
    expect(node.conv).toBeLessThanOrEqual(132);
    expect(least.fc).toBeLessThanOrEqual(116);
    expect(least.conv).toBeLessThanOrEqual(218);
  }));

test('without timestamps the wall is the clock, and every pass that is timed runs', () =>
  withGpu(async (gpu) => {
    const { device } = gpu;
    const blind = {
      device: {
        features: new Set(),
        queue: device.queue,
        createCommandEncoder: () => device.createCommandEncoder(),
      },
      idle: () => gpu.idle(),
    } as unknown as Gpu;
    let passes = 0;
    const { clock, milliseconds } = await timePass(blind, () => passes++, { time: 0 });
    expect(clock).toBe('wall');
    expect(milliseconds.n).toBeGreaterThanOrEqual(5);
    expect(passes).toBeGreaterThanOrEqual(2 + milliseconds.n);
  }));

test('the ceilings are measured', () =>
  withGpu(async (gpu) => {
    const { gflops, gbps } = await measureRoofline(gpu, 0);
    expect(gflops).toBeGreaterThan(0);
    expect(gbps).toBeGreaterThan(0);
  }));
