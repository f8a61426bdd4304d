/** Runs in a process of its own, started by {@link runChild}: what it does is named by its first argument. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CollimateError } from '../../src/errors.ts';
import { leave } from '../../src/experiments/interrupt.ts';
import { openGpu } from '../../src/host/open.ts';
import { slowKernel, submitSlow } from './slow.ts';

export interface ChildResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts this file; `onOutput` sees its output so far and may signal it. Killed after a minute. */
export function runChild(
  scene: string,
  env: Record<string, string> = {},
  onOutput: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<ChildResult> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url), scene], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => {
      stdout += data;
      onOutput(stdout, (signal) => child.kill(signal));
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}

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

if (process.argv[1] === fileURLToPath(import.meta.url)) await scenes[process.argv[2]!]!();
