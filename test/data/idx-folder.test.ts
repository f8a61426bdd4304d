import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadDataset } from '../../src/data/load.ts';
import { idx, noise, put, temporaryFolder } from './support.ts';

/** A user's set, with square images of this side. */
function ownFolder(side: number): string {
  const dataDir = temporaryFolder();
  for (const [part, count] of [
    ['train', 30],
    ['t10k', 10],
  ] as const) {
    const pixels = noise(count * side * side);
    put(join(dataDir, `idx/${part}-images-idx3-ubyte`), idx([count, side, side], pixels));
    put(
      join(dataDir, `idx/${part}-labels-idx1-ubyte`),
      idx(
        [count],
        Array.from({ length: count }, (_, i) => i % 10),
      ),
    );
  }
  return dataDir;
}

test("a folder of one's own IDX files is read, of any number and size", async () => {
  const dataDir = ownFolder(12);
  const { train, test } = await loadDataset('idx', { dataDir, size: 12 });
  expect(train).toMatchObject({ count: 30, height: 12, width: 12, channels: 1, classes: 10 });
  expect(Uint8Array.from(train.images)).toEqual(noise(30 * 144));
  expect(test.count).toBe(10);
  expect(train.name).toBe(`idx (own files, ${join(dataDir, 'idx')})`);
});

test('images of another size than is asked for are refused, with what to give', async () => {
  const load = loadDataset('idx', { dataDir: ownFolder(12) });
  await expect(load).rejects.toMatchObject({
    message: expect.stringContaining('has the wrong shape for idx: expected [30,28,28], got [30,12,12]'),
    remedy: expect.stringContaining('give `--resolution`'),
  });
});
