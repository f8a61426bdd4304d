import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, describe, expect, inject, it } from 'vitest';

describe('in a browser, opening a device', () => {
  const bundle = join(inject('scratch'), `browser-${process.pid}.mjs`);

  beforeAll(async () => {
    // For this platform, a module that only Node has would not be found.
    await build({
      entryPoints: [resolve(import.meta.dirname, 'browser-child.ts')],
      ...{ bundle: true, platform: 'browser', format: 'esm', target: 'es2022', outfile: bundle },
    });
  });

  it.each([
    ['secure', 'this browser does not offer WebGPU', /recent Chrome/],
    [
      'insecure',
      'the page http://192.0.2.1 is not secure, and browsers offer WebGPU to secure pages only',
      /https/,
    ],
    [
      'used up',
      'the adapter Voodoo 2 gives no device: the adapter was consumed',
      /^Close .* restart the browser\.$/,
    ],
  ])('is refused on a page that is %s', (page, message, remedy) => {
    const refusal = JSON.parse(execFileSync(process.execPath, [bundle, page], { encoding: 'utf8' }));
    expect(refusal).toMatchObject({ name: 'CollimateError', message });
    expect(refusal.remedy).toMatch(remedy);
  });
});
