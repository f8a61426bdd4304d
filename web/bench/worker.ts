import { completeRow, type Measured } from '../../bench/result.ts';
import { measureRoofline, type Roofline } from '../../bench/roofline.ts';
import type { Context } from '../../bench/suite.ts';
import { analysisSuite } from '../../bench/suites/analysis.ts';
import { matmulSuite } from '../../bench/suites/matmul.ts';
import { timeOne } from '../../bench/suites/step.ts';
import { loadData, mnistFc, Training } from '../../bench/training.ts';
import type { CollimateError } from '../../src/errors.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { openGpu } from '../../src/host/open.ts';
import { unpack } from '../images.ts';
import { given } from './load-task.ts';
import type { BenchReport } from './protocol.ts';

/** Runs suites of bench/ in the browser, each once, on a device of its own. */

/** Milliseconds for each row, about. */
const TIME = 200;
/** Sides of the matrices: what a software adapter multiplies in well under a second. */
const SIDES = { software: [128, 256, 512], hardware: [256, 512, 1024, 2048] } as const;

const report = (message: BenchReport): void => postMessage(message);

const suites = {
  matmul: (context: Context) => matmulSuite.run(context),
  async step(context: Context) {
    using data = await loadData(context.gpu);
    using training = await Training.create(context.gpu, data, mnistFc);
    await timeOne(context, mnistFc, training);
  },
  analysis: (context: Context) => analysisSuite.run(context),
};

function contextOf(gpu: Gpu, suite: string, roofline: Roofline): Context {
  return {
    ...{ gpu, time: TIME, sizesGiven: true, peers: undefined, profile: false },
    sizes: SIDES[gpu.traits.kind].map((side) => [side, side, side]),
    add: (row: Measured) => report({ type: 'row', row: completeRow(row, suite, 'default', roofline) }),
    say() {},
  };
}

addEventListener('message', async ({ data }: MessageEvent<Uint8Array>) => {
  try {
    given.images = unpack(data);
    using gpu = await openGpu();
    report({ type: 'measuring', suite: 'ceilings' });
    const roofline = await measureRoofline(gpu, TIME);
    report({ type: 'ceilings', adapter: gpu.info, roofline });
    for (const [suite, run] of Object.entries(suites)) {
      report({ type: 'measuring', suite });
      await run(contextOf(gpu, suite, roofline));
    }
    report({ type: 'finished' });
  } catch (error) {
    const { message, remedy } = error as CollimateError;
    report({ type: 'failed', message, remedy });
  }
});
