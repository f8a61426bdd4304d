/**
 * A failure the user can act on: `message` says what went wrong and names the thing and its value,
 * `remedy` says what to do about it. The command line prints both and no stack trace.
 * @example new CollimateError('lr is -1', 'Give a positive number.').remedy // 'Give a positive number.'
 */
export class CollimateError extends Error {
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CollimateError';
    this.remedy = remedy;
  }
}

/** The error for a file that cannot be read. */
export const unreadable = (path: string, cause: unknown, remedy: string): CollimateError =>
  new CollimateError(`cannot read ${path}: ${(cause as Error).message}`, remedy, { cause });

/** What `read` returns for the file at a path. @throws CollimateError as {@link unreadable} */
export function reading<T>(path: string, remedy: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw unreadable(path, cause, remedy);
  }
}

/** Throws unless a number is an integer from `minimum` to `maximum`. */
export function checkWhole(
  name: string,
  value: number,
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return;
  const range = maximum === Number.MAX_SAFE_INTEGER ? `at least ${minimum}` : `from ${minimum} to ${maximum}`;
  throw new CollimateError(`${name} is ${value}`, `It must be a whole number, ${range}.`);
}

/** Throws unless a number is finite, and at least `minimum`, and below `below`. */
export function checkReal(
  name: string,
  value: number,
  minimum: number,
  below = Number.POSITIVE_INFINITY,
): void {
  if (Number.isFinite(value) && value >= minimum && value < below) return;
  const range = below === Number.POSITIVE_INFINITY ? '' : ` and below ${below}`;
  throw new CollimateError(`${name} is ${value}`, `It must be a number, at least ${minimum}${range}.`);
}
