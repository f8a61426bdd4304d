import { afterEach, expect, test, vi } from 'vitest';
import { command, invocation } from '../../src/command.ts';
import { start } from '../start.ts';
import { run } from './child.ts';

const collimate = async (...words: string[]) =>
  run([process.execPath, ...(await start('src/cli/collimate.ts')), ...words]);

afterEach(() => vi.unstubAllEnvs());

test.each([
  ['npm run', 'npm run data -- list', 'npm run doctor', 'npm run data --'],
  ['./collimate', './collimate data list', './collimate doctor', './collimate data'],
  [undefined, 'npx collimate data list', 'npx collimate doctor', 'npx collimate data'],
])('commands are named as they were typed: %s', (program, withWords, alone, before) => {
  vi.stubEnv('COLLIMATE_PROGRAM', program);
  expect(command('data', 'list')).toBe(withWords);
  expect(command('doctor')).toBe(alone);
  expect(invocation('data')).toBe(before);
});

test('one program has all commands', async () => {
  const { status, stdout } = await collimate('--help');
  expect(status).toBe(0);
  for (const name of ['reproduce', 'list', 'analyze', 'sweep', 'data', 'tune', 'doctor'])
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  const { version } = await import('../../src/host/home.ts');
  expect(await collimate('--version')).toMatchObject({ status: 0, stdout: `${version}\n` });
  expect(await collimate('reproduse')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("unknown command 'reproduse'"),
  });
  const help = await collimate('data', '--help');
  expect(help).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: npm run data --') });
  expect(await collimate('list', 'nothing')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('nothing'),
  });
});
