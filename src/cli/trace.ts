import { checkTarget, writeAtomically } from '../atomic-write.ts';
import type { Gpu } from '../gpu/device.ts';
import { Tracer } from './tracer.ts';

/**
 * Traces what a Gpu does until the end of the scope, and then writes it to a file.
 * @throws CollimateError if the adapter has no timestamps or the file cannot be written, before anything runs
 */
export function traceInto(path: string, gpu: Gpu): Tracer & AsyncDisposable {
  const tracer = new Tracer(gpu);
  checkTarget(path);
  gpu.tracer = tracer;
  return Object.assign(tracer, {
    async [Symbol.asyncDispose]() {
      gpu.tracer = undefined;
      write(path, await tracer.events());
    },
  });
}

function write(path: string, traceEvents: readonly object[]): void {
  const lines = traceEvents.map((event) => JSON.stringify(event));
  writeAtomically(path, `{"displayTimeUnit":"ns","traceEvents":[\n${lines.join(',\n')}\n]}\n`);
}
