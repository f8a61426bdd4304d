import { useState } from 'preact/hooks';
import { format } from '../src/number-format.ts';
import type { Training } from './client.ts';
import { commandOf } from './command.ts';
import { percent } from './pictures/series.ts';
import type { Command } from './protocol.ts';
import { type PageSettings, SPEED, SPEEDS } from './settings.ts';

interface Props {
  readonly training: Training;
  readonly settings: PageSettings;
  readonly paused: boolean;
  /** Why training waits although it is not paused. */
  readonly waits: string | undefined;
  readonly setPaused: (paused: boolean) => void;
  readonly restart: () => void;
  readonly send: (command: Command) => void;
}

/** Pause, step, restart, share; how fast, how far. */
export function Transport({ training, settings, paused, waits, setPaused, restart, send }: Props) {
  const [speed, setSpeed] = useState(SPEEDS.indexOf(SPEED));
  const [copied, setCopied] = useState<string>();
  const { step, steps, phase } = training;
  const copy = async (what: string, text: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(`${what} copied`);
    } catch {
      setCopied(text);
    }
    setTimeout(() => setCopied(undefined), 4000);
  };
  return (
    <div class="transport">
      <div class="buttons">
        <button
          type="button"
          class="primary"
          disabled={phase === 'finished'}
          onClick={() => setPaused(!paused)}
        >
          {paused ? 'Resume' : 'Pause'}
        </button>
        <button
          type="button"
          disabled={phase !== 'training'}
          onClick={() => {
            setPaused(true);
            send({ type: 'step' });
          }}
        >
          Step
        </button>
        <button type="button" onClick={restart}>
          Restart
        </button>
        <button type="button" onClick={() => copy('Link', location.href)}>
          Copy link
        </button>
        <button
          type="button"
          title="The same training in a terminal"
          onClick={() => copy('Command', commandOf(settings, training.images))}
        >
          Copy command
        </button>
        <label class="speed">
          Speed
          <input
            type="range"
            {...{ min: 0, max: SPEEDS.length - 1, value: speed }}
            aria-valuetext={speedText(speed)}
            onInput={({ currentTarget }) => {
              const chosen = Number(currentTarget.value);
              setSpeed(chosen);
              send({ type: 'speed', stepsPerSecond: SPEEDS[chosen]! });
            }}
          />
          <output>{speedText(speed)}</output>
        </label>
      </div>
      <progress max={steps} value={step} aria-label="Steps done" />
      <p class="status" role="status">
        {copied ?? statusOf(training, paused, waits)}
      </p>
    </div>
  );
}

const speedText = (speed: number): string =>
  Number.isFinite(SPEEDS[speed]) ? `${SPEEDS[speed]} steps/s` : 'full';

function statusOf(
  { phase, step, steps, stepsPerSecond, losses, pictures }: Training,
  paused: boolean,
  waits: string | undefined,
): string {
  if (phase === 'opening') return 'Opening the GPU …';
  if (phase === 'compiling') return 'Compiling kernels …';
  if (phase === 'failed') return `Stopped at step ${step}`;
  const parts = [
    `step ${step} of ${steps}`,
    phase === 'finished'
      ? 'finished'
      : paused
        ? 'paused'
        : waits
          ? `paused ${waits}`
          : step > 0 && `${format(stepsPerSecond, 0)} steps/s`,
    losses && step > 0 && `loss ${format(losses[0], 2)} and ${format(losses[1], 2)}`,
    pictures && `test accuracy ${percent(pictures[0].testAccuracy)} and ${percent(pictures[1].testAccuracy)}`,
  ];
  return parts.filter(Boolean).join(' · ');
}
