import { CollimateError } from '../../errors.ts';
import { networkOf } from '../../models/networks.ts';
import type { Family, Inputs, Shapes } from './family.ts';
import { resnets } from './resnets.ts';
import type { TensorFiles } from './tensor-files.ts';
import { transformers } from './transformers.ts';
import { weightsOf } from './weights.ts';

const families: readonly Family[] = [resnets, ...transformers];

/**
 * Recognizes the network that foreign tensors belong to, by their names, shapes and configuration; `state`
 * reads its weights, which must be exactly the network's.
 * @throws CollimateError naming what was found, if no known family fits or it reads other inputs
 */
export function recognize(files: TensorFiles, inputs: Inputs = {}) {
  const { shapes, path } = files;
  const family = families.find(({ signs }) => signs.every((name) => shapes.has(name)));
  if (!family) {
    const found = [...shapes].slice(0, 3).map(([name, shape]) => `${name} [${shape}]`);
    throw new CollimateError(
      `${path} is of no known family: it has ${shapes.size} tensors${found.length ? `, such as ${found.join(', ')}` : ''}`,
      'docs/checkpoints.md lists the families. Bare weights of an experiment’s network need `--experiment`.',
    );
  }
  const { title, reads } = family;
  const fail = (what: string, remedy: string) => new CollimateError(`${path}, ${title}, ${what}`, remedy);
  if ((reads === 'texts') !== (inputs.texts !== undefined))
    throw fail(
      `reads ${reads}`,
      reads === 'texts' ? 'Give token ids with `--tokens`.' : 'Give images with `--data`, and no `--tokens`.',
    );
  const described: Shapes = {
    config: files.config(),
    has: (name) => shapes.has(name),
    sizes: (name) => shapes.get(name) ?? [],
    shape(name, axes) {
      const shape = shapes.get(name);
      if (shape?.length === axes) return shape;
      const what = shape ? `has ${name} as [${shape}], expected ${axes} axes` : `lacks ${name}`;
      throw fail(what, 'Use a whole file with the published names.');
    },
    count(name) {
      let i = 0;
      while (shapes.has(name(i))) i++;
      return i;
    },
  };
  const options = family.options(described, inputs);
  networkOf(options); // refuses what such a network cannot be
  const mapping = family.mapping?.(options, described, inputs);
  return { family, options, state: () => weightsOf(files, options, title, mapping) };
}
