import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { differences } from '../../scripts/run-differences.ts';
import { decodeCheckpoint } from '../../src/experiments/checkpoint.ts';
import { start } from '../start.ts';
import { runCommand } from './child.ts';

/** A run of one network in 80 steps, a checkpoint after every few. */
const TINY =
  'mnist-fc --preset smoke --depth 2 --width 16 --images 640 --batch 16 --epochs 2 --samples 1 --no-control --tune off'.split(
    ' ',
  );
const OFTEN = ['--checkpoint-every', '0'];

let root: string;
let whole: string;
beforeAll(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-endurance-'));
  whole = join(root, 'whole');
  expect(await runCommand('reproduce', [...TINY, '--out', whole])).toMatchObject({ status: 0 });
}, 120_000);
afterAll(() => fs.rmSync(root, { recursive: true }));

/** A shell that is root in a world of its own, where it may mount. */
const inOwnWorld = (script: string, ...args: string[]) =>
  spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'bash', '-ec', script, 'bash', ...args], {
    encoding: 'utf8',
    env: { ...process.env, OUT: root },
  });
const mayMount = inOwnWorld('mount -t tmpfs none /tmp').status === 0;

test.runIf(mayMount)(
  'a full disk ends a run, leaves its checkpoint whole, and once there is room it ends in the same bits',
  async () => {
    const { size } = fs.statSync(join(whole, 'checkpoint.safetensors'));
    const disk = join(root, 'disk');
    fs.mkdirSync(disk);
    // Room for one checkpoint and half of the next, beside the small files.
    const script = `
    mount -t tmpfs -o size=${Math.round(1.5 * size) + 16_384} none "$OUT/disk"
    again=("$@")
    begin=(${TINY.join(' ')} --out "$OUT/disk/run")
    status=0; node "\${again[@]}" "\${begin[@]}" ${OFTEN.join(' ')} || status=$?
    cp -r "$OUT/disk/run" "$OUT/full"
    mount -o remount,size=64m "$OUT/disk"
    node "\${again[@]}" mnist-fc --resume "$OUT/disk/run" >&2
    cp -r "$OUT/disk/run" "$OUT/roomy"
    exit "$status"`;
    const { status, stderr } = inOwnWorld(script, ...(await start('src/cli/reproduce.ts')));
    expect(stderr).toContain(`cannot write ${join(disk, 'run', 'checkpoint.safetensors')}: ENOSPC`);
    expect(stderr).toContain('The disk is full: make room, then go on with `--resume`.');
    expect(stderr).toContain(`To go on: npm run reproduce -- mnist-fc --resume ${join(disk, 'run')}`);
    expect(status).toBe(1);
    const kept = fs.readFileSync(join(root, 'full', 'checkpoint.safetensors'));
    expect(decodeCheckpoint(kept, 'kept').state.step).toBeLessThan(80);
    expect(fs.readdirSync(join(root, 'full')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(differences(whole, join(root, 'roomy'))).toEqual([]);
  },
);

test('what stops an analysis keeps the timeline', async () => {
  const [out, trace] = [join(root, 'stopped'), join(root, 'stopped.json')];
  const args = [...TINY, '--json', '--out', out, '--trace', trace];
  const { status, stderr } = await runCommand('reproduce', args, (stdout, child) => {
    if (stdout.includes('"stage":"analyze"')) child.kill('SIGTERM');
  });
  expect(status).toBe(143);
  expect(stderr).toContain(`--resume ${out}`);
  const { traceEvents } = JSON.parse(fs.readFileSync(trace, 'utf8')) as { traceEvents: { name: string }[] };
  const names = traceEvents.map(({ name }) => name);
  for (const name of ['gradient', 'train: Residual network', 'analyze: Residual network'])
    expect(names).toContain(name);
});

test('an analysis of an earlier version is made again from the checkpoint', async () => {
  const folder = join(root, 'earlier');
  fs.cpSync(whole, folder, { recursive: true });
  fs.writeFileSync(join(folder, 'analysis.json'), '{ "schema": "collimate/analysis@2" }');
  fs.rmSync(join(folder, 'report.html'));
  expect(await runCommand('reproduce', ['mnist-fc', '--resume', folder])).toMatchObject({ status: 0 });
  expect(differences(whole, folder)).toEqual([]);
});

test('two runs differ in what they hold, not in when they were made', () => {
  const copy = join(root, 'copy');
  fs.cpSync(whole, copy, { recursive: true });
  const change = (name: string, from: string | RegExp, to: string) => {
    const path = join(copy, name);
    const text = fs.readFileSync(path, 'latin1');
    expect(text).toMatch(from);
    fs.writeFileSync(path, text.replace(from, to), 'latin1');
  };
  change('config.json', /"started": ".*"/, '"started": "today"');
  change('metrics.jsonl', /"seconds":[\d.]+/, '"seconds":7');
  expect(differences(whole, copy)).toEqual([]);
  change('config.json', '"seed": 1', '"seed": 2');
  change('metrics.jsonl', '"step":40', '"step":41');
  change('checkpoint.safetensors', /.$/s, '\x7f');
  fs.rmSync(join(copy, 'figures/training.svg'));
  fs.writeFileSync(join(copy, '.analysis.json.0123456789ab.tmp'), '');
  const changed = [
    '.analysis.json.0123456789ab.tmp',
    'checkpoint.safetensors',
    'config.json',
    'metrics.jsonl',
  ];
  expect(differences(whole, copy).sort()).toEqual([...changed, 'figures/training.svg'].sort());
});
