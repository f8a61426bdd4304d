import type { CollimateError } from '../src/errors.ts';
import type { Gpu } from '../src/gpu/device.ts';
import { openGpu } from '../src/host/open.ts';
import { Duel } from './duel.ts';
import { type PageImages, unpack } from './images.ts';
import type { Command, Report } from './protocol.ts';
import { type PageSettings, SPEED } from './settings.ts';

/** Trains and measures, away from the thread that draws. */

const report = (message: Report): void => postMessage(message);

let images: PageImages;
/** Opened while the page fetches the images. */
let opening: Promise<Gpu> | undefined = open();
opening.catch(() => {}); // Reported by the first start.
let duel: Duel | undefined;
/** The page's last instructions. */
let [paused, stepsPerSecond] = [false, SPEED];
/** Settings to start with once the current run has ended. */
let next: PageSettings | undefined;
let running = false;

async function open(): Promise<Gpu> {
  const gpu = await openGpu();
  report({ type: 'opened', adapter: gpu.info.name });
  return gpu;
}

/** Why training ended; the next one gets another device if this one failed or did not open. */
async function causeOf(error: unknown): Promise<Partial<CollimateError>> {
  try {
    (await opening)?.check();
    return error as Error;
  } catch (failure) {
    opening = undefined;
    return failure as Error;
  }
}

/** Runs duels one after another while there are settings for more. */
async function run(): Promise<void> {
  if (running) return;
  running = true;
  try {
    while (next) {
      const settings = next;
      next = undefined;
      opening ??= open();
      const gpu = await opening;
      using current = await Duel.create(gpu, images, settings, report);
      duel = current;
      Object.assign(duel, { paused, stepsPerSecond });
      // Settings may have come while kernels were compiling.
      if (!next) await duel.run();
      duel = undefined;
      if (!next) report({ type: 'finished' });
    }
  } catch (error) {
    duel = undefined;
    const { message = String(error), remedy } = await causeOf(error);
    if (!next) report({ type: 'failed', message, remedy });
  } finally {
    running = false;
  }
  // Settings may have come during the search for the cause.
  if (next) run();
}

addEventListener('message', ({ data }: MessageEvent<Command>) => {
  switch (data.type) {
    case 'images':
      images = unpack(data.bytes);
      return;
    case 'start':
      next = data.settings;
      duel?.stop();
      run();
      return;
    case 'pause':
    case 'resume':
      paused = data.type === 'pause';
      if (duel) duel.paused = paused;
      return;
    case 'step':
      duel?.advance();
      return;
    case 'speed':
      stepsPerSecond = data.stepsPerSecond;
      if (duel) duel.stepsPerSecond = stepsPerSecond;
  }
});
