/** How a command is started: `npm run data --` in the repository, `npx collimate data` elsewhere. */
export function invocation(name: string): string {
  // src/cli/main.ts says how this process was started.
  const start = globalThis.process?.env?.COLLIMATE_PROGRAM ?? 'npx collimate';
  return start === 'npm run' ? `npm run ${name} --` : `${start} ${name}`;
}

/** A command as users type it here, such as `npm run data -- list` or `npx collimate doctor`. */
export const command = (name: string, words = ''): string =>
  words ? `${invocation(name)} ${words}` : invocation(name).replace(/ --$/, '');

/** A word as typed in a shell. */
export const quote = (word: string): string =>
  /^[\w./=+:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** A command with words quoted for the shell where needed. */
export const commandLine = (name: string, words: readonly string[]): string =>
  command(name, words.map(quote).join(' '));
