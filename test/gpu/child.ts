import { spawn } from 'node:child_process';
import { start } from '../start.ts';

export interface ChildResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a scene of scenes.ts; `onOutput` sees its output so far, and may signal it. */
export async function runChild(
  scene: string,
  env: Record<string, string> = {},
  onOutput: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<ChildResult> {
  const started = await start('test/gpu/scenes.ts');
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...started, scene], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 3_600_000,
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
