import { expect, it } from 'vitest';
import { COUNTS_WORK, closeWell, drawsAgain, type Opened, open, standsStill } from './browser.ts';

/** Small networks, which are soon measured. */
const SMALL = 'depth=2&width=16&classes=3';

const blocksOf = async ({ report }: Opened, depth: number) =>
  (await report('pictures', ({ pictures }) => pictures[0].sigma1.length === depth)).pictures;
const status = ({ page }: Opened) => page.locator('.status').textContent();
const stepOf = async (opened: Opened) => Number(/step (\d+)/.exec((await status(opened)) ?? '')?.[1]);

it('a link sets sliders and networks, and a slider sets the link and other networks', async () => {
  const opened = await open(`${SMALL}&skip=no&norm=no`);
  const { page } = opened;
  const [network, twin] = await blocksOf(opened, 2);
  expect([network.spectra.length, twin.spectra.length]).toEqual([2, 2]);
  expect(new Set(await page.locator('#setting-depth').evaluateAll(outputs))).toEqual(new Set(['2']));
  expect(await page.locator('#setting-skip').isChecked()).toBe(false);
  expect(await page.locator('#setting-norm').isChecked()).toBe(false);
  expect(await page.locator('#setting-branchScale').isDisabled()).toBe(true);

  await page.locator('#setting-depth').press('ArrowRight');
  expect(page.url()).toContain('#depth=3&width=16&classes=3&skip=no&norm=no');
  await blocksOf(opened, 3);
  await page.locator('#setting-skip').click();
  await page.locator('#setting-branchScale').selectOption('1/L');
  expect(page.url()).toContain('#depth=3&width=16&classes=3&norm=no&branchScale=1%2FL');

  await page.getByRole('button', { name: 'Copy link' }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(page.url());
  await page.getByRole('button', { name: 'Copy command' }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('--depth 3 --width 16');
  // As where an address is typed, at once after a slider was moved: it is the last word.
  await page.locator('#setting-depth').evaluate((slider: HTMLInputElement) => {
    slider.value = '5';
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    location.hash = 'depth=4&width=16&classes=2';
  });
  await blocksOf(opened, 4);
  await closeWell(opened);
});

/** What stands beside sliders. */
const outputs = (inputs: Element[]) =>
  inputs.map((input) => input.parentElement!.querySelector('output')!.textContent);

it('a link that is wrong is answered in words, and the defaults are used', async () => {
  const opened = await open('depth=99');
  const alert = opened.page.getByRole('alert');
  expect(await alert.textContent()).toBe(
    "The link sets depth to '99'. Expected a whole number from 1 to 16. The defaults are used instead.",
  );
  expect(await opened.page.locator('#setting-depth').evaluateAll(outputs)).toEqual(['6']);
  await closeWell(opened);
});

it('training pauses, steps, goes on, starts again, and waits while nobody sees it', async () => {
  const opened = await open(`${SMALL}&epochs=40`, { script: COUNTS_WORK });
  const { page, report } = opened;
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  await report('pictures');
  /** The step at which training stands still. */
  const rests = async (): Promise<number> => {
    for (let before = -1; ; ) {
      await standsStill(page);
      const now = await stepOf(opened);
      if (now === before) return now;
      before = now;
    }
  };
  await button('Pause').click();
  const paused = await rests();
  expect(await status(opened)).toContain('paused');
  await button('Step').click();
  await report('progress', ({ step }) => step === paused + 1);
  await report('pictures', ({ step }) => step === paused + 1);
  expect(await rests()).toBe(paused + 1);
  await button('Resume').click();
  await report('progress', ({ step }) => step > paused + 1);

  const hide = (hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await hide(true);
  const unseen = await rests();
  expect(await status(opened)).toContain('paused while the page is hidden');
  expect(await page.title()).toContain('Paused while hidden');
  await hide(false);
  await report('progress', ({ step }) => step > unseen);

  await button('Restart').click();
  await report('started', () => true, 1);
  await page.waitForFunction(() => !/step 0 /.test(document.querySelector('.status')!.textContent!));
  expect(await stepOf(opened)).toBeLessThan(unseen);
  await closeWell(opened);
});

it('pictures fit a phone, a wide window and 200% zoom, and follow when a window changes', async () => {
  const opened = await open(SMALL, { viewport: { width: 390, height: 844 }, scale: 2 });
  const { page, report } = opened;
  await report('pictures');
  for (const [width, height] of [
    [390, 844],
    [640, 450],
    [1600, 1000],
  ] as const) {
    await page.setViewportSize({ width, height });
    await drawsAgain(page);
    const shown = await page.evaluate(() => ({
      overflow: document.documentElement.scrollWidth - innerWidth,
      // CSS pixels of each canvas's element, and its own over the screen's density.
      canvases: [...document.querySelectorAll<HTMLCanvasElement>('.canvas canvas')].map(
        ({ width, clientWidth }) => [clientWidth, width / devicePixelRatio],
      ),
      charts: [...document.querySelectorAll('.chart')].map((chart) => [
        chart.clientWidth,
        chart.querySelector('svg')?.clientWidth,
      ]),
    }));
    expect(shown.overflow, `at ${width} pixels`).toBeLessThanOrEqual(0);
    expect(shown.canvases).toHaveLength(4);
    for (const [laidOut, drawn] of [...shown.canvases, ...shown.charts]) {
      expect(laidOut).toBeGreaterThan(100);
      expect(Math.abs(laidOut! - drawn!)).toBeLessThanOrEqual(1);
    }
  }
  await closeWell(opened);
});

it('cells and paths are chosen by pointer and by keyboard', async () => {
  const opened = await open(SMALL);
  const { page, report } = opened;
  await report('pictures');
  const grid = page.getByRole('application', { name: /^Matrices of with skips/ });
  const detail = page.locator('.card').first().locator('.detail').first();
  expect(await detail.textContent()).toContain('block 1 in the bases of block 2');
  await grid.press('ArrowDown');
  await grid.press('ArrowLeft');
  expect(await detail.textContent()).toContain('block 2 in the bases of block 1');
  const { width } = (await grid.boundingBox())!;
  await grid.hover({ position: { x: width - 10, y: width - 10 } });
  expect(await detail.textContent()).toMatch(/block 2 in the bases of block 2: \d+% diagonal/);

  const paths = page.getByRole('application', { name: /^Paths of 20 images through with/ });
  const name = () => paths.getAttribute('aria-label');
  expect(await name()).toContain('chosen: image 1, ');
  await paths.press('ArrowRight');
  expect(await name()).toContain('chosen: image 2, ');
  // By Tab alone one gets from the tabs to the buttons, sliders and pictures.
  await page.locator('#tab-training').focus();
  const reached = new Set<string>();
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    reached.add(
      await page.evaluate(
        () => document.activeElement!.id || document.activeElement!.textContent!.slice(0, 20),
      ),
    );
  }
  for (const stop of ['Pause', 'Restart', 'Copy link', 'setting-depth', 'setting-branchScale'])
    expect(reached).toContain(stop);
  await page.locator('#tab-training').press('ArrowRight');
  expect(await page.getByRole('tab', { name: 'Bench' }).getAttribute('aria-selected')).toBe('true');
  await closeWell(opened);
});
