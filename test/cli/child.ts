import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one of the commands in src/cli as its own process; `onOutput` sees what it has printed and may signal it. */
export function runCommand(
  command: 'reproduce' | 'sweep' | 'analyze' | 'data' | 'tune' | 'worker',
  args: readonly string[],
  onOutput: (stdout: string, child: ChildProcess) => void = () => {},
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const file = fileURLToPath(new URL(`../../src/cli/${command}.ts`, import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      timeout: 120_000,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => {
      stdout += data;
      onOutput(stdout, child);
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}
