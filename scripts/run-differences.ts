import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isLock } from '../src/experiments/lock.ts';

/** All files of a run except its locks, as sorted relative paths. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => !isLock(basename(path)) && statSync(join(folder, path)).isFile())
    .sort();
}

/** What must not depend on interruptions: all of a run but its times and its folder's name. */
export function lasting(folder: string, file: string): string {
  const bytes = readFileSync(join(folder, file));
  const without = (text: string, ...fields: string[]) =>
    JSON.stringify(JSON.parse(text, (name, value) => (fields.includes(name) ? undefined : value)));
  if (/(^|\/)metrics\.jsonl$/.test(file))
    return `${bytes}`.replace(/^.*$/gm, (line) => line && without(line, 'seconds'));
  if (/(^|\/)config\.json$/.test(file)) return without(`${bytes}`, 'command', 'started');
  if (file.endsWith('.csv')) {
    const rows = `${bytes}`.split('\n').map((row) => row.split(','));
    const seconds = rows[0]!.indexOf('seconds');
    return rows.map((row) => row.filter((_, column) => column !== seconds)).join('\n');
  }
  if (/(^|\/)report\.\w+$/.test(file)) return ''; // made of the other files, and says when
  return bytes.toString('latin1');
}

/** The files in which two runs differ, or that only one has. */
export function differences(one: string, other: string): string[] {
  const [ours, theirs] = [filesOf(one), filesOf(other)];
  return [...new Set([...ours, ...theirs])].filter(
    (file) => !ours.includes(file) || !theirs.includes(file) || lasting(one, file) !== lasting(other, file),
  );
}
