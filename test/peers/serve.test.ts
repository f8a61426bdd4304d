import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** What the peer writes to stdout for these requests, line by line. */
function talk(requests: object[], ...args: string[]) {
  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', 'test/peers/peer.ts', ...args], {
    input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
    encoding: 'utf8',
    timeout: 3_600_000,
  });
  expect(status).toBe(0);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('a peer process', () => {
  it('is ready with an adapter in place, answers each request by its id, and ends with its input', () => {
    const step = {
      kind: 'step',
      network: 'fc',
      norm: false,
      depth: 1,
      width: 1,
      inputs: 1,
      classes: 1,
      batch: 1,
    };
    const [ready, ...answers] = talk([
      { id: 1, work: { kind: 'matmul', m: 1, n: 1, k: 1 }, repeat: 3 },
      { id: 2, work: { kind: 'analysis', samples: 1, depth: 1, width: 1, triples: 1 }, repeat: 1 },
      { id: 3, work: { kind: 'matmul', m: -1, n: 1, k: 1 }, repeat: 1 },
      { id: 4, work: step, repeat: 2, times: 3 },
      { id: 5, work: { kind: 'matmul', m: 1, n: 1, k: 1 }, repeat: 1 },
    ]);
    expect(ready).toEqual({
      ready: { name: 'none', version: 'function', device: expect.stringMatching(/.+, .+/) },
    });
    const product = { milliseconds: expect.anything(), check: 1 };
    expect(answers).toEqual([
      { id: 1, ...product },
      { id: 2, unsupported: 'no analysis here' },
      { id: 3, error: '-1 rows' },
      { id: 4, ...product },
      // Prepared once: its first check is repeated.
      { id: 5, ...product },
    ]);
    expect(answers[0].milliseconds).toHaveLength(3);
    // Each is the time of one step, not of the three that were timed together.
    expect(answers[3].milliseconds).toHaveLength(2);
    expect(answers[3].milliseconds[0]).toBeGreaterThanOrEqual(99);
  });

  it('says what stands in its way, and what to do about it', () => {
    expect(talk([], '--adapter', 'voodoo 2')).toEqual([
      { unavailable: expect.stringMatching(/no WebGPU adapter for 'voodoo 2'.*npm run doctor/s) },
    ]);
  });
});
