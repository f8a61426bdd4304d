import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { readBenchFile } from '../../bench/bench-file.ts';
import { checkText, formatTime, rateText, ratioText, rooflineText } from '../../bench/table.ts';
import { clock } from '../../src/cli/clock.ts';
import type { TrainingProgress } from '../../src/experiments/train-run.ts';
import type { Part } from './schedule.ts';

/** A part with its process, and how to read its results, even if it was cut off. */
export interface Task extends Part {
  /** Arguments of Node. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The findings, from the part's output; a line each. */
  found(log: string): readonly string[];
}

const program = (file: string, ...args: string[]): string[] => ['--import', 'tsx', file, ...args];
const collimate = (...args: string[]): string[] => program('src/cli/collimate.ts', ...args);

/** The groups that a pattern captures in its last match, if any. */
const last = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].at(-1)?.slice(1) ?? [];

/** The engine's tests, which depend most on the GPU. */
const ENGINE_TESTS = ['kernels', 'autograd', 'gpu', 'analysis', 'train'].map((folder) => `test/${folder}/`);

/** What compiles the reference's examples, which the archive cannot. */
const COMPILER_TESTS = existsSync(resolve(import.meta.dirname, '../../node_modules/typescript'))
  ? []
  : ['test/reference.test.ts'];

/**
 * All parts of a day on an adapter, the most valuable first, with results in `folder`. The first get more
 * time than a GPU needs; what they leave is not lost.
 */
export function tasks(folder: string, adapter: string): Task[] {
  const on = ['--adapter', adapter];
  return [
    {
      ...{ name: 'doctor', weight: 60, minimum: 25 },
      args: collimate('doctor', ...on),
      found: (log) => {
        const chosen = log.split('\nChosen: ')[1] ?? '';
        const facts = ['name', 'driver', 'subgroups', 'half precision'].flatMap((name) => {
          const [value] = last(chosen, new RegExp(`^  ${name} +(.*)$`, 'gm'));
          return value ? [`${/^(name|driver)$/.test(name) ? '' : `${name}: `}${value}`] : [];
        });
        return facts.length ? [facts.join(', ')] : last(log, new RegExp(`^  ✗ ${adapter} +(.*)$`, 'gm'));
      },
    },
    {
      ...{ name: 'known-answers', weight: 60, minimum: 25 },
      args: program('scripts/gpu-day/known-answers.ts', adapter),
      found: (log) => {
        const wrong = [...log.matchAll(/^✗ (\w+): (.*)$/gm)];
        const zeros = wrong.filter(([, , message]) => message!.endsWith('all are 0')).length;
        return [
          ...last(log, /^(\d+ of \d+ right)$/gm),
          ...(zeros > 0 ? [`${zeros} give zeros: this device computes nothing there`] : []),
          ...wrong.slice(0, 3).map(([, name, message]) => `${name}: ${message}`),
        ];
      },
    },
    run('smoke', { weight: 150, minimum: 45 }),
    // It trains and measures at least three times what the smoke preset does.
    run('quick', {
      weight: 150,
      minimum: (seconds) => Math.max(30, 3 * (seconds.get('mnist-fc-smoke') ?? 0)),
    }),
    bench('matmul', { weight: 75, minimum: 25 }, 'torch', '--sizes', '1024,4096,2048'),
    bench('f16', { weight: 10, minimum: 10 }, '', '--sizes', '4096'),
    bench('step', { weight: 40, minimum: 20 }, 'torch,torch-graph'),
    bench('analysis', { weight: 25, minimum: 20 }, 'torch'),
    {
      ...{ name: 'choices', weight: 3, minimum: 5 },
      args: collimate('tune', 'show', '--json'),
      found: (log) => {
        if (!log.startsWith('{')) return [];
        const adapters = Object.entries(JSON.parse(log) as Record<string, object>);
        return adapters.map(([name, classes]) => `${Object.keys(classes).length} choices on ${name}`);
      },
    },
    tests('engine', { weight: 75, minimum: 10 }, ENGINE_TESTS),
    bench('compiled-step', { weight: 40, minimum: 30 }, 'torch-compile'),
    tests(
      'rest',
      { weight: 45, minimum: 10 },
      [...ENGINE_TESTS.map((name) => `${name}**`), ...COMPILER_TESTS].flatMap((name) => ['--exclude', name]),
    ),
    { ...run('paper', { weight: 45, minimum: 10 }, '--json'), found: extrapolated },
  ];

  function run(preset: string, share: Pick<Part, 'weight' | 'minimum'>, ...more: string[]): Task {
    const name = `mnist-fc-${preset}`;
    const words = ['--preset', preset, '--out', join(folder, name), ...on, ...more];
    return {
      ...{ name, ...share },
      args: collimate('reproduce', 'mnist-fc', ...words),
      found: (log) => {
        const speeds = last(log.split('No-skip control')[0]!, /, ([\d,]+ images\/s), /g);
        const [step] = last(log, /(step \d+\/\d+)/g);
        const verdicts = last(log, /^(.* claims? holds?\.)$/gm);
        return [[...verdicts, ...(verdicts.length || !step ? [] : [step]), ...speeds].join(' ')].filter(
          Boolean,
        );
      },
    };
  }

  function bench(
    name: string,
    share: Pick<Part, 'weight' | 'minimum'>,
    peers: string,
    ...more: string[]
  ): Task {
    const out = join(folder, `bench-${name}.json`);
    const suite = name.split('-').at(-1)!;
    const words = [suite, ...more, ...(peers ? ['--peers', peers] : []), '--out', out, ...on];
    return {
      ...{ name: `bench-${name}`, ...share },
      args: program('bench/main.ts', ...words),
      found: (log) => (existsSync(out) ? benchFindings(out) : last(log, /^(Ceilings .*)$/gm)),
    };
  }

  function tests(name: string, share: Pick<Part, 'weight' | 'minimum'>, which: readonly string[]): Task {
    const workers = Math.max(2, Math.min(6, Math.floor(availableParallelism() / 2)));
    return {
      ...{ name: `tests-${name}`, ...share },
      args: [
        ...['node_modules/vitest/vitest.mjs', 'run', '--reporter=verbose'],
        ...[`--maxWorkers=${workers}`, ...which],
      ],
      env: { COLLIMATE_ADAPTER: adapter, NO_COLOR: '1' },
      found: (log) => {
        const failed = [...log.matchAll(/^ *[×✗] (.*?)(?: \d+ms)?$/gm)].map((match) => match[1]!);
        const passed = [...log.matchAll(/^ *✓ /gm)].length;
        return [`${passed} passed, ${failed.length} failed`, ...failed.slice(0, 5)];
      },
    };
  }
}

