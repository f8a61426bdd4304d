import type { Gpu } from '../../src/gpu/device.ts';
import type { Statistics } from '../statistics.ts';
import { sample } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { type Encode, submit, timePass, wall } from '../timing.ts';

/** Dispatches per pass to measure the cost of one. */
const MANY = 500;
/** Such passes in a queue. */
const PASSES = 20;

/** One thread that counts, so only the dispatch costs; two kernels, since a step's neighbors differ. */
const kernels = [1, 2].map((by) => ({
  name: `tiny_${by}`,
  wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn main() { x[0] += ${by}u; }`,
}));

/** Runs `body` with an encoder of tiny dispatches, of two kernels in turns. */
async function withTiny<T>(
  gpu: Gpu,
  body: (encode: (count: number) => Encode, buffer: GPUBuffer) => Promise<T>,
): Promise<T> {
  const pipelines = await Promise.all(kernels.map((kernel) => gpu.pipeline(kernel)));
  const buffer = gpu.createBuffer(16);
  const groups = pipelines.map((pipeline) => gpu.bindGroup(pipeline, [buffer]));
  const encode =
    (count: number): Encode =>
    ({ pass }) => {
      for (let i = 0; i < count; i++) {
        pass.setPipeline(pipelines[i % 2]!);
        pass.setBindGroup(0, groups[i % 2]!);
        pass.dispatchWorkgroups(1);
      }
    };
  try {
    return await body(encode, buffer);
  } finally {
    gpu.destroyBuffer(buffer);
  }
}

const scaled = ({ n, ...times }: Statistics, by: number): Statistics => ({
  n,
  median: times.median * by,
  p25: times.p25 * by,
  p75: times.p75 * by,
  min: times.min * by,
});

/** Milliseconds that an empty dispatch adds to a long queue, encoding included. */
export const queuedDispatch = (gpu: Gpu, time: number): Promise<Statistics> =>
  withTiny(gpu, (encode) =>
    sample(async () => (await wall(gpu, encode(MANY), PASSES)) / (MANY * PASSES), { time }),
  );

/** Costs besides the work itself, on device and host. */
export const dispatchSuite: Suite = {
  name: 'dispatch',
  summary: 'costs of dispatching, encoding, submitting and waiting',
  threads: 'default',
  async run({ gpu, time, add }: Context) {
    const nothing = { flops: 0, bytes: 0, size: '1' };
    await withTiny(gpu, async (encode, buffer) => {
      const { clock, milliseconds } = await timePass(gpu, encode(MANY), { time });
      const running = scaled(milliseconds, 1 / MANY);
      add({ name: 'running a dispatch', ...nothing, clock, milliseconds: running });
      const queued = await queuedDispatch(gpu, time);
      add({ name: 'encoding and running one', ...nothing, clock: 'wall', milliseconds: queued });
      /** The host's time alone: what is queued runs in between, untimed. */
      const host = (body: () => void) =>
        sample(
          async () => {
            const start = performance.now();
            body();
            const taken = performance.now() - start;
            await gpu.idle();
            return taken;
          },
          { time },
        );
      const encoding = await host(() => submit(gpu, encode(MANY)));
      add({
        name: 'encoding a dispatch',
        ...nothing,
        clock: 'host',
        milliseconds: scaled(encoding, 1 / MANY),
      });
      const submitting = await host(() => submit(gpu, encode(1)));
      add({ name: 'encoding and submitting one', ...nothing, clock: 'host', milliseconds: submitting });

      let runs = 0;
      await gpu.idle();
      gpu.write(buffer, 0, Uint32Array.of(0));
      const waiting = await sample(
        async () => {
          const start = performance.now();
          submit(gpu, encode(1));
          await gpu.idle();
          runs++;
          return performance.now() - start;
        },
        { time },
      );
      const counted = new Uint32Array(await gpu.read(buffer, 0, 4))[0]!;
      add({
        name: 'submitting one and waiting',
        ...nothing,
        clock: 'wall',
        milliseconds: waiting,
        check: { relativeTo: 'dispatches', error: Math.abs(counted - runs) / runs, tolerance: 0 },
      });
    });
  },
};
