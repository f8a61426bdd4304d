import { describe } from '../analysis/network-info.ts';
import { ANALYSIS_FORMAT, type Analysis } from '../analysis/results.ts';
import type { Gpu } from '../gpu/device.ts';
import { type NetworkOptions, networkOf } from '../models/networks.ts';
import { type HostState, initialState } from '../train/state.ts';
import { type AnalysisRequest, Analyst } from './analyst.ts';
import type { DeviceTask, Task } from './task.ts';

/** Measures a network as trained, and briefly at initialization. */
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
    schema: ANALYSIS_FORMAT,
    network: describe(network),
    settings: analyst.settings,
    initialization: await analyst.measure(initialState(network, request.trainingSeed), { brief: true }),
    trained: await analyst.measure(trained, { brief: false }),
  };
}
