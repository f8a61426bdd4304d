import * as v from 'valibot';
import { models } from '../models/networks.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { whole } from '../schema.ts';

/** Consecutive blocks between which h has one shape: [D], or [height, width, channels]. */
const stageInfo = v.object({ blocks: v.array(v.string()), shape: v.array(whole(1)) });
export type StageInfo = v.InferOutput<typeof stageInfo>;

export const networkInfo = v.object({
  kind: v.picklist(models),
  /** Analyzed blocks of all stages. */
  depth: whole(1),
  /** Features that the classifier sees: the width D, or the channels of the last stage. */
  width: whole(1),
  classes: whole(1),
  activation: v.picklist(['relu', 'identity']),
  skip: v.boolean(),
  stages: v.array(stageInfo),
});
/** What an analysis says about its network. */
export type NetworkInfo = v.InferOutput<typeof networkInfo>;

export function describe({ options, stages }: ResidualNetwork): NetworkInfo {
  const { kind, classes, activation, skip } = options;
  return {
    kind: kind as NetworkInfo['kind'],
    depth: stages.reduce((sum, { blocks }) => sum + blocks.length, 0),
    width: stages.at(-1)!.shape.at(-1)!,
    classes,
    activation,
    skip,
    stages: stages.map(({ blocks, shape }) => ({ blocks: [...blocks], shape: [...shape] })),
  };
}

/** Range of a stage's blocks among all, from 0: [start, end). */
export interface StageRange {
  readonly stage: number;
  readonly start: number;
  readonly end: number;
}

export function stagesOf(stages: readonly { readonly blocks: readonly unknown[] }[]): StageRange[] {
  let end = 0;
  return stages.map(({ blocks }, stage) => {
    const start = end;
    end += blocks.length;
    return { stage, start, end };
  });
}

/** What a network's blocks are, for headlines: "8 blocks of width 128", "6 blocks of 14×14×16". */
export function blocksInWords({ stages }: Pick<NetworkInfo, 'stages'>): string {
  const one = ({ blocks, shape }: StageInfo) =>
    `${blocks.length} ${blocks.length === 1 ? 'block' : 'blocks'} of ${shape.length > 1 ? shape.join('×') : `width ${shape[0]}`}`;
  return stages.map(one).join(', ');
}
