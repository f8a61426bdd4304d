import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../../src/data/datasets.ts';
import { catalog } from '../../src/experiments/catalog.ts';
import { imageShape } from '../../src/experiments/experiment.ts';
import { findExperiment } from '../../src/experiments/given-settings.ts';
import { encodeSafetensors } from '../../src/experiments/safetensors.ts';
import { sweeps } from '../../src/experiments/sweeps/catalog.ts';
import { networkOf, networks } from '../../src/models/networks.ts';
import { initialState } from '../../src/train/state.ts';
import { type Ended, runCommand as runChild } from './child.ts';

/** A network so small that a run takes seconds on any adapter, with momentum, to resume its buffers too. */
const TINY =
  'mnist-fc --preset smoke --depth 2 --width 16 --images 1200 --batch 16 --epochs 4 --samples 2 --json'.split(
    ' ',
  );

/** The test's own cache of choices; the user's is neither read nor written. */
const runCommand = (
  command: Parameters<typeof runChild>[0],
  args: readonly string[],
  onOutput?: Parameters<typeof runChild>[2],
) => runChild(command, args, onOutput, { COLLIMATE_CACHE: join(root, 'cache') });

let root: string;
let whole: string;
let first: Ended;
beforeAll(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-reproduce-'));
  whole = join(root, 'whole');
  // Traced, unlike the interrupted runs below: both end in the same bits.
  first = await runCommand('reproduce', [
    ...TINY,
    '--tune',
    'off',
    '--out',
    whole,
    '--trace',
    join(root, 'trace.json'),
  ]);
});
afterAll(() => fs.rmSync(root, { recursive: true }));

const json = (path: string) => JSON.parse(fs.readFileSync(path, 'utf8'));
const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** What must not depend on interruptions: the bytes of checkpoints, and metrics except their times. */
function bits(folder: string) {
  return ['.', 'control'].map((network) => ({
    checkpoint: fs.readFileSync(join(folder, network, 'checkpoint.safetensors')).toString('base64'),
    metrics: lines(fs.readFileSync(join(folder, network, 'metrics.jsonl'), 'utf8')).map(
      ({ seconds, ...metrics }) => metrics,
    ),
  }));
}

