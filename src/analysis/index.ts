/** Residual Jacobians, their SVDs and their measures: docs/measures.md. @module collimate/analysis */

export type { JacobianOptions } from './jacobian-programs.ts';
export { type JacobianTriples, residualJacobians } from './jacobians.ts';
export { type AnalysisSamples, measureNetwork, type NetworkMeasures } from './measure-network.ts';
export { fitPowerLaw, type PowerLaw } from './power-law.ts';
export {
  type LinearMap,
  matrixMap,
  randomizedSvd,
  type SingularTriples,
  type SketchOptions,
} from './randomized-svd.ts';
export type { Analysis, Measures, SampleMeasures, Summary } from './results.ts';
export { chooseSamples } from './samples.ts';
export { type AnalysisOptions, analysisSettings } from './settings.ts';
export { type Spread, spreadOf } from './statistics.ts';
