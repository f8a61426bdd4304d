/** Trains for many steps in a process whose memory nothing else uses, and prints what it took as JSON. */
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';
import koffi from 'koffi';
import { openGpu } from '../../src/host/open.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { Evaluator } from '../../src/train/evaluate.ts';
import { initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { syntheticExamples, upload } from './support.ts';

const CHUNK = 50;
const [warmUp, steps] = process.argv.slice(2).map(Number) as [number, number];

v8.setFlagsFromString('--expose-gc');
const collectGarbage: () => void = vm.runInNewContext('gc');

const malloc_trim = koffi.load(null).func('int malloc_trim(size_t pad)');

/** The process's own memory, without pages of libraries and without what V8 and malloc hold in reserve. */
function memoryMiB(): number {
  collectGarbage();
  malloc_trim(0);
  // Not heapTotal: of V8's reserve only a part is in memory, and it gives some back on a busy machine.
  const { total_physical_size, used_heap_size } = v8.getHeapStatistics();
  const anonymous = 1024 * Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
  return (anonymous - total_physical_size + used_heap_size) / 2 ** 20;
}

const gpu = await openGpu();
const options = { inputs: 8, depth: 1, width: 8, classes: 2, activation: 'relu', skip: true } as const;
const network = new FcResNet(options);
using device = upload(gpu, syntheticExamples(64, 8, 2));
const training = { batch: 4, seed: 1, lr: 0.01, momentum: 0.9, weightDecay: 1e-2, steps };
using trainer = await Trainer.create(gpu, network, device, training);
using evaluator = await Evaluator.create(gpu, network, trainer.state.weights, device);
trainer.load(initialState(network, training.seed));

async function usage() {
  await gpu.idle();
  return { buffers: gpu.liveBuffers, memoryMiB: memoryMiB() };
}
let before = await usage();
let worstLoss = 0;
let losses = trainer.records(0);
while (trainer.step < steps) {
  // As in the runner, one chunk is queued ahead of the awaited one.
  trainer.queue(CHUNK);
  const next = trainer.records(CHUNK);
  for (const { loss } of await losses) worstLoss = Math.max(worstLoss, loss);
  losses = next;
  if (trainer.step % 1000 === 100) await evaluator.accuracy();
  if (trainer.step % 2000 === 100) await trainer.state.save();
  // At fixed steps, lest what waits for the collector fragments memory by how fast the machine is.
  if (trainer.step % 500 === 100) {
    await losses;
    const now = await usage();
    if (trainer.step === warmUp) before = now;
  }
}
await losses;
console.log(JSON.stringify({ before, after: await usage(), worstLoss }));
