/**
 * Where a training step of `mnist-fc` spends its time: `npm run bench -- [--adapter …]`. Dispatches are timed one by
 * one by the GPU's clock (the least of several runs), whole steps by the host's.
 */
import { parseArgs } from 'node:util';
import { Bench } from 'tinybench';
import { catalog } from '../src/experiments/catalog.ts';
import { DeviceTask, featuresOf, loadTask } from '../src/experiments/task.ts';
import { Gpu } from '../src/gpu/device.ts';
import { profile } from '../src/gpu/profile.ts';
import { FcResNet } from '../src/models/fc-resnet.ts';
import { initialState } from '../src/train/state.ts';
import { Trainer } from '../src/train/trainer.ts';

const RUNS = 15;
const STEPS = 20;

const { adapter } = parseArgs({ options: { adapter: { type: 'string' } } }).values;
using gpu = await Gpu.open(adapter === undefined ? {} : { adapter });
const { settings } = catalog['mnist-fc']!.presets.quick!;
const task = loadTask(settings);
using data = new DeviceTask(gpu, task);
const network = new FcResNet({ ...settings, inputs: featuresOf(task.train), skip: true });
using trainer = await Trainer.create(gpu, network, data.train, { ...settings, steps: 1_000_000 });
trainer.load(initialState(network, settings.seed));

const dispatches = trainer.programs.flatMap((program) => program.dispatches);
const least = new Array<number>(dispatches.length).fill(Infinity);
for (let run = 0; run < RUNS; run++) {
  const timings = await profile(gpu, (timed) => {
    for (const { kernel, encode } of dispatches) timed(kernel.name, encode);
  });
  timings.forEach(({ nanoseconds }, i) => {
    least[i] = Math.min(least[i]!, nanoseconds);
  });
}

interface Row {
  dispatches: number;
  microseconds: number;
  flops: number;
  bytes: number;
}
const rows = new Map<string, Row>();
dispatches.forEach(({ kernel }, i) => {
  const row = rows.get(kernel.name) ?? { dispatches: 0, microseconds: 0, flops: 0, bytes: 0 };
  rows.set(kernel.name, {
    dispatches: row.dispatches + 1,
    microseconds: row.microseconds + least[i]! / 1000,
    flops: row.flops + kernel.flops,
    bytes: row.bytes + kernel.bytes,
  });
});
console.log(`${gpu.info.name}, ${gpu.info.driver}`);
console.table(
  Object.fromEntries(
    [...rows]
      .sort(([, a], [, b]) => b.microseconds - a.microseconds)
      .map(([name, { dispatches: count, microseconds, flops, bytes }]) => [
        name,
        {
          dispatches: count,
          µs: Math.round(microseconds),
          GFLOPS: +(flops / microseconds / 1000).toFixed(1),
          'GB/s': +(bytes / microseconds / 1000).toFixed(1),
        },
      ]),
  ),
);
console.log(`${dispatches.length} dispatches, ${Math.round(least.reduce((a, b) => a + b, 0) / 1000)} µs`);

const bench = new Bench({ time: 3000, warmupTime: 500 });
bench.add(`${STEPS} steps`, async () => {
  trainer.queue(STEPS);
  await gpu.idle();
});
await bench.run();
const result = bench.tasks[0]!.result;
if (result.state !== 'completed') throw new Error(`the benchmark ended as ${result.state}`);
const { p50, min, max } = result.latency;
const perStep = [p50, min, max].map((ms) => (ms / STEPS).toFixed(1));
console.log(`${perStep[0]} ms a step (least ${perStep[1]}, most ${perStep[2]})`);