describe('a run', () => {
  test('writes every file, for itself and its control', () => {
    expect(first).toMatchObject({ status: 0, signal: null });
    for (const folder of [whole, join(whole, 'control')]) {
      expect(fs.readdirSync(folder).filter((name) => name !== 'control')).toEqual([
        'analysis.json',
        'checkpoint.safetensors',
        'config.json',
        'data',
        'figures',
        'metrics.jsonl',
        'report.html',
        'report.md',
      ]);
      expect(fs.readdirSync(join(folder, 'figures')).length).toBeGreaterThanOrEqual(7);
      expect(json(join(folder, 'config.json'))).toMatchObject({
        experiment: 'mnist-fc',
        preset: 'smoke',
        settings: { seed: 1, images: 1200 },
        adapter: { name: expect.any(String), driver: expect.any(String) },
        versions: { collimate: expect.any(String), node: process.versions.node, webgpu: expect.any(String) },
        ...{ tune: 'off', kernels: expect.any(Object) },
        command: expect.stringContaining('npm run reproduce -- mnist-fc --preset smoke --depth 2'),
      });
      expect(json(join(folder, 'analysis.json')).trained).toMatchObject({ step: 300 });
      const metrics = lines(fs.readFileSync(join(folder, 'metrics.jsonl'), 'utf8'));
      expect(metrics.map((m) => [m.epoch, m.step])).toEqual(
        Array.from({ length: 4 }, (_, i) => [i + 1, 75 * (i + 1)]),
      );
      expect(metrics.at(-1).trainAccuracy).toBeGreaterThan(0.6); // it learns
    }
    expect(json(join(whole, 'control/config.json'))).toMatchObject({
      network: { skip: false },
      training: { weightDecay: 0.001 },
    });
    expect(fs.readFileSync(join(whole, 'report.html'), 'utf8')).toContain('No-skip control');
  });

  test('prints lines of JSON, the claims last', () => {
    const events = lines(first.stdout);
    expect(events.filter((e) => e.event === 'stage').map((e) => [e.stage, e.network])).toEqual([
      ['train', 'run'],
      ['analyze', 'run'],
      ['train', 'control'],
      ['analyze', 'control'],
    ]);
    expect(events.filter((e) => e.event === 'epoch')).toHaveLength(8);
    expect(events.at(-1)).toMatchObject({ event: 'done', claims: json(join(whole, 'analysis.json')).claims });
  });

  test('writes a timeline of its programs', () => {
    type Event = { ph: string; name: string; pid: number; tid: number; args: { name: string } };
    const { traceEvents } = json(join(root, 'trace.json')) as { traceEvents: Event[] };
    const names = (track: string) => {
      const { pid, tid } = traceEvents.find((e) => e.name === 'thread_name' && e.args.name === track)!;
      return traceEvents.filter((e) => e.ph === 'X' && e.pid === pid && e.tid === tid).map((e) => e.name);
    };
    expect(names('phases')).toEqual([
      'train: Residual network',
      'analyze: Residual network',
      'train: No-skip control',
      'analyze: No-skip control',
    ]);
    const runs = (program: string) => names('programs').filter((name) => name === program).length;
    // Of 300 steps of each network: ten from the first on, and ten from the hundredth.
    expect(['gradient', 'update', 'randomized SVD'].map(runs)).toEqual([40, 40, 4]);
    expect(runs('evaluation')).toBeGreaterThanOrEqual(20);
  });

  test('ends in the same bits however it is cut off and kernels are tuned since, and says how to go on after Ctrl-C', async () => {
    const folder = join(root, 'cut');
    const often = ['--checkpoint-every', '0'];
    // At a random moment soon after it has printed `sign`.
    const end = (signal: NodeJS.Signals, sign: string) => {
      let seen = false;
      return (stdout: string, child: { kill(signal: NodeJS.Signals): void }) => {
        if (seen || !stdout.includes(sign)) return;
        seen = true;
        setTimeout(() => child.kill(signal), 50 * Math.random());
      };
    };
    const stepsRun = (network: string) => `"progress","network":"${network}"`;
    const killed = await runCommand(
      'reproduce',
      [...TINY, ...often, '--tune', 'off', '--out', folder],
      end('SIGKILL', stepsRun('run')),
    );
    expect(killed.signal).toBe('SIGKILL');

    // What was chosen stays, even if nothing asks for it any more. From here on times would choose kernels.
    const config = json(join(folder, 'config.json'));
    const kernels = { ...config.kernels, 'a product long gone': 'its variant' };
    fs.writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, kernels }));

    const resume = ['mnist-fc', '--json', ...often, '--tune', 'on', '--resume', folder];
    // A stage is announced even if the first process got to the end of training before it was killed.
    const stopped = await runCommand('reproduce', resume, end('SIGINT', '"event":"stage"'));
    expect(stopped).toMatchObject({ status: 130, signal: null });
    expect(stopped.stderr).toContain(`npm run reproduce -- mnist-fc --resume ${folder}`);
    // Then the analysis stops; the checkpoint is written.
    const analysing = stopped.stdout.includes('"stage":"analyze"');
    if (!analysing)
      expect(stopped.stderr).toMatch(/stopped after (step \d+ of 300|training); the checkpoint is written/);

    // The folder is locked before the first line is printed; it stays so until the rival has seen that.
    let rival: Promise<Ended> | undefined;
    const killControl = end('SIGKILL', stepsRun('control'));
    await runCommand('reproduce', resume, (stdout, child) => {
      rival ??= runCommand('reproduce', resume);
      rival.then(() => killControl(stdout, child));
    });
    expect(await rival).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is writing the run folder'),
    });
    expect(await runCommand('reproduce', resume)).toMatchObject({ status: 0 });
    expect(bits(folder)).toEqual(bits(whole));
    for (const network of ['.', 'control'])
      expect(json(join(folder, network, 'config.json')).kernels).toMatchObject(kernels);
  });

  test('that is done gets back what is missing, its verdicts too; --strict makes them the status', async () => {
    const before = fs.readFileSync(join(whole, 'report.html'), 'utf8');
    fs.rmSync(join(whole, 'report.html'));
    const path = join(whole, 'analysis.json');
    const { claims: _, ...unjudged } = json(path);
    fs.writeFileSync(path, JSON.stringify(unjudged));
    const again = await runCommand('reproduce', ['mnist-fc', '--resume', whole, '--strict']);
    expect(again).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/✗ does not hold[\s\S]*claims hold[.;]/),
    });
    expect(fs.readFileSync(join(whole, 'report.html'), 'utf8')).toBe(before);
  });
});

