import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PeerProcess, type Work } from '../../bench/peer-client.ts';
import { Peers, peersNamed, takeTurns } from '../../bench/peers.ts';

const fake = (mode = '') => ({
  name: 'fake',
  command: process.execPath,
  args: [join(import.meta.dirname, 'peer.mjs'), mode],
  cwd: import.meta.dirname,
});
const work: Work = { kind: 'matmul', m: 7, n: 1, k: 5, transposeA: false, transposeB: false };

async function started(mode?: string): Promise<PeerProcess> {
  const peer = await PeerProcess.start(fake(mode));
  if (typeof peer === 'string') throw new Error(peer);
  return peer;
}

test('a peer says who it is, and answers what it is asked', async () => {
  using peer = await started();
  expect(peer.info).toEqual({ name: 'fake', version: '1.0', device: 'none' });
  expect(await peer.request(work, 3)).toMatchObject({ milliseconds: [7, 7, 7], check: 5 });
  expect(await peer.request(work, 1)).toMatchObject({ milliseconds: [7] });
  const analysis = { kind: 'analysis', samples: 1, depth: 1, width: 1, triples: 1 } as const;
  expect(await peer.request(analysis, 1)).toMatchObject({ unsupported: 'it has no SVD' });
});

test('why a peer does not take part is reported', async () => {
  expect(await PeerProcess.start(fake('unavailable'))).toBe('no adapter: install one');
  expect(await PeerProcess.start(fake('crashing'))).toContain('fake did not start: it ended with status 1');
  expect(await PeerProcess.start({ ...fake(), command: '/nonexistent/python' })).toContain('ENOENT');
});

test('a peer that dies gives an error then and ever after', async () => {
  using peer = await started('dying');
  expect(await peer.request(work, 1)).toEqual({ error: 'it ended with status 3' });
  expect(await peer.request(work, 1)).toEqual({ error: 'it ended with status 3' });
});

test('peers are timed beside us, each with its problem if it has one', async () => {
  using peers = new Peers([await started(), await started('failing')], [{ name: 'gone', problem: 'why' }]);
  expect(peers.description).toEqual([
    ...['fake 1.0 on none', 'fake 1.0 on none', 'gone does not take part: why'],
  ]);
  const [fine, failing] = await peers.beside(work, async () => 2);
  expect(fine).toMatchObject({ name: 'fake', milliseconds: { median: 7 }, ours: { median: 2 } });
  expect(failing).toEqual({ name: 'fake', version: '1.0', device: 'none', problem: 'out of memory' });
  const [judged] = await peers.beside(
    work,
    async () => 2,
    (check) => `its check is ${check}`,
  );
  expect(judged!.problem).toBe('its check is 5');
});

test('what a quick peer does is timed many times on end, what a slow one does once', async () => {
  const times = async (milliseconds: number) => {
    const asked: number[] = [];
    const peer = {
      info: { name: 'fake', version: '1.0', device: 'none' },
      async request(_: Work, repeat: number, times: number) {
        asked.push(times);
        return { milliseconds: new Array<number>(repeat).fill(milliseconds), check: 0 };
      },
    } as unknown as PeerProcess;
    await new Peers([peer], []).beside(work, async () => 1, undefined, 20);
    return new Set(asked);
  };
  expect(await times(1)).toEqual(new Set([1, 20]));
  expect(await times(250)).toEqual(new Set([1, 4]));
  expect(await times(3000)).toEqual(new Set([1]));
});

test('peers are taken by name, and a suite in their place is recognized', () => {
  expect(peersNamed('torch, jax-js')).toEqual(['torch', 'jax-js']);
  expect(() => peersNamed('step')).toThrow(/no peer 'step'/);
});

test('contestants alternate, and one that fails is out', async () => {
  const order: string[] = [];
  const contestant =
    (name: string, failAt = Number.POSITIVE_INFINITY) =>
    async (repeat: number) => {
      order.push(name);
      if (order.filter((x) => x === name).length > failAt) throw new Error(`${name} failed`);
      return new Array<number>(repeat).fill(1);
    };
  const [a, b, c] = await takeTurns([contestant('a'), contestant('b', 2), contestant('c')]);
  expect(order.join('')).toBe('abcabcabcacacac');
  for (const samples of [a, c]) expect((samples as number[]).length).toBeGreaterThanOrEqual(5);
  expect(b).toEqual(new Error('b failed'));
});
