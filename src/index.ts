/**
 * Collimate: tensors, automatic differentiation and hand-written kernels on WebGPU.
 *
 * Trace a function of tensors, differentiate it, compile it, run it: see the README for ten lines that do.
 *
 * @module collimate
 */

export { DeviceArray, type HostArray, type TypedArray } from './autograd/array.ts';
export {
  type AttentionOptions,
  abs,
  add,
  amax,
  amin,
  and,
  argmax,
  argmin,
  array,
  attention,
  averagePool2d,
  broadcast,
  cast,
  concat,
  constant,
  conv2d,
  convTranspose2d,
  cos,
  cumsum,
  div,
  einsum,
  equal,
  erf,
  exp,
  eye,
  floor,
  full,
  gelu,
  globalAveragePool,
  greater,
  greaterEqual,
  iota,
  type LayerNormOptions,
  layerNorm,
  less,
  lessEqual,
  log,
  logSoftmax,
  logsumexp,
  matmul,
  maximum,
  maxPool2d,
  mean,
  minimum,
  mT,
  mul,
  neg,
  not,
  notEqual,
  type Operand,
  oneHot,
  or,
  pad,
  pow,
  prod,
  type ReduceOptions,
  random,
  relu,
  rem,
  reshape,
  round,
  rsqrt,
  scatterAdd,
  shuffle,
  sigmoid,
  sign,
  silu,
  sin,
  slice,
  softmax,
  softmaxCrossEntropy,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  take,
  tanh,
  transpose,
  variance,
  type WindowOptions,
  where,
} from './autograd/functions.ts';
export { type Graph, printGraph, trace } from './autograd/graph.ts';
export { interpret } from './autograd/interpret.ts';
export { hessian, hvp, type JacobianOptions, jacobian } from './autograd/jacobian.ts';
export { orthonormalize, svd } from './autograd/linalg.ts';
export { type BoundProgram, type CompileOptions, compile, type Program } from './autograd/program.ts';
export { type ScanOptions, scan } from './autograd/scan.ts';
export type { DType, Shape } from './autograd/shape.ts';
export type { Spec, Specs } from './autograd/signature.ts';
export type { Typed as Tensor } from './autograd/tensor.ts';
export { grad, jvp, type Linearization, linearize, valueAndGrad, vjp } from './autograd/transform.ts';
export { type Axes, vmap } from './autograd/vmap.ts';
export { CollimateError } from './errors.ts';
export type { Gpu } from './gpu/device.ts';
export { type OpenOptions, openGpu } from './host/open.ts';
