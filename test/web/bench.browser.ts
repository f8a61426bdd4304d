import { expect, it } from 'vitest';
import { closeWell, open } from './browser.ts';

it('the bench tab measures ceilings, products, a step and an analysis, and gives them as JSON', async () => {
  const opened = await open('depth=2&width=16&classes=3');
  const { page } = opened;
  await page.getByRole('tab', { name: 'Bench' }).click();
  await page.getByRole('button', { name: 'Measure' }).click();
  const copy = page.getByRole('button', { name: 'Copy as JSON' });
  await page.waitForFunction(() => document.querySelectorAll('.bench tbody tr').length === 11);
  await copy.click();
  await page.getByText('Copied', { exact: true }).waitFor();
  const { adapter, roofline, rows } = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  expect(adapter.kind).toBe('software');
  expect(roofline.gflops).toBeGreaterThan(0);
  const suites = rows.map((row: { suite: string }) => row.suite);
  expect(suites).toEqual([...Array(9).fill('matmul'), 'step', 'analysis']);
  for (const row of rows) {
    expect(row.error, row.name).toBeUndefined();
    expect(row.milliseconds.median).toBeGreaterThan(0);
    expect(row.check.error).toBeLessThanOrEqual(row.check.tolerance);
  }
  await closeWell(opened);
});
