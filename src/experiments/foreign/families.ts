import { CollimateError } from '../../errors.ts';
import { type NetworkOptions, networkOf } from '../../models/networks.ts';
import type { HostState } from '../../train/state.ts';
import type { Family } from './family.ts';
import { resnets } from './resnets.ts';
import type { TensorFiles } from './tensor-files.ts';
import { weightsOf } from './weights.ts';

const families: readonly Family[] = [resnets];

/** A network that was recognized. */
export interface Recognized {
  readonly family: Family;
  readonly options: NetworkOptions;
  /** Reads its weights. @throws CollimateError unless the tensors are just those of the network */
  state(): HostState;
}

/**
 * The network that tensors from elsewhere belong to, by their names and shapes and what is beside them; `side` is that of the images.
 * @throws CollimateError with what was found if they are of no known family
 */
export function recognize(files: TensorFiles, side?: number): Recognized {
  const { shapes, path } = files;
  const family = families.find(({ signs }) => signs.every((name) => shapes.has(name)));
  if (!family) {
    const found = [...shapes].slice(0, 3).map(([name, shape]) => `${name} [${shape}]`);
    throw new CollimateError(
      `${path} is of no known family: it has ${shapes.size} tensors${found.length ? `, such as ${found.join(', ')}` : ''}`,
      `Known are ${families.map(({ title, signs }) => `${title} (${signs.join(', ')})`).join('; ')}. Bare weights of another network need \`--experiment\`.`,
    );
  }
  const options = family.options(
    {
      config: files.config(),
      has: (name) => shapes.has(name),
      shape(name, axes) {
        const shape = shapes.get(name);
        if (shape?.length === axes) return shape;
        throw new CollimateError(
          `${path}, as ${family.title}, ${shape ? `has ${name} as [${shape}], expected ${axes} axes` : `lacks ${name}`}`,
          'Use a whole file with the published names.',
        );
      },
      count(name) {
        let i = 0;
        while (shapes.has(name(i))) i++;
        return i;
      },
    },
    side,
  );
  networkOf(options); // refuses what such a network cannot be
  return { family, options, state: () => weightsOf(files, options, family.title, family.mapping?.(options)) };
}
