import { format } from '../../number-format.ts';
import { spreadOf } from '../statistics.ts';
import { norm } from '../vectors.ts';
import { type whole as blockLoss, panels as worth } from './block-loss.ts';
import { type None, type Own, ofBlock } from './field.ts';
import { alongBlocks, type FigureSpec, meanWithBand } from './figure.ts';
import { extreme, over, type Scalar, type StageAt } from './measure.ts';
import { type summary as pathSummary, panels as paths } from './paths.ts';

export const title = 'What a block adds';

export const sample = {
  branchRatio: ofBlock(
    '‖F_i(h_i)‖ / ‖h_i‖: what a block adds to what comes through (after Dotzel et al., *Radial Networks*, 2024); `null` where h_i is zero',
    { label: '‖Fᵢ(hᵢ)‖ / ‖hᵢ‖', short: '‖F‖/‖h‖', log: true },
  ),
};
type Measures = Own<typeof sample>;

export const at = ({ path, branches }: StageAt) => ({
  branchRatio: branches.map((f, i) => {
    const length = norm(path[i]!);
    return length > 0 ? norm(f) / length : null;
  }),
});

export const scalars = {
  branchRatioMax: {
    label: 'largest ‖F(h)‖/‖h‖',
    what: '‖F(h)‖ over ‖h‖, maximum over blocks',
    log: true,
    ...over((m: Measures) => extreme(m.summary.branchRatio, 'maximum')),
  },
} satisfies Record<string, Scalar<Measures>>;

export const figures: FigureSpec<Measures & Own<None, typeof pathSummary, typeof blockLoss>>[] = [
  {
    file: 'blocks.svg',
    title: 'What blocks add, what they are worth, and what paths carry',
    caption: '',
    data: ['blocks', 'paths'],
    panels: [
      {
        each: 'network',
        caption:
          'Size of what a block adds relative to what goes past it, ‖F(h)‖/‖h‖: mean over samples, and a band of one standard deviation. Look for small values late: those blocks refine.',
        draw: ({ measures: { summary }, network }) => ({
          note: `largest ${format(spreadOf(summary.branchRatio.map((s) => s.mean)).max)}, last ${format(summary.branchRatio.at(-1)?.mean)}`,
          height: 210,
          x: alongBlocks(network),
          y: { label: sample.branchRatio.series.label, zero: true },
          marks: meanWithBand(summary.branchRatio, network, [0, Number.POSITIVE_INFINITY]),
        }),
      },
      worth,
      paths,
    ],
  },
];
