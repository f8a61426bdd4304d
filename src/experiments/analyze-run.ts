import { networkInfo } from '../analysis/measure.ts';
import type { Analysis } from '../analysis/results.ts';
import type { Gpu } from '../gpu/device.ts';
import { type NetworkOptions, networkOf } from '../models/network-of.ts';
import { type HostState, initialState } from '../train/state.ts';
import { type AnalysisRequest, Analyst } from './analyst.ts';
import type { DeviceTask, Task } from './task.ts';

const SCHEMA = 'collimate/analysis@3';

/** Whether what a file holds is an analysis of this version. */
export const isCurrent = (json: unknown): json is Analysis =>
  (json as Partial<Analysis> | null | undefined)?.schema === SCHEMA;

/** Measures a network as trained, and in brief as it was at initialization. */
export async function analyzeRun(
  gpu: Gpu,
  task: Task,
  data: DeviceTask,
  options: NetworkOptions,
  trained: HostState,
  request: AnalysisRequest,
): Promise<Analysis> {
  const network = networkOf(options);
  using analyst = new Analyst(gpu, task, data, network, request);
  return {
    schema: SCHEMA,
    network: networkInfo(network),
    settings: analyst.settings,
    initialization: await analyst.measure(initialState(network, request.trainingSeed), { brief: true }),
    trained: await analyst.measure(trained, { brief: false }),
  };
}
