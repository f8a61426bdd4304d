import { describe, expect, it } from 'vitest';
import { runChild } from './child.ts';

describe('a process that used the GPU', () => {
  it('exits by itself with status 0 when its work is done, even undisposed', async () => {
    expect(await runChild('success')).toMatchObject({ status: 0, signal: null });
  });

  it('exits with status 1 after an error, with work still in flight', async () => {
    const { status, stderr } = await runChild('error');
    expect(stderr).toContain('meant to fail');
    expect(status).toBe(1);
  });

  it('exits with the status it asks for while a wait is pending', async () => {
    expect(await runChild('status')).toMatchObject({ status: 3, signal: null });
  });

  it('leaves when pipelines are compiled, and goes on with nothing else', async () => {
    expect(await runChild('compiling')).toMatchObject({ status: 3, signal: null, stdout: '' });
  });

  it('ends at Ctrl-C during a wait', async () => {
    const result = await runChild('wait', {}, (_, kill) => setTimeout(kill, 300, 'SIGINT'));
    expect(result).toMatchObject({ status: null, signal: 'SIGINT' });
  });

  it('runs its own handler of Ctrl-C during a wait', async () => {
    const result = await runChild('wait with a handler', {}, (_, kill) => setTimeout(kill, 300, 'SIGINT'));
    expect(result).toMatchObject({ status: 130, signal: null });
  });
});
