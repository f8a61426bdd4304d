import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readArchive } from '../../src/data/archive.ts';
import { type Entry, noise, put, sha256, tar, tarGz, temporaryFolder } from './support.ts';

const contents = noise(3000);
const good: Entry = { name: 'set/a.bin', contents };

async function read(bytes: Uint8Array, room = 10_000) {
  const path = put(join(temporaryFolder(), 'set.tgz'), bytes);
  return readArchive(path, (name) => (name.endsWith('.bin') ? room : undefined));
}

test('the wanted files are read, under plain names, and the archive’s checksum is told', async () => {
  const other = { name: 'set/readme.txt', contents: noise(20_000, 2) };
  const archive = await tarGz([{ name: 'set', type: 'directory' }, { ...good, name: './set/a.bin' }, other]);
  const { files, sha256: found } = await read(archive);
  expect([...files.keys()]).toEqual(['set/a.bin']);
  expect(files.get('set/a.bin')).toEqual(Buffer.from(contents));
  expect(found).toBe(sha256(archive));
});

test.each<[string, Entry, string]>([
  ['an absolute path', { name: '/etc/a.bin', contents }, 'leads out of its folder: "/etc/a.bin"'],
  ['a way up', { name: 'set/../../a.bin', contents }, 'leads out of its folder: "set/../../a.bin"'],
  ['a way up in another style', { name: 'set\\..\\..\\a.bin', contents }, 'leads out of its folder'],
  ['a drive', { name: 'C:\\a.bin', contents }, 'leads out of its folder: "C:\\\\a.bin"'],
  [
    'a symbolic link',
    { name: 'a.bin', type: 'symlink', linkname: '/etc/passwd' },
    'a symlink to "/etc/passwd"',
  ],
  ['a hard link', { name: 'a.bin', type: 'link', linkname: '../b' }, '"a.bin", a link to "../b"'],
  ['a device', { name: 'a.bin', type: 'character-device' }, 'a character-device'],
  [
    'a file too large',
    { name: 'a.bin', contents: noise(10_001) },
    'has a.bin with 10001 bytes, expected at most 10000',
  ],
  ['a file twice', good, 'has set/a.bin twice'],
])('%s is refused', async (_, entry, message) => {
  await expect(read(await tarGz([good, entry, good]))).rejects.toThrow(message);
});

test('a size that a header claims is not believed', async () => {
  const archive = await tar([good]);
  archive.set(Buffer.from('77777777777'), 124); // 8 GiB
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += i >= 148 && i < 156 ? 32 : archive[i]!;
  archive.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  await expect(read(gzipSync(archive))).rejects.toThrow(
    'has set/a.bin with 8589934591 bytes, expected at most 10000',
  );
  await expect(read(gzipSync(archive), Number.POSITIVE_INFINITY)).rejects.toThrow('set.tgz is truncated');
});

test('what unpacks to too much is refused before it is unpacked', async () => {
  const bomb = put(join(temporaryFolder(), 'bomb.tgz'), gzipSync(new Uint8Array(2 ** 20)));
  await expect(readArchive(bomb, () => undefined, 10_000)).rejects.toThrow(
    'unpacks to more than 10000 bytes',
  );
});

test('an archive cut anywhere is refused', async () => {
  const whole = await tarGz([good]);
  for (const at of [0, 5, 100, 500, whole.length - 9, whole.length - 1]) {
    await expect(read(whole.subarray(0, at)), `${at}`).rejects.toThrow(
      /set\.tgz (is truncated|cannot be unpacked)/,
    );
  }
  const inner = await tar([good]);
  await expect(read(gzipSync(inner.subarray(0, 2000)))).rejects.toThrow(
    'is truncated: it ends in the middle',
  );
});

test('damage and other files are refused', async () => {
  const damaged = Uint8Array.from(await tarGz([good]));
  damaged[damaged.length - 6]! ^= 1;
  await expect(read(damaged)).rejects.toThrow('set.tgz cannot be unpacked: incorrect data check');
  await expect(read(noise(5000))).rejects.toThrow('set.tgz cannot be unpacked: incorrect header check');
  await expect(read(gzipSync(noise(5000)))).rejects.toThrow('set.tgz cannot be unpacked');
  await expect(readArchive('/nowhere/a.tgz', () => 1)).rejects.toThrow('cannot read /nowhere/a.tgz: ENOENT');
});