describe('list', () => {
  test('says of every preset and sweep what it takes', async () => {
    const { status, stdout } = await runCommand('reproduce', ['list', '--json']);
    expect(status).toBe(0);
    const all = lines(stdout);
    const rows = all.filter((row) => 'experiment' in row);
    const names = all.flatMap(({ sweep }) => sweep ?? []);
    expect(names).toEqual([...Object.keys(sweeps), 'unconstrained-jacobians']);
    expect(rows).toHaveLength(3 * Object.keys(catalog).length);
    expect(rows.find((row) => row.experiment === 'cifar10-resnet34' && row.preset === 'paper')).toMatchObject(
      {
        ...{ dataset: 'cifar10', model: 'resnet34', image: [32, 32, 3], parameters: 21_282_122 },
        settings: { images: 50_000, epochs: 500 },
      },
    );
    for (const row of all.slice(0, -1)) expect(row.estimatedTrainingSeconds).toBeGreaterThan(0);
  });

  test('has one line per dataset and per sweep, and few others', async () => {
    const { status, stdout } = await runCommand('reproduce', ['list']);
    expect(status).toBe(0);
    const screen = stdout.trimEnd().split('\n');
    expect(screen.length).toBeLessThanOrEqual(Object.keys({ ...datasets, ...sweeps }).length + 8);
    for (const line of screen) expect(line.length).toBeLessThanOrEqual(110);
    for (const name of ['mnist', 'synthetic', 'idx', ...Object.keys(sweeps), 'unconstrained-jacobians'])
      expect(stdout).toMatch(new RegExp(`^${name} `, 'm'));
    // A time below the name of its network, in the line of its dataset.
    const [head, row] = [/^ .* conv /m, /^cifar10 .*$/m].map((line) => stdout.match(line)![0]);
    expect(row!.slice(head!.indexOf('conv'))).toMatch(/^[\d.]+ (s|min|h|d) /);
    const timed = screen
      .slice(2, 2 + Object.keys(datasets).length)
      .join(' ')
      .match(/\d (s|min|h|d)\b/g);
    expect(timed).toHaveLength(Object.keys(catalog).length);
  });

  test('shows the presets of one experiment, sweep or theory', async () => {
    const shown = async (name: string) => (await runCommand('reproduce', ['list', name])).stdout;
    const [experiment, sweep, theory] = await Promise.all(
      ['cifar10-resnet34', 'ra4-depth', 'unconstrained-jacobians'].map(shown),
    );
    expect(experiment).toMatch(/^Epochs +2 +5 +500$/m);
    expect(experiment).toMatch(/^Parameters +[\d,]+ +[\d,]+ +21,282,122$/m);
    expect(sweep).toMatch(/^paper +\d+ +[\d.]+ (min|h|d)$/m);
    expect(theory).toMatch(/^quick +\d+ .* minutes$/m);
    const { stderr } = await runCommand('reproduce', ['list', 'mnist-fx']);
    expect(stderr).toContain('Did you mean mnist-fc?');
  });
});

describe('bad input', () => {
  const refused = async (args: string[], ...texts: string[]) => {
    const { status, stderr } = await runCommand('reproduce', args);
    expect(status).toBe(1);
    for (const text of texts) expect(stderr).toContain(text);
    expect(stderr).not.toMatch(/^ +at /m); // no stack trace
  };

  test('is told with a remedy', async () => {
    const before = bits(whole);
    await Promise.all([
      refused(['mnist-cf'], 'there is no experiment mnist-cf', 'Did you mean mnist-fc?'),
      refused(['mnist-fc', '--width', '0'], '--width is 0', 'Give a whole number from 2 to 8192.'),
      refused(['mnist-conv', '--width', '8'], '--width does not apply to mnist-conv', 'it applies to fc'),
      refused([...TINY, '--out', whole], 'already holds a run', '--resume'),
      refused(['mnist-fc', '--resume', whole, '--lr', '7'], '--lr is 7, but the run', 'was begun with 0.1'),
      refused(['mnist-fc', '--resume', root], 'is not the folder of a run'),
      refused([...TINY, '--out', join(whole, 'config.json', 'x')], 'cannot write', '--out'),
      refused(
        [...TINY, '--trace', join(whole, 'config.json', 'x')],
        'cannot write',
        'A file is where a folder is needed',
      ),
      refused([...TINY, '--trace', whole], 'it is a folder', 'name another file, or remove that folder'),
      refused(['mnist-fc', '--resume', '/dev/zero/x'], '/dev/zero/x'),
      refused([...TINY, '--out', '/dev/zero/x'], 'cannot write /dev/zero/x'),
    ]);
    expect(bits(whole)).toEqual(before);
  });

  test('such as a learning rate that diverges stops at the step, and keeps the last good checkpoint', async () => {
    const folder = join(root, 'diverging');
    const args = [...TINY, '--lr', '1e8', '--momentum', '0', '--checkpoint-every', '0', '--out', folder];
    await refused(args, 'training diverged: ', 'Begin another run with a smaller --lr (it is 100000000)');
    expect(fs.readdirSync(folder)).not.toContain('analysis.json');
  });
});

