/** Whether a line on stderr is what Dawn writes whenever it opens a device, and says nothing. */
export const isChatter = (line: string): boolean => /^Warning: .* artificially reduced /.test(line);
