import { expect, it, vi } from 'vitest';
import { Interrupt } from '../../src/experiments/interrupt.ts';

it('takes requests that follow one another at once for one, and keeps the status of the first', async () => {
  const onRequest = vi.fn();
  const leave = vi.fn();
  using interrupt = new Interrupt(leave, onRequest);
  await interrupt.graceful(async () => {
    expect(interrupt.requested).toBe(false);
    interrupt.request(130);
    interrupt.request(143); // npm passes the terminal's Ctrl-C on.
    expect(interrupt.requested).toBe(true);
  });
  expect(onRequest).toHaveBeenCalledTimes(1);
  expect(leave).not.toHaveBeenCalled();
  expect(interrupt.status).toBe(130);
});

it('does not wait for what needs no saving once everything is saved', async () => {
  const left = vi.fn();
  const exit = vi.fn();
  using interrupt = new Interrupt(left, () => {}, exit);
  const training = () =>
    interrupt.graceful(
      async () => interrupt.request(130),
      () => true,
    );
  await interrupt.graceful(
    async () => {
      await training();
      expect(left).not.toHaveBeenCalled(); // Another is still to be saved.
    },
    () => true,
  );
  expect(left).toHaveBeenCalledTimes(1);
  expect(exit).toHaveBeenCalledTimes(1);
  expect(exit).toHaveBeenCalledWith(interrupt.status);
});

it('lets a request that comes later end the process at once, though the first still waits for something', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  const now = vi.spyOn(performance, 'now');
  try {
    using interrupt = new Interrupt(() => new Promise(() => {}));
    for (const [at, kills] of [
      [0, 0],
      [499, 0],
      [501, 1],
    ] as const) {
      now.mockReturnValue(at);
      interrupt.request(130);
      expect(kill).toHaveBeenCalledTimes(kills);
    }
    expect(kill).toHaveBeenCalledWith(process.pid, 'SIGINT');
    expect(interrupt.status).toBe(130);
  } finally {
    vi.restoreAllMocks();
  }
});
