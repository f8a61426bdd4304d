import { describe, expect, it } from 'vitest';
import { runCommand } from './child.ts';

const doctor = (args: string[], env: Record<string, string> = {}) =>
  runCommand('doctor', args, undefined, env);

describe('doctor', () => {
  it('tells versions, each adapter tried, and the chosen one', async () => {
    const { status, stdout, stderr } = await doctor([]);
    expect(status, stderr).toBe(0);
    for (const word of [
      'Versions',
      'webgpu',
      '✓ swiftshader',
      'Chosen: ',
      'known answers          right',
      'subgroups',
    ]) {
      expect(stdout).toContain(word);
    }
  });

  it('prints JSON, and ends with status 1 when the adapter asked for is not there', async () => {
    const { status, stdout } = await doctor(['--json', '--adapter', 'voodoo 2']);
    const report = JSON.parse(stdout);
    expect(status).toBe(1);
    expect(report.chosen).toBeUndefined();
    expect(report.versions.node).toBe(process.versions.node);
    expect(report.trials.map((trial: { adapter: string }) => trial.adapter)).toEqual([
      'gpu',
      'system',
      'swiftshader',
      'voodoo 2',
    ]);
    expect(report.trials[3].result.reason).toContain('SwiftShader');
  });

  it('explains a system without any adapter, with status 1', async () => {
    const { status, stdout } = await doctor([], {
      VK_DRIVER_FILES: '/nowhere.json',
      COLLIMATE_CACHE: '/dev/null',
      COLLIMATE_ADAPTER: '',
    });
    expect(status).toBe(1);
    expect(stdout).toMatch(/✗ swiftshader .*cannot unpack[\s\S]*→ .*COLLIMATE_CACHE/);
    expect(stdout).toContain('Advice');
  });
});
