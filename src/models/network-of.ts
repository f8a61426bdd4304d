import { CollimateError } from '../errors.ts';
import { ConvResNet, type ConvResNetOptions } from './conv-resnet.ts';
import { FcResNet, type FcResNetOptions } from './fc-resnet.ts';
import type { ResidualNetwork } from './residual-network.ts';
import { ResNet34, type ResNet34Options } from './resnet34.ts';

/** A network in words: what checkpoints say of theirs. */
export type NetworkOptions =
  | ({ readonly kind: 'fc' } & FcResNetOptions)
  | ({ readonly kind: 'conv' } & ConvResNetOptions)
  | ({ readonly kind: 'resnet34' } & ResNet34Options);

/** The network that the options describe. */
export function networkOf(options: NetworkOptions): ResidualNetwork {
  switch (options.kind) {
    case 'fc':
      return new FcResNet(options);
    case 'conv':
      return new ConvResNet(options);
    case 'resnet34':
      return new ResNet34(options);
    default:
      throw new CollimateError(
        `there is no kind of network ${(options as { kind: unknown }).kind}`,
        'There are fc, conv and resnet34.',
      );
  }
}
