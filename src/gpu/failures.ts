import { command } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { inNode } from './wait.ts';

/** The driver crashed, or the device was unplugged, or hung and was reset. Its contents are lost. */
export class DeviceLostError extends CollimateError {
  constructor(reason: string) {
    super(
      `the GPU device was lost: ${reason || 'no reason given'}`,
      inNode
        ? 'Start again; a training run goes on from its last checkpoint with --resume.'
        : 'Start again, perhaps with a smaller network.',
    );
    this.name = 'DeviceLostError';
  }
}

const SMALLER =
  'Make the batch, the number of samples or the network smaller, or choose an adapter with more memory.';

export function outOfMemory(what: string, bytes: number, limit: string): CollimateError {
  return new CollimateError(`cannot allocate ${what} of ${formatBytes(bytes)}: ${limit}`, SMALLER);
}

const reported = (): string =>
  inNode
    ? `Report it with the output of \`${command('doctor')}\`.`
    : 'Report it with the version of the browser and what chrome://gpu or about:support says of the GPU.';

/** An error that no error scope caught: a bug in the program, or in the driver. */
export function uncaptured(error: GPUError): CollimateError {
  const kind = error.constructor.name;
  if (kind === 'GPUOutOfMemoryError') {
    return new CollimateError(`the GPU is out of memory: ${error.message}`, SMALLER);
  }
  return new CollimateError(
    `the GPU refused an operation (${kind}): ${error.message.trim()}`,
    `This is a bug in Collimate or in the GPU driver. ${reported()}`,
  );
}

/** A shader that does not compile: the compiler's errors, each with the lines of WGSL around it. */
export function shaderError(
  name: string,
  wgsl: string,
  messages: readonly GPUCompilationMessage[],
  fallback: string,
): CollimateError {
  const errors = messages.filter((message) => message.type === 'error');
  const text = errors.map((e) => `${name}:${e.lineNum}:${e.linePos}: ${e.message}\n${excerpt(wgsl, e)}`);
  return new CollimateError(
    `the kernel ${name} does not compile\n${text.length ? text.join('\n') : fallback.trim()}`,
    `This is a bug in Collimate or in the shader compiler. ${reported()}`,
  );
}

function excerpt(wgsl: string, { lineNum, linePos, length }: GPUCompilationMessage): string {
  if (lineNum === 0) return '';
  const lines = wgsl.split('\n');
  const first = Math.max(lineNum - 3, 0);
  const shown = lines
    .slice(first, lineNum + 2)
    .map((line, i) => `${String(first + i + 1).padStart(5)} | ${line}`);
  const marker = `${' '.repeat(5)} | ${' '.repeat(Math.max(linePos - 1, 0))}${'^'.repeat(Math.max(length, 1))}`;
  shown.splice(lineNum - first, 0, marker);
  return shown.join('\n');
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), 5);
  return `${Number((bytes / 1024 ** power).toPrecision(4))} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][power]}`;
}
