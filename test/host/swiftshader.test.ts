import { appendFile, chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadLibrary, unpackSwiftShader } from '../../src/host/swiftshader.ts';

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'collimate-test-'));
});
afterEach(async () => {
  await chmod(cache, 0o755).catch(() => {});
  await rm(cache, { recursive: true, force: true });
});

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('the bundled SwiftShader', () => {
  it('is unpacked once: driver, manifest, loader and nothing else', async () => {
    const { folder, manifest, loader } = await unpackSwiftShader(cache);
    expect(folder).toMatch(/swiftshader-\d+\.\d+\.\d+$/);
    expect((await readdir(folder)).sort()).toEqual(
      ['libvk_swiftshader.so', 'libvulkan.so.1', 'sha256.json', 'vk_swiftshader_icd.json'].sort(),
    );
    expect(JSON.parse(await readFile(manifest, 'utf8')).ICD.library_path).toBe('./libvk_swiftshader.so');
    await writeFile(join(folder, 'mark'), '');
    await unpackSwiftShader(cache);
    expect(await readdir(folder)).toContain('mark');
    expect(loadLibrary(loader)).toBe(true);
  });

  it.each<[string, (folder: string) => Promise<void>]>([
    ['a truncated driver', (folder) => truncate(join(folder, 'libvk_swiftshader.so'), 1000)],
    ['a changed loader', (folder) => appendFile(join(folder, 'libvulkan.so.1'), '!')],
    ['a missing manifest', (folder) => rm(join(folder, 'vk_swiftshader_icd.json'))],
  ])('repairs %s', async (_, damage) => {
    const { folder } = await unpackSwiftShader(cache);
    const whole = await readFile(join(folder, 'libvk_swiftshader.so'));
    await damage(folder);
    await unpackSwiftShader(cache);
    expect((await readFile(join(folder, 'libvk_swiftshader.so'))).equals(whole)).toBe(true);
    expect(await readdir(folder)).toHaveLength(4);
    expect(await readdir(cache)).toHaveLength(1);
  });

  it('is unpacked by many at once, also over a damaged one', async () => {
    const { folder } = await unpackSwiftShader(cache);
    await truncate(join(folder, 'libvulkan.so.1'), 0);
    await Promise.all(Array.from({ length: 4 }, () => unpackSwiftShader(cache)));
    expect(await readdir(cache)).toHaveLength(1);
    expect(await readdir(folder)).toHaveLength(4);
  });

  it('names the folder and the remedy when the cache cannot be written', async () => {
    const file = join(cache, 'file');
    await writeFile(file, '');
    for (const folder of [file, '/proc/collimate']) {
      await expect(unpackSwiftShader(folder)).rejects.toMatchObject({
        message: expect.stringContaining(folder),
        remedy: expect.stringContaining('COLLIMATE_CACHE'),
      });
    }
  });
});
