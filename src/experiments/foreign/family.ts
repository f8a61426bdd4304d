import type { NetworkOptions } from '../../models/networks.ts';
import type { TensorFiles } from './tensor-files.ts';
import type { Mapping } from './weights.ts';

/** Networks that are published under one set of names. Each has a file here, and a line in families.ts. */
export interface Family {
  /** With its article, as in “taken for a ResNet”. */
  readonly title: string;
  /** Tensors that all of them have, by which they are known. */
  readonly signs: readonly string[];
  /** The network that the shapes and the configuration describe, for images of so many pixels a side. */
  readonly options: (files: Shapes, side: number | undefined) => NetworkOptions;
  /** Where its tensors lie, if not under our names and as ours. */
  readonly mapping?: (options: NetworkOptions) => Mapping;
}

/** What is asked of shapes. */
export interface Shapes {
  readonly config: ReturnType<TensorFiles['config']>;
  has(name: string): boolean;
  /** @throws CollimateError if there is none, or it has another number of axes */
  shape(name: string, axes: number): readonly number[];
  /** The first number from which on there is no tensor of the name that is made of it. */
  count(name: (i: number) => string): number;
}
