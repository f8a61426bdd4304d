import type { SingleBar } from 'cli-progress';
import type { FetchProgress } from '../data/fetch.ts';
import { formatBytes } from '../gpu/failures.ts';
import { drawsBars, progressBar } from './bar.ts';
import { every } from './clock.ts';

const LINE_MS = 5_000;

/** Shows how files come in: a bar on a terminal, a line now and then elsewhere. */
export function fetchBar(): { onProgress(progress: FetchProgress): void; close(): void } {
  return drawsBars() ? bar() : lines();
}

function lines() {
  const isDue = every(LINE_MS, performance.now());
  return {
    onProgress({ file, received, total }: FetchProgress) {
      if (isDue(received >= total))
        console.error(`${file}: ${formatBytes(received)} of ${formatBytes(total)}`);
    },
    close() {},
  };
}

function bar() {
  let current: { file: string; bar: SingleBar } | undefined;
  const close = () => {
    current?.bar.stop();
    current = undefined;
  };
  return {
    onProgress({ file, received, total }: FetchProgress) {
      if (current?.file !== file) {
        close();
        const format = '{file} {bar} {percentage}% · {bytes} of {of} · {eta_formatted} left';
        current = {
          file,
          bar: progressBar({ format, barsize: 24, fps: 8, etaBuffer: 200 }),
        };
        current.bar.start(total, received, { file, bytes: '', of: formatBytes(total) });
      }
      current.bar.update(received, { bytes: formatBytes(received) });
    },
    close,
  };
}
