/** The networks that experiments train. See docs/models.md. @module collimate/models */

export { Autoencoder, type AutoencoderOptions } from './autoencoder.ts';
export { ConvResNet, type ConvResNetOptions } from './conv-resnet.ts';
export { FcResNet, type FcResNetOptions } from './fc-resnet.ts';
export { type Model, models, type NetworkOptions, networkOf } from './networks.ts';
export { type Architecture, type Layer, ResidualNetwork, type Stage } from './residual-network.ts';
export { ResNet, type ResNetOptions } from './resnet.ts';
export { Transformer } from './transformer.ts';
export type { TransformerOptions } from './transformer-shape.ts';
export {
  alignedOptimum,
  type UnconstrainedOptions,
  type UnconstrainedParameters,
  unconstrainedObjective,
} from './unconstrained-jacobians.ts';
