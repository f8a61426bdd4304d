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
