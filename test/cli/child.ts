import { type ChildProcess, spawn } from 'node:child_process';
import { start } from '../start.ts';

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Command = 'reproduce' | 'list' | 'sweep' | 'analyze' | 'data' | 'doctor' | 'tune';
type Env = Readonly<Record<string, string>>;
type OnOutput = (stdout: string, child: ChildProcess) => void;

/** The words behind `node` that start a command. */
export const program = async (command: Command): Promise<string[]> => [
  ...(await start('src/cli/collimate.ts')),
  command,
];

/** Runs a command of src/cli in its own process; `onOutput` sees its output so far and may signal it. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  onOutput?: OnOutput,
  env?: Env,
): Promise<Ended> {
  return run([process.execPath, ...(await program(command)), ...args], onOutput, env);
}

/** Runs a command as typed, through npm and from the sources. */
export const runScript = (
  command: Exclude<Command, 'list'>,
  args: readonly string[],
  env?: Env,
): Promise<Ended> => run(['npm', 'run', '--silent', command, '--', ...args], () => {}, env);

/** Runs a program for up to an hour: the limit is for what hangs. */
export function run(
  [program, ...args]: readonly string[],
  onOutput: OnOutput = () => {},
  env: Env = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      timeout: 3_600_000,
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
