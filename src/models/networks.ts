import * as v from 'valibot';
import { CollimateError } from '../errors.ts';
import { abbreviated } from '../schema.ts';
import { autoencoder } from './autoencoder.ts';
import { conv } from './conv-resnet.ts';
import { fc } from './fc-resnet.ts';
import { gpt } from './gpt.ts';
import type { NetworkKind } from './network-kind.ts';
import type { ResidualNetwork } from './residual-network.ts';
import { resnet34 } from './resnet.ts';
import { vit } from './vit.ts';

const table = { fc, conv, resnet34, vit, gpt, autoencoder };

/** Kinds of networks. */
export type Model = keyof typeof table;

/** A network as files describe it. */
export type NetworkOptions = { [K in Model]: ReturnType<(typeof table)[K]['optionsOf']> }[Model];

/** Every kind of network, by its name in files and on the command line. */
export const networks = table as unknown as Readonly<
  Record<Model, NetworkKind<NetworkOptions, NetworkOptions>>
>;

/** The names of all kinds of networks. */
export const models = Object.keys(networks) as Model[];

/** A network as files describe it. */
export const networkOptions = v.variant(
  'kind',
  models.map((kind) => networks[kind].schema) as never,
) as unknown as v.GenericSchema<NetworkOptions>;

/** The network that the options describe. Example: {@link FcResNet} */
export function networkOf(options: NetworkOptions): ResidualNetwork {
  if (Object.hasOwn(networks, options.kind)) return networks[options.kind].create(options);
  throw new CollimateError(
    `there is no kind of network ${abbreviated(options.kind)}`,
    `There are ${models.join(', ')}.`,
  );
}
