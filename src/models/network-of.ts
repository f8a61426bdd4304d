import { ConvResNet, type ConvResNetOptions } from './conv-resnet.ts';
import { FcResNet, type FcResNetOptions } from './fc-resnet.ts';
import type { ResidualNetwork } from './residual-network.ts';

/** A network in words: what checkpoints say of theirs. */
export type NetworkOptions =
  | ({ readonly kind: 'fc' } & FcResNetOptions)
  | ({ readonly kind: 'conv' } & ConvResNetOptions);

/** The network that the options describe. */
export function networkOf(options: NetworkOptions): ResidualNetwork {
  return options.kind === 'fc' ? new FcResNet(options) : new ConvResNet(options);
}
