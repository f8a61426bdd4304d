import type { MultiBar, SingleBar } from 'cli-progress';
import type { EpochMetrics } from '../analysis/results.ts';
import { labels, type NetworkName } from '../experiments/reproduce.ts';
import type { TrainingProgress } from '../experiments/train-run.ts';
import { percent } from '../number-format.ts';
import { drawsBars, progressBars } from './bar.ts';
import { clock, every } from './clock.ts';

/** Shows a run's progress: a bar on a terminal, plain lines elsewhere, JSON lines for programs. */
export interface Display {
  /** A fact, such as which adapter is used. */
  fact(name: string, value: unknown): void;
  phase(phase: 'train' | 'analyze', network: NetworkName): void;
  progress(progress: TrainingProgress, network: NetworkName): void;
  epoch?(metrics: EpochMetrics, network: NetworkName): void;
  /** Leaves the terminal as it was. */
  close?(): void;
}

const LINE_MS = 5_000;

/** The display for the current output. */
export function chooseDisplay(json: boolean): Display {
  if (json) return jsonLines();
  return drawsBars() ? bar() : plainLines();
}

function jsonLines(): Display {
  const isDue = { run: every(1000), control: every(1000) };
  const print = (event: string, fields: object) => console.log(JSON.stringify({ event, ...fields }));
  return {
    fact: (name, value) => print('fact', { name, value }),
    phase: (stage, network) => print('stage', { stage, network }),
    progress(progress, network) {
      const ends = progress.step === progress.steps;
      if (isDue[network](ends)) print('progress', { network, ...progress });
    },
    epoch: (metrics, network) => print('epoch', { network, ...metrics }),
  };
}

const factLine = (name: string, value: unknown) => console.log(`${`${name}:`.padEnd(10)} ${value}`);

const analysisLine = (network: NetworkName) => `${labels[network]}: measuring its Residual Jacobians`;

function plainLines(): Display {
  const isDue = { run: every(LINE_MS), control: every(LINE_MS) };
  return {
    fact: factLine,
    phase(phase, network) {
      if (phase === 'analyze') console.log(analysisLine(network));
    },
    progress(progress, network) {
      const { step, steps } = progress;
      if (!isDue[network](step === steps)) return;
      console.log(`${labels[network]}: step ${step}/${steps}, ${Object.values(words(progress)).join(', ')}`);
    },
  };
}

function bar(): Display {
  const columns = process.stderr.columns || 80;
  const format = '{label} {bar} {percentage}% · {epoch} · {loss} · {train} · {test} · {rate} · {left}';
  let all: MultiBar | undefined;
  const bars = new Map<NetworkName, SingleBar>();
  return {
    fact: factLine,
    phase(phase, network) {
      if (phase === 'analyze') return all?.log(`${analysisLine(network)}\n`);
      all ??= progressBars({ format, barsize: Math.max(5, Math.min(30, columns - 110)), fps: 8 });
      const dots = { epoch: '…', loss: '…', train: '…', test: '…', rate: '…', left: 'starting' };
      bars.set(network, all.create(1, 0, { label: labels[network].padEnd(16), ...dots }));
    },
    progress(progress, network) {
      bars.get(network)?.setTotal(progress.steps);
      bars.get(network)?.update(progress.step, words(progress));
    },
    close() {
      all?.stop();
      all = undefined;
    },
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
