import { expect, test } from 'vitest';
import { DeviceArray } from '../../src/autograd/array.ts';
import { add, matmul, relu } from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { isTraced, type TraceEvent, Tracer } from '../../src/cli/tracer.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { testGpu, withGpu } from '../gpu/harness.ts';

test('ten runs each are timed from the 1st, 100th, 1,000th … on', () => {
  const positions = Array.from({ length: 20_000 }, (_, run) => run + 1).filter((n) => isTraced(n - 1));
  const expected = [1, 100, 1000, 10_000].flatMap((n) => Array.from({ length: 10 }, (_, i) => n + i));
  expect(positions).toEqual(expected);
  expect([999_998, 999_999, 1_000_008, 1_000_009].map(isTraced)).toEqual([false, true, true, false]);
});

const shape = [4, 4];

/** Runs x ← relu(x·w) + 1 in place, 104 times over a few submits, and returns x and the kernels of a run. */
async function chain(gpu: Gpu) {
  using x = DeviceArray.zeros(gpu, shape);
  using w = DeviceArray.from(
    gpu,
    Float32Array.from({ length: 16 }, (_, i) => Math.sin(i) / 2),
    shape,
  );
  const step = (x: Tensor, w: Tensor) => [add(relu(matmul(x, w)), 1)];
  const program = await compile(gpu, step, [{ shape }, { shape }], { label: 'chain', inPlace: [[0, 0]] });
  using bound = program.bind([x, w], [x]);
  bound.submit();
  gpu.submit([bound], 8);
  gpu.submit([bound], 95);
  return { x: [...(await x.read())], kernels: bound.dispatches.map(({ kernel }) => kernel) };
}

test('a timeline has each dispatch of the timed runs, in order, and changes no bit', () =>
  withGpu(async (gpu) => {
    const untraced = await chain(gpu);
    const tracer = new Tracer(gpu);
    gpu.tracer = tracer;
    tracer.phase('chains');
    const traced = await chain(gpu).finally(() => {
      gpu.tracer = undefined;
    });
    expect(traced.x).toEqual(untraced.x);

    const events = await tracer.events();
    const trackNames = new Map(
      events.filter((e) => e.name === 'thread_name').map((e) => [`${e.pid} ${e.tid}`, e.args!.name]),
    );
    const on = (track: string) =>
      events.filter((e) => e.ph === 'X' && trackNames.get(`${e.pid} ${e.tid}`) === track);
    const runs = on('programs');
    const expected = [...Array.from({ length: 10 }, (_, i) => i + 1), 100, 101, 102, 103, 104];
    expect(runs.map((e) => [e.name, e.args!.run])).toEqual(expected.map((run) => ['chain', run]));

    const inside = (outer: TraceEvent) => (e: TraceEvent) =>
      e.ts >= outer.ts - 0.002 && e.ts + e.dur! <= outer.ts + outer.dur! + 0.002;
    for (const run of runs) {
      const dispatches = on('dispatches').filter(inside(run));
      expect(dispatches.map((e) => [e.name, e.args!.FLOP, e.args!.bytes, e.args!.variant])).toEqual(
        traced.kernels.map((k) => [k.name, k.flops, k.bytes, k.variant]),
      );
      expect(run.args!.dispatches).toBe(traced.kernels.length);
    }
    expect(on('dispatches')).toHaveLength(runs.length * traced.kernels.length);
    expect(on('submits').map((e) => [e.args!.runs, e.args!.timed])).toEqual([
      [1, 1],
      [8, 8],
      [95, 6],
    ]);
    expect(on('phases')).toMatchObject([{ name: 'chains' }]);
    expect(on('submits').every(inside(on('phases')[0]!))).toBe(true);

    const spans = events.filter((e) => e.ph === 'X');
    for (const { dur } of spans) expect(dur).toBeGreaterThanOrEqual(0);
    expect(spans.map((e) => e.ts)).toEqual(spans.map((e) => e.ts).sort((a, b) => a - b));
    // Nothing runs before it was submitted.
    expect(Math.min(...runs.map((e) => e.ts))).toBeGreaterThanOrEqual(on('submits')[0]!.ts);
  }));

test('an adapter without timestamps is refused', async () => {
  const { info } = await testGpu();
  const blind = { info, device: { features: new Set() } } as unknown as Gpu;
  expect(() => new Tracer(blind)).toThrow(/cannot time its work: it lacks the feature timestamp-query/);
});
