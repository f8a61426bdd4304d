import { describe, expect, it } from 'vitest';
import { measureNetwork } from '../../src/analysis/measure-network.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { loadTask } from '../../src/experiments/load-task.ts';
import { analysisSamples, DeviceTask } from '../../src/experiments/task.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { openGpu } from '../../src/host/open.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { Evaluator } from '../../src/train/evaluate.ts';
import { initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import type { Picture } from '../../web/protocol.ts';
import { closeWell, open, processesOf } from './browser.ts';

/** Processor time until the page's first step, over what the same takes in Node at the same moment. */
const BEGINNING = 3;

describe('300 steps of networks of width 32 and depth 6', () => {
  it('begin at once, align one network and not its twin, and give the numbers that Node gives', async () => {
    // Builds the page and starts the browser, and trains nothing.
    const idle = await open('', { insecure: true });
    const before = new Map((await processesOf(idle.page)).map(({ id, cpuTime }) => [id, cpuTime]));
    const opened = await open('epochs=6');
    await opened.report('progress');
    const spent = (await processesOf(idle.page)).map(({ id, cpuTime }) => cpuTime - (before.get(id) ?? 0));
    await closeWell(idle);
    // Other work on the machine slows both alike.
    const inPage = spent.reduce((a, b) => a + b, 0);
    expect(inPage / (await beginning()), 'times that of Node until the first step').toBeLessThan(BEGINNING);
    await opened.report('finished');
    const moments = await opened.reports('pictures');
    const last = moments.at(-1)!;
    expect(last.step).toBe(300);
    const [network, twin] = last.pictures;
    expect(network.diagonalShare).toBeGreaterThan(0.5);
    expect(twin.diagonalShare).toBeLessThan(0.2);
    expect(network.line).toBeGreaterThan(0.98);
    expect(twin.line).toBeLessThan(0.6);
    for (const { testAccuracy } of last.pictures) expect(testAccuracy).toBeGreaterThan(0.8);

    const losses = await opened.reports('progress');
    await closeWell(opened);
    const middle = moments[Math.floor(moments.length / 2)]!;
    for (const n of [0, 1] as const) {
      const expected = await inNode(n === 0, [moments[0]!.step, middle.step, 300]);
      const found = [moments[0]!, middle, last].map(({ step, pictures }) => ({
        step,
        loss: losses.find((one) => one.step === step)?.losses[n],
        ...shown(pictures[n]),
      }));
      expect(found).toEqual(expected);
    }
  });
});

const shown = ({ testAccuracy, diagonalShare, line, sigma1, alignment, predicted, paths }: Picture) => ({
  ...{ testAccuracy, diagonalShare, line, sigma1, alignment, predicted, paths },
});

/** Seconds of this process until both networks have done a step. */
async function beginning(): Promise<number> {
  const task = await loadTask('mnist', { classes: 10, images: 6_400 });
  const before = process.cpuUsage();
  using gpu = await openGpu({ adapter: 'swiftshader' });
  using data = new DeviceTask(gpu, task);
  for (const skip of [true, false]) {
    using contestant = await contestantOf(gpu, data, skip);
    contestant.trainer.queue(1);
    await contestant.trainer.records(1);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** A network as `reproduce mnist-fc` trains it, with no code of the page. */
async function contestantOf(gpu: Gpu, { train, test }: DeviceTask, skip: boolean) {
  const network = new FcResNet({
    ...{ inputs: 784, depth: 6, width: 32, classes: 10, activation: 'relu', skip },
  });
  const options = {
    batch: 128,
    seed: 1,
    lr: 0.1,
    momentum: 0.9,
    weightDecay: skip ? 3e-2 : 3e-3,
    steps: 300,
  };
  const trainer = await Trainer.create(gpu, network, train, options);
  trainer.load(initialState(network, 1));
  const evaluator = await Evaluator.create(gpu, network, trainer.state.weights, test, 1_000);
  const dispose = () => {
    evaluator.dispose();
    trainer.dispose();
  };
  return { network, trainer, evaluator, [Symbol.dispose]: dispose };
}

/** What the page shows at some steps, from the whole of MNIST. */
async function inNode(skip: boolean, steps: readonly number[]) {
  using gpu = await openGpu({ adapter: 'swiftshader' });
  const task = await loadTask('mnist', { classes: 10, images: 6_400 });
  using data = new DeviceTask(gpu, task);
  using contestant = await contestantOf(gpu, data, skip);
  const { network, trainer, evaluator } = contestant;
  const samples = analysisSamples(task, 20, 1);
  const moments = [];
  for (const step of steps) {
    trainer.queue(step - trainer.step);
    const [record] = await trainer.records(1);
    const testAccuracy = await evaluator.accuracy();
    const state = await trainer.state.save();
    const measures = await measureNetwork(
      gpu,
      network,
      state,
      samples,
      analysisSettings(network, { seed: 1 }),
    );
    moments.push({
      ...{ step, loss: record!.loss, testAccuracy },
      diagonalShare: measures.summary.diagonalShare.mean,
      line: measures.summary.line.mean,
      sigma1: measures.summary.sigma1.map(({ mean }) => mean),
      alignment: measures.alignment,
      predicted: measures.samples.map(({ predicted }) => predicted),
      paths: measures.samples.map(({ commonTrajectory }) => commonTrajectory),
    });
  }
  return moments;
}
