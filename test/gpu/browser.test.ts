import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

describe('in a browser without WebGPU, opening a device', () => {
  it.each([
    ['secure', 'this browser does not offer WebGPU', /recent Chrome/],
    [
      'insecure',
      'the page http://192.0.2.1 is not secure, and browsers offer WebGPU to secure pages only',
      /https/,
    ],
  ])('is refused on a page that is %s', (page, message, remedy) => {
    const child = resolve(import.meta.dirname, 'browser-child.ts');
    const output = execFileSync(process.execPath, ['--import', 'tsx', child, page], { encoding: 'utf8' });
    const refusal = JSON.parse(output);
    expect(refusal).toMatchObject({ name: 'CollimateError', message });
    expect(refusal.remedy).toMatch(remedy);
  });
});
