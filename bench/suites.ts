import { closest } from 'fastest-levenshtein';
import { CollimateError } from '../src/errors.ts';
import { parseSizes } from './sizes.ts';
import type { Suite } from './suite.ts';
import { analysisSuite } from './suites/analysis.ts';
import { convSuite } from './suites/conv.ts';
import { dispatchSuite } from './suites/dispatch.ts';
import { hostSuite } from './suites/host.ts';
import { layersSuite } from './suites/layers.ts';
import { linalgSuite } from './suites/linalg.ts';
import { halfSuite, matmulSuite } from './suites/matmul.ts';
import { normSuite } from './suites/norm.ts';
import { pointwiseSuite } from './suites/pointwise.ts';
import { reduceSuite } from './suites/reduce.ts';
import { scalingSuite } from './suites/scaling.ts';
import { stepSuite } from './suites/step.ts';

/** Every suite, in the order in which they run. */
export const suites: readonly Suite[] = [
  matmulSuite,
  halfSuite,
  convSuite,
  pointwiseSuite,
  reduceSuite,
  normSuite,
  layersSuite,
  linalgSuite,
  dispatchSuite,
  hostSuite,
  stepSuite,
  scalingSuite,
  analysisSuite,
];

/** @throws CollimateError with the nearest known name */
export function findSuite(name: string): Suite {
  const found = suites.find((suite) => suite.name === name);
  if (found) return found;
  const names = suites.map((suite) => suite.name);
  throw new CollimateError(
    `there is no suite '${name}'`,
    `Did you mean ${closest(name, names)}? There are: ${names.join(', ')}.`,
  );
}

/** The sizes of each suite; requested sizes only go with suites that were named and have sizes. */
export function sizesFor(
  chosen: readonly Suite[],
  named: boolean,
  text: string | undefined,
): Map<Suite, number[][]> {
  if (text !== undefined && !named) {
    throw new CollimateError('--sizes does not say which suite it is for', 'Name the suite: matmul, say.');
  }
  return new Map(
    chosen.map((suite) => {
      if (suite.sizes)
        return [suite, parseSizes(text ?? suite.sizes.defaults.join(','), suite.name, suite.sizes)];
      if (text === undefined) return [suite, []];
      const able = suites.flatMap(({ name, sizes }) => (sizes ? [name] : []));
      throw new CollimateError(`${suite.name} takes no --sizes`, `These do: ${able.join(', ')}.`);
    }),
  );
}
