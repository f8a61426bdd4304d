import { useEffect, useReducer, useRef } from 'preact/hooks';
import type { CollimateError } from '../src/errors.ts';
import { fetchImages } from './images.ts';
import type { Moment } from './pictures/charts.tsx';
import type { Command, Pair, Picture, Report, Sample } from './protocol.ts';
import type { PageSettings } from './settings.ts';

/** What the page knows of the training. */
export interface Training {
  readonly adapter: string | undefined;
  readonly phase: 'opening' | 'compiling' | 'training' | 'finished' | 'failed';
  readonly failure: { readonly message: string; readonly remedy: string | undefined } | undefined;
  readonly steps: number;
  /** Training images of the chosen classes. */
  readonly images: number;
  readonly step: number;
  readonly stepsPerSecond: number;
  readonly losses: Pair<number> | undefined;
  readonly samples: readonly Sample[];
  /** The step of {@link pictures}. */
  readonly pictured: number;
  readonly pictures: Pair<Picture> | undefined;
  readonly moments: readonly Moment[];
  readonly buffers: number;
}

const nothing: Training = {
  ...{
    adapter: undefined,
    phase: 'opening',
    failure: undefined,
    steps: 1,
    images: 0,
    step: 0,
    stepsPerSecond: 0,
  },
  ...{ losses: undefined, samples: [], pictured: 0, pictures: undefined, moments: [], buffers: 0 },
};

function heard(training: Training, report: Report | { readonly type: 'starting' }): Training {
  switch (report.type) {
    case 'starting':
      // The last pictures stay until there are others.
      return { ...training, phase: training.adapter ? 'compiling' : 'opening', failure: undefined, step: 0 };
    case 'opened':
      return { ...training, phase: 'compiling', adapter: report.adapter };
    case 'started': {
      const { steps, images, samples } = report;
      return {
        ...training,
        phase: 'training',
        steps,
        images,
        samples,
        step: 0,
        moments: [],
        pictures: undefined,
      };
    }
    case 'progress': {
      const { step, losses, stepsPerSecond } = report;
      return { ...training, step, losses, stepsPerSecond };
    }
    case 'pictures': {
      const { step, pictures, buffers } = report;
      const numbers = (n: 0 | 1) => {
        const { diagonalShare, line, testAccuracy } = pictures[n];
        return { diagonalShare, line, testAccuracy };
      };
      const moments = [...training.moments, { step, pictures: [numbers(0), numbers(1)] as const }];
      return { ...training, pictured: step, pictures, moments, buffers };
    }
    case 'finished':
      return { ...training, phase: 'finished' };
    case 'failed':
      return { ...training, phase: 'failed', failure: { message: report.message, remedy: report.remedy } };
  }
}

/** The worker, which begins with these settings, and its messages so far. */
export function useTraining(settings: PageSettings) {
  const [training, hear] = useReducer(heard, nothing);
  const worker = useRef<Worker>(undefined);
  const send = (command: Command) => worker.current?.postMessage(command);
  const start = (settings: PageSettings) => {
    hear({ type: 'starting' });
    send({ type: 'start', settings });
  };
  useEffect(() => {
    const own = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    const fail = (error: Partial<CollimateError>) => {
      hear({
        type: 'failed',
        message: error.message ?? 'the worker could not be started',
        remedy: error.remedy,
      });
    };
    own.onmessage = ({ data }: MessageEvent<Report>) => hear(data);
    own.onerror = (event) => fail({ message: event.message });
    worker.current = own;
    fetchImages(document.baseURI).then((bytes) => {
      own.postMessage({ type: 'images', bytes } satisfies Command, [bytes.buffer]);
      own.postMessage({ type: 'start', settings } satisfies Command);
    }, fail);
    return () => own.terminate();
  }, []);
  return { training, send, start };
}
