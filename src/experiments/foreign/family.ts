import type { NetworkOptions } from '../../models/networks.ts';
import type { TensorFiles } from './tensor-files.ts';
import type { Texts } from './texts.ts';
import type { Mapping } from './weights.ts';

/** Networks that are published under one set of names. Each has a file here, and a line in families.ts. */
export interface Family {
  /** With its article, as in “taken for a ResNet”. */
  readonly title: string;
  /** Tensors that all of them have, by which they are known. */
  readonly signs: readonly string[];
  readonly reads: 'images' | 'texts';
  /** The network that the shapes and the configuration describe, for some inputs. */
  readonly options: (files: Shapes, inputs: Inputs) => NetworkOptions;
  /** Where its tensors lie, if not under our names and as ours. */
  readonly mapping?: (options: NetworkOptions, files: Shapes, inputs: Inputs) => Mapping;
}

/** What a network is measured at. */
export interface Inputs {
  /** Pixels of an image's side, where the user or a dataset says so. */
  readonly side?: number | undefined;
  /** Classes of the images, for a network without a classifier. */
  readonly classes?: number | undefined;
  readonly texts?: Pick<Texts, 'length' | 'used' | 'next'> | undefined;
  /** What is measured as a block of a transformer. */
  readonly branches?: 'apart' | 'together' | undefined;
}

/** What is asked of shapes. */
export interface Shapes {
  readonly config: ReturnType<TensorFiles['config']>;
  has(name: string): boolean;
  /** Empty if there is none. */
  sizes(name: string): readonly number[];
  /** @throws CollimateError if there is none, or it has another number of axes */
  shape(name: string, axes: number): readonly number[];
  /** The first number from which on there is no tensor of the name that is made of it. */
  count(name: (i: number) => string): number;
}
