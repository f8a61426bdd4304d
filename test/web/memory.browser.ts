import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { Report } from '../../web/protocol.ts';
import { closeWell, open, processesOf } from './browser.ts';

declare const gc: () => void;

declare const seen: { readonly reports: Report[] };

/** MiB that the browser's processes hold for pages and for the device, after garbage was collected. */
async function memoryOf(page: Page): Promise<number> {
  await page.evaluate(() => gc());
  await page.workers()[0]!.evaluate(() => gc());
  const held = (await processesOf(page)).map(({ id }) =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]),
  );
  return held.reduce((a, b) => a + b, 0) / 1024;
}

// Networks of two blocks of width 16: what could leak is the same, and takes a tenth of the time.
it('memory stays flat over 2,000 steps', async () => {
  const opened = await open('depth=2&width=16&epochs=40');
  const { page, report } = opened;
  await page.getByLabel('Speed').press('End');
  /** Buffers alive at each picture so far; what the test has kept of the reports is let go. */
  const buffers = () =>
    page.evaluate(() =>
      seen.reports.splice(0).flatMap((one) => (one.type === 'pictures' ? [one.buffers] : [])),
    );
  await report('progress', ({ step }) => step >= 1_000);
  const [, ...early] = await buffers();
  const before = await memoryOf(page);
  await report('progress', ({ step }) => step === 2_000);
  await report('finished');
  const late = await buffers();
  const after = await memoryOf(page);
  // A measurement may be under way: it holds at most a few.
  expect(Math.max(...early, ...late) - Math.min(...early, ...late), 'buffers').toBeLessThanOrEqual(4);
  expect(after - before, 'MiB more than at step 1,000').toBeLessThan(64);
  await closeWell(opened);
});
