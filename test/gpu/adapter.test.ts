import { describe, expect, it } from 'vitest';
import { unexpected } from '../../src/host/dawn-output.ts';
import { runChild } from './child.ts';
import { openForTest, testGpu } from './harness.ts';

async function choose(adapter: string): Promise<Record<string, string>> {
  const { stdout, stderr } = await runChild('info', { COLLIMATE_ADAPTER: adapter });
  expect(stdout, stderr).not.toBe('');
  return JSON.parse(stdout);
}

describe('adapter choice', () => {
  it('takes something when nothing is asked for', async () => {
    expect(await choose('')).toMatchObject({ kind: expect.stringMatching(/hardware|software/) });
  });

  it('takes the bundled SwiftShader, whatever is installed', async () => {
    expect(await choose('swiftshader')).toMatchObject({ kind: 'software', source: 'swiftshader' });
  });

  it('takes the bundled SwiftShader where no Vulkan driver is installed', async () => {
    const { stdout } = await runChild('info', { COLLIMATE_ADAPTER: '', VK_DRIVER_FILES: '/nowhere.json' });
    expect(JSON.parse(stdout)).toMatchObject({ source: 'swiftshader' });
  });

  it.each([
    ['the chosen driver', {}],
    ['SwiftShader', { COLLIMATE_ADAPTER: 'swiftshader' }],
    ['SwiftShader where no driver is installed', { COLLIMATE_ADAPTER: '', VK_DRIVER_FILES: '/nowhere.json' }],
  ])('opens %s without a word from Dawn', async (_, env) => {
    expect(await runChild('info', env)).toMatchObject({ status: 0, stderr: '' });
  });

  it("shows Dawn's own warnings where debugging", async () => {
    const env = { COLLIMATE_ADAPTER: '', VK_DRIVER_FILES: '/nowhere.json', COLLIMATE_DEBUG: '1' };
    expect((await runChild('info', env)).stderr).toMatch(/^Warning: vkCreateInstance/m);
  });

  it('passes on what is not expected of Dawn', () => {
    const output = 'Warning: vkCreateInstance failed\n    at Check (x.cpp:106)\n\nMESA: error: no memory\n';
    expect(unexpected(output)).toBe('MESA: error: no memory');
  });

  it.each(['gpu', 'system'])('takes what %s means, or says what there is instead', async (wish) => {
    const chosen = await choose(wish);
    if (chosen.source) expect(chosen.source).toBe(wish === 'gpu' ? 'hardware' : 'system');
    else {
      expect(chosen.message).toMatch(
        new RegExp(`^no WebGPU adapter for '${wish}': .*(there is only|none found|no Vulkan)`),
      );
      expect(chosen.remedy).toContain('npm run doctor');
    }
  });

  it('takes an adapter by a part of its name', async () => {
    expect(await choose('SwiftShader Dev')).toMatchObject({ source: 'swiftshader' });
    const { name } = (await testGpu()).info;
    const word = name.split(/\W/)[0]!;
    expect((await choose(word.toUpperCase())).name).toBe(name);
  });

  it('takes an adapter by the name that it gives itself, as runs record it', async () => {
    const { info } = await testGpu();
    const again = await openForTest(info.name);
    expect(again.info).toEqual(info);
    again.dispose();
  });

  it('refuses a name that no adapter has, and lists those there are', async () => {
    await expect(openForTest('voodoo 2')).rejects.toThrow(/no WebGPU adapter for 'voodoo 2': .*SwiftShader/);
  });

  it('leaves the environment as it was', async () => {
    const before = { ...process.env };
    (await openForTest('swiftshader')).dispose();
    expect(process.env).toEqual(before);
  });

  it('opens several at once, each as asked', async () => {
    const opened = await Promise.all([openForTest(), openForTest('swiftshader'), openForTest()]);
    expect(opened[1].info.source).toBe('swiftshader');
    expect(opened[2].info).toEqual(opened[0].info);
    for (const gpu of opened) gpu.dispose();
  });
});
