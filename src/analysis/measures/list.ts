import * as accuracy from './accuracy.ts';
import * as alignedDimension from './aligned-dimension.ts';
import * as alignment from './alignment.ts';
import * as blockInfluence from './block-influence.ts';
import * as blockLoss from './block-loss.ts';
import * as branch from './branch.ts';
import * as classifier from './classifier.ts';
import * as collapse from './collapse.ts';
import * as compressibility from './compressibility.ts';
import * as deadBlocks from './dead-blocks.ts';
import * as earlyExit from './early-exit.ts';
import * as effectiveRank from './effective-rank.ts';
import type { Field, Layout } from './field.ts';
import * as leftRight from './left-right.ts';
import * as lens from './lens.ts';
import * as line from './line.ts';
import * as linearity from './linearity.ts';
import * as paths from './paths.ts';
import * as rank from './rank.ts';
import * as scale from './scale.ts';
import * as spectrum from './spectrum.ts';
import * as tokenCoupling from './token-coupling.ts';
import * as trajectory from './trajectory.ts';

/** Every measure, in the order in which tables, figures and docs have them. */
export const list = [
  accuracy,
  trajectory,
  line,
  alignment,
  tokenCoupling,
  leftRight,
  alignedDimension,
  classifier,
  spectrum,
  rank,
  effectiveRank,
  scale,
  deadBlocks,
  branch,
  blockLoss,
  blockInfluence,
  linearity,
  earlyExit,
  compressibility,
  paths,
  lens,
  collapse,
] as const;

type Part<K extends string> = (typeof list)[number] extends infer M
  ? M extends { readonly [P in K]: infer F }
    ? F
    : never
  : never;
type Together<U> = (U extends unknown ? (part: U) => void : never) extends (all: infer All) => void
  ? All
  : never;

/** One export of all measures together. */
export const fold = <K extends string>(part: K): Together<Part<K>> =>
  Object.assign({}, ...list.map((measure) => measure[part as never] ?? {}));

/** Names of the fields of some layouts. */
export const namesOf = (part: 'sample' | 'gathered', ...layouts: Layout[]): string[] =>
  Object.entries<Field>(fold(part) as never).flatMap(([name, { layout }]) =>
    layouts.includes(layout) ? [name] : [],
  );
