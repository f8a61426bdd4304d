import { drawsBars, progressBar } from './bar.ts';
import { clock } from './clock.ts';
import type { Ending } from './pool.ts';

/** Shows a suite's progress: on a terminal a bar below finished lines, elsewhere lines, or JSON lines. */
export function suiteDisplay(json: boolean) {
  const start = performance.now();
  const runs = new Map<string, { readonly cost: number; share: number }>();
  const format = '{bar} {percentage}% · {runs} · {left} left';
  const bar = json || !drawsBars() ? undefined : progressBar({ format, barsize: 30, fps: 4 });
  let ended = 0;

  function show(): string {
    const all = [...runs.values()];
    const sum = (of: (run: (typeof all)[number]) => number) => all.reduce((total, run) => total + of(run), 0);
    const share = all.length > 0 ? sum(({ cost, share }) => cost * share) / sum(({ cost }) => cost) : 1;
    const seconds = (performance.now() - start) / 1000;
    const left = share > 0 ? clock((seconds * (1 - share)) / share) : '…';
    bar?.update(share, { runs: `${ended} of ${runs.size} runs`, left });
    return left;
  }

  return {
    /** What there is to do, each run's cost in any unit, and how many runs are done already. */
    begin(orders: readonly { id: string; cost: number }[], facts: { there: number; workers: number }) {
      for (const { id, cost } of orders) runs.set(id, { cost, share: 0 });
      const { there, workers } = facts;
      const words = `Making ${count(orders.length, 'run')} in ${count(workers, 'process', 'es')}`;
      if (json) console.log(JSON.stringify({ event: 'begin', runs: orders.length, ...facts }));
      else console.log(`${words}${there > 0 ? `; ${there} are there` : ''}`);
      bar?.start(1, 0, { runs: '', left: '…' });
    },
    progress(id: string, share: number) {
      runs.get(id)!.share = 0.9 * share; // The rest is for the analysis and the page.
      show();
    },
    end(id: string, ending: Ending) {
      ended++;
      const run = runs.get(id);
      if (run) run.share = 1;
      const reason = typeof ending === 'object' ? ending.reason : undefined;
      if (json)
        return console.log(JSON.stringify({ event: 'run', id, status: reason ? 'failed' : ending, reason }));
      const how = reason
        ? `failed: ${reason}`
        : ending === 'done'
          ? 'done'
          : 'is being made by another process';
      const line = `[${ended}/${Math.max(runs.size, ended)}] ${id}: ${how}`;
      if (bar) process.stderr.write(`\x1b[2K\r${line}\n`);
      const left = show();
      if (!bar) console.log(`${line}${ended >= runs.size ? '' : `, ${left} left`}`);
    },
    close() {
      bar?.stop();
    },
  };
}

const count = (n: number, noun: string, ending = 's'): string => `${n} ${noun}${n === 1 ? '' : ending}`;
