import { Presets, SingleBar } from 'cli-progress';
import { clock } from './clock.ts';
import { drawsBars } from './main.ts';
import type { Ending } from './pool.ts';

/** Shows how the runs of a suite go. */
export interface SuiteDisplay {
  /** What is to be done, what each run costs in units of its own, and how many runs are there already. */
  begin(runs: readonly { id: string; cost: number }[], facts: { there: number; workers: number }): void;
  progress(id: string, share: number): void;
  end(id: string, ending: Ending): void;
  close(): void;
}

/** A bar on a terminal under lines for what is done; lines alone elsewhere; lines of JSON for programs. */
export function suiteDisplay(json: boolean): SuiteDisplay {
  const start = performance.now();
  const costs = new Map<string, number>();
  const shares = new Map<string, number>();
  const bar =
    !json && drawsBars()
      ? new SingleBar(
          { format: '{bar} {percentage}% · {runs} · {left} left', barsize: 30, fps: 4 },
          Presets.shades_classic,
        )
      : undefined;
  let ended = 0;
  const say = (line: string) => (bar ? process.stderr.write(`\x1b[2K\r${line}\n`) : console.log(line));

  function spent(): { share: number; left: string } {
    const all = [...costs.values()].reduce((a, b) => a + b, 0);
    const done = [...shares].reduce((sum, [id, share]) => sum + share * (costs.get(id) ?? 0), 0);
    const share = all > 0 ? done / all : 1;
    const seconds = (performance.now() - start) / 1000;
    return { share, left: share > 0 ? clock((seconds * (1 - share)) / share) : '…' };
  }
  const show = () => {
    const { share, left } = spent();
    bar?.update(share, { runs: `${ended} of ${costs.size} runs`, left });
  };

  return {
    begin(runs, { there, workers }) {
      for (const { id, cost } of runs) costs.set(id, cost);
      if (json) console.log(JSON.stringify({ event: 'begin', runs: runs.length, there, workers }));
      else {
        const processes = `${workers} ${workers === 1 ? 'process' : 'processes'}`;
        console.log(
          `Making ${runs.length} ${runs.length === 1 ? 'run' : 'runs'} in ${processes}${there > 0 ? `; ${there} are there` : ''}`,
        );
      }
      bar?.start(1, 0, { runs: '', left: '…' });
    },
    progress(id, share) {
      // What follows training, the analysis and the page, takes its time too.
      shares.set(id, 0.9 * share);
      show();
    },
    end(id, ending) {
      ended++;
      shares.set(id, 1);
      const reason = typeof ending === 'object' ? ending.reason : undefined;
      if (json) {
        console.log(JSON.stringify({ event: 'run', id, status: reason ? 'failed' : ending, reason }));
        return;
      }
      const how = reason
        ? `failed: ${reason}`
        : ending === 'done'
          ? 'done'
          : 'is being made by another process';
      const { left } = spent();
      say(
        `[${ended}/${Math.max(costs.size, ended)}] ${id}: ${how}${bar || ended >= costs.size ? '' : `, ${left} left`}`,
      );
      show();
    },
    close() {
      bar?.stop();
    },
  };
}
