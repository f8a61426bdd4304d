import { remedyOf } from '../atomic-write.ts';
import { CollimateError } from '../errors.ts';
import { Interrupted, READER_GONE, requestStop } from '../experiments/interrupt.ts';

/** How this process was started, for {@link command} and for child processes. */
process.env.COLLIMATE_PROGRAM ??= import.meta.url.endsWith('.ts')
  ? 'npm run'
  : process.env.npm_command === 'exec'
    ? 'npx collimate'
    : 'collimate';

/** The part of `--help` about exit statuses. */
export const exitStatuses = (done: string, work = 'the work'): string =>
  `\nThe exit status is 0 ${done}, 1 after an error such as a full disk, and 128 plus the signal number if ${work} is
stopped: 130 by Ctrl-C, 143 by SIGTERM, 129 when the terminal closes, 141 when the reader of the output has gone.`;

/**
 * Runs a command, whose result is the exit status. An error is printed with its remedy, and with a stack
 * trace only on `--debug` or COLLIMATE_DEBUG; a stopped command ends with the status that shells expect.
 */
export async function main(work: () => Promise<number>): Promise<void> {
  stopWhereOutputEnds();
  if (process.argv.includes('--debug')) process.env.COLLIMATE_DEBUG ||= '1';
  try {
    refuseEmpty(process.argv.slice(2));
    process.exitCode = await work();
  } catch (error) {
    process.exitCode = reportError(error);
  }
}

/** Refuses an empty argument, which an unset shell variable leaves, before it counts as no option at all. */
function refuseEmpty(words: readonly string[]): void {
  const at = words.findIndex((word) => word === '' || /^--[\w-]+=$/.test(word));
  if (at < 0) return;
  const option = words[at] || words[at - 1] || '';
  throw new CollimateError(
    option.startsWith('--') ? `${option.replace('=', '')} has an empty value` : 'an argument is empty',
    'Give it a value, or leave it out.',
  );
}

/** Stops the work once output cannot be written: its reader has gone (`… | head`), or the disk is full. */
export function stopWhereOutputEnds(): void {
  for (const name of ['stdout', 'stderr'] as const) {
    let failed = false;
    process[name].on('error', (cause: NodeJS.ErrnoException) => {
      if (failed) return; // Each write fails from now on.
      failed = true;
      if (cause.code === 'EPIPE') return requestStop(READER_GONE);
      const remedy = 'Make room, or send the output elsewhere; continue a run with `--resume`.';
      reportError(new CollimateError(`cannot write to ${name}: ${cause.message}`, remedy, { cause }));
      requestStop(1);
    });
  }
}

export function reportError(thrown: unknown): number {
  const error = ofSystem(rootOf(thrown));
  if (process.env.COLLIMATE_DEBUG) console.error(error);
  else if (error instanceof CollimateError) {
    const name = error instanceof Interrupted ? '' : 'error: ';
    console.error(`${name}${error.message}`);
    if (error.remedy) console.error(error.remedy);
  } else {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    console.error(
      'This is a bug in Collimate. Please report it with the output of the same command with --debug added.',
    );
  }
  return error instanceof Interrupted ? error.status : 1;
}

/** A system error, such as too many open files, is no bug of ours, wherever it occurs. */
function ofSystem(error: unknown): unknown {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return error;
  return new CollimateError(error.message, remedyOf(error.code) ?? 'Check it, and try again.', {
    cause: error,
  });
}

/** The first failure, even if disposing failed after it. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && 'suppressed' in error && error.suppressed
    ? rootOf(error.suppressed)
    : error;
}
