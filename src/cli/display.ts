import type { SingleBar } from 'cli-progress';
import type { EpochMetrics } from '../analysis/results.ts';
import { labels, type NetworkName } from '../experiments/reproduce.ts';
import type { TrainingProgress } from '../experiments/train-run.ts';
import { percent } from '../report/numbers.ts';
import { drawsBars, progressBar } from './bar.ts';
import { clock } from './clock.ts';

/** Shows how a run goes: a bar on a terminal, plain lines elsewhere, lines of JSON for programs. */
export interface Display {
  /** A fact, such as which adapter is used. */
  fact(name: string, value: unknown): void;
  stage(stage: 'train' | 'analyze', network: NetworkName): void;
  progress(progress: TrainingProgress): void;
  epoch(metrics: EpochMetrics): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

const LINE_MS = 5_000;

/** The display that suits where the output goes. */
export function chooseDisplay(json: boolean): Display {
  if (json) return jsonLines();
  return drawsBars() ? bar() : plainLines();
}

function jsonLines(): Display {
  let network: NetworkName = 'run';
  let last = Number.NEGATIVE_INFINITY;
  const print = (event: string, fields: object) => console.log(JSON.stringify({ event, ...fields }));
  return {
    fact: (name, value) => print('fact', { name, value }),
    stage(stage, which) {
      network = which;
      last = Number.NEGATIVE_INFINITY;
      print('stage', { stage, network });
    },
    progress(progress) {
      if (progress.step < progress.steps && performance.now() - last < 1000) return;
      last = performance.now();
      print('progress', { network, ...progress });
    },
    epoch: (metrics) => print('epoch', { network, ...metrics }),
    close() {},
  };
}

const factLine = (name: string, value: unknown) => console.log(`${`${name}:`.padEnd(10)} ${value}`);

function stageLine(stage: 'train' | 'analyze', network: NetworkName): void {
  if (stage === 'analyze') console.log(`${labels[network]}: measuring its Residual Jacobians`);
}

function plainLines(): Display {
  let label = '';
  let last = Number.NEGATIVE_INFINITY;
  return {
    fact: factLine,
    stage(stage, network) {
      label = labels[network];
      last = Number.NEGATIVE_INFINITY;
      stageLine(stage, network);
    },
    progress(progress) {
      const ends = progress.step === progress.steps;
      if (!ends && performance.now() - last < LINE_MS) return;
      last = performance.now();
      console.log(
        `${label}: step ${progress.step}/${progress.steps}, ${Object.values(words(progress)).join(', ')}`,
      );
    },
    epoch() {},
    close() {},
  };
}

function bar(): Display {
  const columns = process.stderr.columns || 80;
  const format = '{label} {bar} {percentage}% · {epoch} · {loss} · {train} · {test} · {rate} · {left}';
  let current: SingleBar | undefined;
  const close = () => {
    current?.stop();
    current = undefined;
  };
  return {
    fact: factLine,
    stage(stage, network) {
      close();
      stageLine(stage, network);
      if (stage !== 'train') return;
      const barsize = Math.max(5, Math.min(30, columns - 110));
      current = progressBar({ format, barsize, fps: 8 });
      const dots = { epoch: '…', loss: '…', train: '…', test: '…', rate: '…', left: 'starting' };
      current.start(1, 0, { label: labels[network].padEnd(16), ...dots });
    },
    progress(progress) {
      current?.setTotal(progress.steps);
      current?.update(progress.step, words(progress));
    },
    epoch() {},
    close,
  };
}

function words(progress: TrainingProgress): Record<string, string> {
  const { epoch, epochs, loss, accuracy, testAccuracy, imagesPerSecond, secondsLeft } = progress;
  return {
    epoch: `epoch ${epoch}/${epochs}`,
    loss: `loss ${loss.toFixed(3)}`,
    train: `train ${percent(accuracy)}`,
    test: `test ${testAccuracy === undefined ? '…' : percent(testAccuracy)}`,
    rate: `${Math.round(imagesPerSecond).toLocaleString('en')} images/s`,
    left: `${clock(secondsLeft)} left`,
  };
}
