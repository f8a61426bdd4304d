import type { BenchFile, Row } from '../../bench/result.ts';
import type { Statistics } from '../../bench/statistics.ts';

/** Statistics around a median, with the quartiles so far off, relatively. */
export const around = (median: number, spread = 0.01): Statistics => ({
  n: 10,
  median,
  p25: median * (1 - spread),
  p75: median * (1 + spread),
  min: median * (1 - 2 * spread),
});

export const row = (changes: Partial<Row> = {}): Row => ({
  suite: 'matmul',
  name: 'A·B',
  size: '512x512x512',
  threads: 2,
  clock: 'gpu',
  milliseconds: around(5),
  flops: 2 * 512 ** 3,
  bytes: 12 * 512 ** 2,
  share: 0.5,
  variant: 'broadcast 32x32',
  ...changes,
});

const scaling = (axis: string, at: number[]): Row[] =>
  at.map((x) =>
    row({
      ...{ suite: 'scaling', name: axis, size: `${x}`, threads: 'default', clock: 'wall' },
      milliseconds: around(2 + 0.5 * x),
      figures: { dispatches: 20 * x, 'ms of dispatching': 0.1 * x },
    }),
  );

/** What a run with peers might leave. */
export const benchFile = (rows?: Row[]): BenchFile => ({
  schema: 1,
  date: '2026-11-21T12:00:00.000Z',
  command: 'npm run bench -- matmul scaling --peers',
  options: { time: 300 },
  collimate: { version: '0.1.0', commit: '0123456789ab' },
  node: '20.11.0',
  machine: { cpu: 'A <quick> processor', cores: 2, memory: 8 * 2 ** 30, platform: 'linux x64' },
  adapter: {
    ...{ name: 'llvmpipe-llvm-15', vendor: 'mesa', driver: 'Mesa 25', backend: 'vulkan' },
    ...{ kind: 'software', source: 'system' },
  },
  roofline: { gflops: 100, gbps: 10, arithmetic: '2 chains', copy: '64 vec4 a thread', clock: 'gpu' },
  rows: rows ?? [
    row({ size: '128x128x128', flops: 2 * 128 ** 3, milliseconds: around(0.1) }),
    row({
      peers: [
        {
          ...{ name: 'jax-js', version: '0.1.25', device: 'llvmpipe' },
          ...{ milliseconds: around(24), ours: around(6) },
        },
        { name: 'PyTorch', version: '2.0', device: 'cpu', problem: 'it is | broken' },
      ],
    }),
    row({ name: 'Aᵀ·B', size: '500x700x300', flops: 2 * 500 * 700 * 300 }),
    ...scaling('depth', [1, 2, 4, 8]),
  ],
});