describe('analyze', () => {
  test('finds again what the run found', async () => {
    const out = join(root, 'again.json');
    const { status, stdout } = await runCommand('analyze', [whole, '--out', out]);
    expect(status).toBe(0);
    expect(stdout).toContain('2 blocks of width 16; 10 classes, σ = relu, with skip connections');
    const { claims: _, ...analysis } = json(join(whole, 'analysis.json'));
    expect(json(out)).toEqual({ ...analysis, kernels: json(join(whole, 'config.json')).kernels });
  });

  test('measures permuted weights beside the trained ones in place of those at initialization', async () => {
    const out = join(root, 'permuted.json');
    const args = [whole, '--control', 'permuted', '--out', out];
    const { status, stdout } = await runCommand('analyze', args);
    expect(status).toBe(0);
    expect(stdout).toContain('with permuted weights');
    expect(stdout).toMatch(/Measured +Threshold +With permuted weights/);
    expect(stdout.toLowerCase()).not.toContain('at initialization');
    const [own, beside] = [json(join(whole, 'analysis.json')), json(out)];
    expect(beside.control).toBe('permuted');
    expect(beside.trained).toEqual(own.trained);
    expect(beside.initialization.step).toBe(own.trained.step);
    expect(beside.initialization.summary).not.toEqual(own.initialization.summary);
  });

  test("measures weights that come alone, of an experiment's network", async () => {
    const experiment = findExperiment('synthetic-conv');
    const { settings } = experiment.presets.smoke;
    const options = networks.conv.optionsOf(settings, imageShape(experiment.dataset, settings));
    const network = networkOf({ ...options, classes: 12 }); // two more than the data have
    const { parameters, statistics } = initialState(network, 3);
    const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
    const tensors = [...parameters, ...statistics].map(
      ([name, data]) =>
        [`module.${name}`, { dtype: 'F32', shape: shapes.get(name) ?? [data.length], data }] as const,
    );
    const file = join(root, 'weights.safetensors');
    fs.writeFileSync(file, encodeSafetensors(new Map(tensors), {}));
    const analyze = (name: string) =>
      runCommand('analyze', [file, '--experiment', name, '--preset', 'smoke', '--samples', '1']);
    const { status, stdout, stderr } = await analyze('synthetic-conv');
    expect(status).toBe(0);
    expect(stdout).toContain(`${settings.depth} blocks`);
    expect(stdout).toContain('12 classes');
    expect(stderr).toContain('the network tells 12 classes apart, and synthetic images shows 10');
    const other = await analyze('synthetic-fc');
    expect(other.status).toBe(1);
    expect(other.stderr).toContain(`${file}, as the network of synthetic-fc, lacks stem.linear.weight`);
    expect(other.stderr).toContain('Use a file with the weights of that network.');
  });

  test('makes the folder of its target, or refuses it before it computes, and reads no devices', async () => {
    const out = join(root, 'new/folder/analysis.json');
    const { status, stdout } = await runCommand('analyze', [whole, '--out', out, '--samples', '1']);
    expect(status).toBe(0);
    expect(stdout).toContain(`Analysis: ${out}`);
    expect(json(out).trained.samples).toHaveLength(1);
    const refused = async (args: string[], message: string) =>
      expect(await runCommand('analyze', args)).toMatchObject({
        ...{ status: 1, stdout: '', stderr: expect.stringContaining(message) },
      });
    await Promise.all([
      refused([whole, '--out', join(whole, 'config.json/a.json')], 'cannot write'),
      refused([whole, '--out', '/dev/zero/a.json'], 'cannot write'),
      refused(['/dev/zero'], 'cannot read /dev/zero'),
      refused(['/dev/zero/x'], 'cannot read /dev/zero/x'),
    ]);
  });

  test('refuses a truncated checkpoint', async () => {
    const file = join(root, 'truncated.safetensors');
    const bytes = fs.readFileSync(join(whole, 'checkpoint.safetensors'));
    fs.writeFileSync(file, bytes.subarray(0, bytes.length - 100));
    const { status, stderr } = await runCommand('analyze', [file]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `${file} is truncated: expected ${bytes.length} bytes, found ${bytes.length - 100}`,
    );
  });
});

test('choices of kernels can be looked at, located and forgotten', async () => {
  const path = join(root, 'cache', 'kernels.json');
  const choice = { variant: 'b', problem: 'f 1', microseconds: { a: 2, b: 1.5, c: null }, sources: 's' };
  fs.mkdirSync(join(root, 'cache'), { recursive: true });
  fs.writeFileSync(
    path,
    JSON.stringify({ schema: 'collimate/kernels@2', adapters: { card: { f: choice } } }),
  );
  expect(await runCommand('tune', ['path'])).toMatchObject({ status: 0, stdout: `${path}\n` });
  const { stdout } = await runCommand('tune', ['show']);
  expect(stdout).toBe('card\n  f: a 2 µs, ✓ b 1.5 µs, c fails\n');
  expect(await runCommand('tune', ['reset'])).toMatchObject({ status: 0 });
  expect(await runCommand('tune', [])).toMatchObject({ stdout: 'No choices are known yet.\n' });
});
