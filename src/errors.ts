/**
 * A failure the user can act on: `message` says what went wrong and names the thing and its value,
 * `remedy` says what to do about it. The command line prints both and no stack trace.
 */
export class CollimateError extends Error {
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CollimateError';
    this.remedy = remedy;
  }
}