/** The ceilings, then a line per row: its time, its speed, and peers' times relative to it. */
function benchFindings(file: string): string[] {
  const { roofline, rows } = readBenchFile(file);
  const lines = rows.map(({ name, size, milliseconds, flops, share, error, peers = [] }) =>
    [
      `${name} ${size}: ${milliseconds ? formatTime(milliseconds.median) : 'error'}`,
      ...(milliseconds && flops ? [`${rateText(flops, milliseconds.median)} GFLOPS`] : []),
      ...(share === null ? [] : [`${(100 * share).toFixed(0)}% of the roofline`]),
      ...peers.map((peer) =>
        peer.milliseconds && peer.ours
          ? ratioText(peer.name, peer.milliseconds.median / peer.ours.median)
          : `${peer.name}: ${peer.problem}`,
      ),
      ...(error ? [error] : []),
    ].join(', '),
  );
  // A device that does nothing has no ceilings.
  return [roofline.gflops > 0 ? rooflineText(roofline) : '', ...lines, checkText(rows)].filter(Boolean);
}

/** How long the whole takes: as it did, or by the pace of steps so far, for network and control alike. */
function extrapolated(log: string): string[] {
  const lines = log.split('\n').filter((line) => line.startsWith('{'));
  const events = lines.flatMap((line): ({ event: string; network: string } & TrainingProgress)[] => {
    try {
      return [JSON.parse(line)];
    } catch {
      return []; // Cut off while it was written.
    }
  });
  if (events.at(-1)?.event === 'done') return ['the whole run was made'];
  const now = events.findLast(({ event }) => event === 'progress');
  if (!now) return [];
  const { network, step, steps, imagesPerSecond, secondsLeft } = now;
  const whole = step < steps ? (2 * secondsLeft * steps) / (steps - step) : Number.NaN;
  return [
    `step ${step}/${steps} of the ${network === 'run' ? 'network' : network}, ${Math.round(imagesPerSecond)} images/s`,
    ...(whole > 0 ? [`training of network and control would take ${clock(whole)}`] : []),
  ];
}
