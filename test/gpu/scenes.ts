/** A process started by `runChild`; its argument names the scene. */
import { compile, matmul, mean, softmax, square, type Tensor, valueAndGrad } from 'collimate';
import { CollimateError } from '../../src/errors.ts';
import { leave } from '../../src/experiments/interrupt.ts';
import { openGpu } from '../../src/host/open.ts';
import { slowKernel, submitSlow } from './slow.ts';

const scenes: Record<string, () => Promise<void>> = {
  async info() {
    try {
      using gpu = await openGpu();
      console.log(JSON.stringify(gpu.info));
    } catch (error) {
      if (!(error instanceof CollimateError)) throw error;
      console.log(JSON.stringify({ message: error.message, remedy: error.remedy }));
    }
  },
  async success() {
    const gpu = await openGpu();
    await gpu.pipeline(slowKernel);
    await submitSlow(gpu, 1);
    await gpu.idle();
    // Not disposed of on purpose: forgetting that must not keep the process alive.
  },
  async error() {
    const gpu = await openGpu();
    await submitSlow(gpu, 2);
    throw new CollimateError('meant to fail');
  },
  async status() {
    using gpu = await openGpu();
    await submitSlow(gpu, 2);
    void gpu.idle().catch(() => {});
    process.exit(3);
  },
  async compiling() {
    const gpu = await openGpu();
    for (let i = 0; i < 20; i++)
      void gpu
        .pipeline({ name: 'slow', wgsl: `${slowKernel.wgsl}\nconst unique = ${i};` })
        .then(() => console.log('went on'));
    await leave(3);
  },
  /** Prints the CPU seconds of compilation and of the first run. */
  async first() {
    using gpu = await openGpu();
    const seconds = async <T>(body: Promise<T>): Promise<[number, T]> => {
      const before = process.cpuUsage();
      const value = await body;
      const { user, system } = process.cpuUsage(before);
      return [(user + system) / 1e6, value];
    };
    const loss = (w: Tensor, x: Tensor) => mean(square(softmax(matmul(x, w))));
    const specs = [[32, 16], [64, 32]] as const; // biome-ignore format: pairs
    const [compiling, program] = await seconds(compile(gpu, valueAndGrad(loss), specs));
    const [running] = await seconds(program.run(new Float32Array(512), new Float32Array(2048)));
    console.log(JSON.stringify({ compiling, running }));
  },
  async wait() {
    const gpu = await openGpu();
    console.log('waiting');
    for (;;) {
      await submitSlow(gpu, 1);
      await gpu.idle();
    }
  },
  async 'wait with a handler'() {
    process.on('SIGINT', () => process.exit(130));
    await scenes.wait!();
  },
};

await scenes[process.argv[2]!]!();
