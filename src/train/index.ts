/** Training on the GPU, where a step is one submit. @module collimate/train */

export { type BatchStatistics, inferenceNorm, trainingNorm } from './batch-norm.ts';
export { Evaluator } from './evaluate.ts';
export type { DeviceExamples } from './examples.ts';
export type { Network, Normalizer, NormSpec, ParameterSpec, Weights } from './network.ts';
export {
  type AdamOptions,
  adam,
  adamw,
  clipByGlobalNorm,
  globalNorm,
  type Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type SgdOptions,
  sgd,
} from './optimizers.ts';
export { cosine, type DecayOptions, linear, type Schedule, stepDecay, warmup } from './schedules.ts';
export { type HostState, initialState, TrainingState } from './state.ts';
export type { TrainingOptions } from './step.ts';
export { type StepRecord, Trainer, type TrainerOptions } from './trainer.ts';
