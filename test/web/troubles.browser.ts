import { expect, it } from 'vitest';
import { closeWell, launch, open } from './browser.ts';

const SMALL = 'depth=2&width=16&classes=3';

it('a browser without WebGPU is told which have it', async () => {
  const opened = await open('', { script: "Object.defineProperty(navigator, 'gpu', { value: undefined });" });
  const alert = opened.page.getByRole('alert');
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(/^This browser does not offer WebGPU\. Use a recent Chrome/);
  await closeWell(opened);
});

it('a browser that has WebGPU but no adapter is told what to switch on', async () => {
  const browser = await launch([]);
  try {
    const opened = await open('', { browser });
    const alert = opened.page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(
      /^This browser has no WebGPU adapter\. .* hardware acceleration/,
    );
    await closeWell(opened);
  } finally {
    await browser.close();
  }
});

it('an insecure origin is named', async () => {
  const opened = await open('', { insecure: true });
  const alert = opened.page.getByRole('alert');
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(/^The page http:\/\/insecure\.test:\d+ is not secure/);
  await closeWell(opened);
});

it('a lost device is told, and training starts again on another', async () => {
  const opened = await open(`${SMALL}&epochs=40`);
  const { page, report } = opened;
  await report('pictures');
  await page.workers()[0]!.evaluate(() => {
    const { createCommandEncoder } = GPUDevice.prototype;
    GPUDevice.prototype.createCommandEncoder = function (this: GPUDevice, ...given) {
      GPUDevice.prototype.createCommandEncoder = createCommandEncoder;
      this.destroy();
      return createCommandEncoder.apply(this, given);
    };
  });
  const alert = page.getByRole('alert');
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(/^The GPU device was lost: .*Start again/);
  await page.getByRole('button', { name: 'Start again' }).click();
  await page.waitForFunction(() => /step [1-9]/.test(document.querySelector('.status')!.textContent!));
  expect(await alert.count()).toBe(0);
  await closeWell(opened);
});

it('training that diverges is told, and how to mend it', async () => {
  const opened = await open(`${SMALL}&norm=no&lr=1&momentum=0.99`);
  const alert = opened.page.getByRole('alert');
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(/^Training diverged: .* Lower the learning rate/);
  await closeWell(opened);
});
