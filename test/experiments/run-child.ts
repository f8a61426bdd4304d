/**
 * A process for tests of run folders. `race <folder> <rounds> <ms>` starts at a time from stdin, tries to
 * create `<folder>/0`, `1`, … at agreed times, prints which it got and keeps them until killed;
 * `write <folder>` writes a run until killed; `exit <folder>` creates one and leaves without releasing it.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunFolder } from '../../src/experiments/run-folder.ts';

const [mode, folder, ...numbers] = process.argv.slice(2) as [string, string, ...string[]];

if (mode === 'race') {
  const [rounds, step] = numbers.map(Number) as [number, number];
  console.log('"ready"');
  const start = Number((await once(process.stdin, 'data'))[0]);
  const won: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await sleep(start + round * step - Date.now());
    try {
      RunFolder.create(`${folder}/${round}`);
      won.push(round);
    } catch (error) {
      if (!/is writing|already holds|not empty/.test((error as Error).message)) throw error;
    }
  }
  console.log(JSON.stringify(won));
  await sleep(600_000); // holding what was won until killed, when the slowest is done
} else {
  const run = RunFolder.create(folder);
  if (mode === 'exit') process.exit();
  run.writeJson('config.json', {});
  for (let step = 0; ; step++) {
    run.write('checkpoint.safetensors', new Uint8Array(100_000).fill(step));
    const metrics = { lr: 0.1, loss: 1, trainAccuracy: 0.5, testAccuracy: null, seconds: step };
    run.appendMetrics({ epoch: step + 1, step: step + 1, ...metrics });
    run.sub('control').write('figures/a.svg', `${step}`);
    if (step === 20) console.log('written');
  }
}
