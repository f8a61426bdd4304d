import { catalog } from '../experiments/catalog.ts';
import { measureRates, type Rates, sizeOf } from '../experiments/estimate.ts';
import { defaultSeeds, type PlannedRun, planSweep } from '../experiments/sweep.ts';
import { sweeps } from '../experiments/sweeps/catalog.ts';
import { openGpu } from '../host/open.ts';
import type { Settings } from '../settings/table.ts';

/** Prints all experiments and presets, with their sizes and how long their training may take on the adapter at hand. */
export async function list({ adapter, json }: { adapter?: string; json?: boolean }): Promise<number> {
  using gpu = await openGpu({ adapter });
  if (!json) console.error(`Estimating times on ${gpu.info.name} …`);
  const rates = await measureRates(gpu);
  for (const experiment of Object.values(catalog)) {
    const { name, summary, dataset, model, defaultPreset, presets } = experiment;
    if (!json) console.log(`${name}: ${summary}`);
    for (const [preset, { summary, settings }] of Object.entries(presets)) {
      const { image, parameters, flops } = sizeOf(experiment, settings);
      const seconds = flops / rates[model];
      if (json) {
        const size = { image, parameters, estimatedTrainingSeconds: Number(seconds.toPrecision(2)) };
        console.log(JSON.stringify({ experiment: name, dataset, model, preset, ...size, settings }));
        continue;
      }
      console.log(`  --preset ${preset}${preset === defaultPreset ? ' (default)' : ''}: ${summary}`);
      const images = `${settings.images.toLocaleString('en')} images of ${dataset}, ${image.join('×')}`;
      const count = `${parameters.toLocaleString('en')} parameters`;
      console.log(`      ${images}; ${count}; about ${duration(seconds)} of training here`);
      console.log(`      ${settingsLine(settings)}`);
    }
  }
  if (!json) console.log('\nSweeps, by `--preset quick` (`all` makes all of them, and shares their runs):');
  const plans = Object.values(sweeps).map((sweep) => ({
    ...sweep,
    planned: planSweep(sweep, { level: 'quick', seeds: defaultSeeds('quick'), changes: {} }),
  }));
  for (const { name, summary, planned } of plans) {
    const seconds = planned.reduce((sum, run) => sum + trainingSeconds(run, rates), 0);
    if (json) {
      const size = { runs: planned.length, estimatedTrainingSeconds: Number(seconds.toPrecision(2)) };
      console.log(JSON.stringify({ sweep: name, ...size }));
    } else
      console.log(
        `  ${name}: ${summary}; ${planned.length} runs, about ${duration(seconds)} of training here`,
      );
  }
  if (!json) console.log(`\n${explain(gpu.info.name, rates)}`);
  return 0;
}

const trainingSeconds = ({ experiment, settings }: PlannedRun, rates: Rates): number =>
  sizeOf(experiment, settings).flops / rates[experiment.model];

function settingsLine(settings: Settings): string {
  const { epochs, classes, lr, batch, momentum, weightDecay, controlWeightDecay } = settings;
  const sizes = (['depth', 'width', 'channels', 'stride'] as const).flatMap((name) =>
    settings[name] === undefined ? [] : [`${name} ${settings[name]}`],
  );
  return [
    `${epochs} epochs`,
    `${classes} classes`,
    ...sizes,
    `lr ${lr}`,
    `batch ${batch}`,
    `momentum ${momentum}`,
    `weight decay ${weightDecay} (control ${controlWeightDecay})`,
  ].join(', ');
}

const explain = (adapter: string, { fc, conv }: Rates): string =>
  `Times are estimates: of training the network and its control at the rate of a short measurement on ${adapter} ` +
  `(fully connected ${gigaflops(fc)}, convolutional ${gigaflops(conv)} Gflop/s). The analysis comes on top.`;

const gigaflops = (rate: number): string => `${Number((rate / 1e9).toPrecision(2))}`;

/** A time to one or two digits. */
function duration(seconds: number): string {
  for (const [unit, size] of [
    ['days', 86_400],
    ['hours', 3600],
    ['minutes', 60],
  ] as const) {
    if (seconds >= 2 * size) return `${Number((seconds / size).toPrecision(2))} ${unit}`;
  }
  return `${Math.max(1, Math.round(seconds))} seconds`;
}
