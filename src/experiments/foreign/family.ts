import type { NetworkOptions } from '../../models/networks.ts';
import type { TensorFiles } from './tensor-files.ts';
import type { Texts } from './texts.ts';
import type { Mapping } from './weights.ts';

/** Networks published with one set of names; each family has a file here and a line in families.ts. */
export interface Family {
  /** With its article, as in “taken for a ResNet”. */
  readonly title: string;
  /** Tensors that identify the family. */
  readonly signs: readonly string[];
  readonly reads: 'images' | 'texts';
  /** The network that the shapes and the configuration describe, for some inputs. */
  readonly options: (files: Shapes, inputs: Inputs) => NetworkOptions;
  /** Where its tensors lie, unless named and laid out as ours. */
  readonly mapping?: (options: NetworkOptions, files: Shapes, inputs: Inputs) => Mapping;
}

/** The inputs at which a network is measured. */
export interface Inputs {
  /** Side of an image in pixels, if the user or a dataset gives it. */
  readonly side?: number | undefined;
  /** Classes of the images, for a network without a classifier. */
  readonly classes?: number | undefined;
  readonly texts?: Pick<Texts, 'length' | 'used' | 'next'> | undefined;
  /** What is measured as a block of a transformer. */
  readonly branches?: 'apart' | 'together' | undefined;
}

export interface Shapes {
  readonly config: ReturnType<TensorFiles['config']>;
  has(name: string): boolean;
  /** Empty if there is none. */
  sizes(name: string): readonly number[];
  /** @throws CollimateError if there is none, or it has another number of axes */
  shape(name: string, axes: number): readonly number[];
  /** The first number whose name has no tensor. */
  count(name: (i: number) => string): number;
}
