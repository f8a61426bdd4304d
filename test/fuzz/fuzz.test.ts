import { describe, expect, it, vi } from 'vitest';
import type { Gpu } from '../../src/gpu/device.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { openForTest } from '../gpu/harness.ts';
import { describeFinding, runCampaign } from './campaign.ts';
import { recipeAt } from './graphs.ts';
import { OPERATIONS } from './steps.ts';

const draw = { seed: 5, perStructure: 30, perSize: 10 };

/** A device that compiles other kernels than it is given. */
const sabotaged = (gpu: Gpu, change: (wgsl: string) => string): Gpu =>
  new Proxy(gpu, {
    get: (target, key) => {
      if (key === 'pipeline')
        return (kernel: Kernel) => target.pipeline({ ...kernel, wgsl: change(kernel.wgsl) });
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

describe('random graphs', () => {
  it('have the values of the interpreter however they are compiled', async () => {
    const { findings, tally } = await runCampaign(openForTest, { ...draw, from: 0, graphs: 300 });
    expect(findings.map((finding) => describeFinding(finding, draw))).toEqual([]);
    // A comparison that cannot fail proves nothing.
    expect(tally.sharp).toBeGreaterThan(0.6 * (tally.sharp + tally.loose + tally.skipped));
  });

  it('are the same for the same seed, and of all operations', () => {
    expect(recipeAt(47, draw)).toEqual(recipeAt(47, draw));
    const every = { ...draw, perStructure: 1 };
    const seen = new Set(
      Array.from({ length: 400 }, (_, i) => recipeAt(i, every).steps.map(({ op }) => op)).flat(),
    );
    expect([...seen].sort()).toEqual([...OPERATIONS].sort());
  });

  it('find a kernel that mixes up columns, and shrink to little more than it', async () => {
    // Else the device is refused before.
    vi.stubEnv('COLLIMATE_UNCHECKED', '1');
    const open = async () =>
      sabotaged(await openForTest(), (wgsl) => wgsl.replace('columns + column;', 'columns + (column ^ 1u);'));
    const { findings } = await runCampaign(open, {
      ...draw,
      from: 0,
      graphs: 1,
      shrinking: 3000,
    }).finally(() => vi.unstubAllEnvs());
    expect(findings).toHaveLength(1);
    expect(findings[0]!.recipe.steps.length).toBeLessThanOrEqual(2);
    expect(findings[0]!.failures[0]!.message).toMatch(/ is .* at element \d+ of \d+, not /);
  });
});
