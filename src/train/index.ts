/** `collimate/train`: training on the GPU, where a step is one submit. */

export { type BatchStatistics, inferenceNorm, trainingNorm } from './batch-norm.ts';
export { Evaluator } from './evaluate.ts';
export type { DeviceExamples } from './examples.ts';
export type { Network, Normalizer, NormSpec, ParameterSpec, Weights } from './network.ts';
export { cosineSchedule, type SgdOptions } from './sgd.ts';
export { type HostState, initialState, TrainingState } from './state.ts';
export { type StepRecord, Trainer, type TrainerOptions } from './trainer.ts';
