/** A peer that answers at once; its argument says how it misbehaves. */
import { createInterface } from 'node:readline';

const [mode, name = 'fake'] = process.argv.slice(2);
const say = (message) => console.log(JSON.stringify(message));
if (mode === 'unavailable') {
  say({ unavailable: 'no adapter: install one' });
  process.exit(0);
}
if (mode === 'crashing') throw new Error('cannot start');
console.log('a library greets its user');
say({ ready: { name, version: '1.0', device: 'none' } });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, work, repeat } = JSON.parse(line);
  if (work.kind === 'analysis') say({ id, unsupported: 'it has no SVD' });
  else if (mode === 'failing') say({ id, error: 'out of memory' });
  else if (mode === 'dying') process.exit(3);
  else {
    say({ id: id - 1, milliseconds: [1e9], check: 0 }); // Stale: nobody asked for it.
    say({ id, milliseconds: new Array(repeat).fill(work.m), check: work.k });
  }
}
