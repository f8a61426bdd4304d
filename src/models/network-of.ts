import * as v from 'valibot';
import { CollimateError } from '../errors.ts';
import { shown } from '../schema.ts';
import { ConvResNet, convOptions } from './conv-resnet.ts';
import { FcResNet, fcOptions } from './fc-resnet.ts';
import type { ResidualNetwork } from './residual-network.ts';
import { ResNet34, resnet34Options } from './resnet34.ts';

/** A network as files describe it. */
export const networkOptions = v.variant('kind', [fcOptions, convOptions, resnet34Options]);

export type NetworkOptions = Readonly<v.InferOutput<typeof networkOptions>>;

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
        `there is no kind of network ${shown((options as { kind: unknown }).kind)}`,
        'There are fc, conv and resnet34.',
      );
  }
}
