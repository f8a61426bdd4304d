import { CollimateError } from '../errors.ts';
import { Interrupted } from '../experiments/interrupt.ts';

/**
 * Runs a command: its result is the exit status. An error is printed with its remedy, and with a stack trace only on
 * `--debug` or COLLIMATE_DEBUG; Ctrl-C ends with the status 130 that shells expect.
 */
export async function main(command: () => Promise<number>): Promise<void> {
  // A reader that has gone, as in `… | head`, is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  if (process.argv.includes('--debug')) process.env.COLLIMATE_DEBUG ||= '1';
  try {
    process.exitCode = await command();
  } catch (error) {
    process.exitCode = reportError(error);
  }
}

/** Prints an error, and returns the exit status that it asks for. */
export function reportError(thrown: unknown): number {
  const error = rootOf(thrown);
  if (process.env.COLLIMATE_DEBUG) console.error(error);
  else if (error instanceof CollimateError) {
    const name = error instanceof Interrupted ? '' : 'error: ';
    console.error(`${name}${error.message}`);
    if (error.remedy) console.error(error.remedy.replace(/^./, (c) => c.toUpperCase()));
  } else {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    console.error(
      'This is a bug in Collimate. Please report it, with what the command prints with --debug added.',
    );
  }
  return error instanceof Interrupted ? 130 : 1;
}

/** What went wrong first, where disposing of things then failed too. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && 'suppressed' in error && error.suppressed
    ? rootOf(error.suppressed)
    : error;
}

/** A word as it is typed in a shell. */
export const quote = (word: string): string =>
  /^[\w./=+:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** A command as it is typed in a shell. */
export const commandLine = (script: string, args: readonly string[]): string =>
  `npm run ${script} -- ${args.map(quote).join(' ')}`;
