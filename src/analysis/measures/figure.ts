import { type NetworkInfo, type StageRange, stagesOf } from '../network-info.ts';

/** A row of a table by column names; missing values become empty fields. */
export type Row = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** One network at one step: what a panel, or a part of a table, shows. */
export interface Shown<M> {
  readonly title: string;
  readonly measures: M;
  readonly network: NetworkInfo;
  /** Number K of leading triples. */
  readonly triples: number;
}

/** A color by what it stands for: a place, or a column of them, on a scale from 1, or in categories. */
export type Hue =
  | { readonly scale: string | number; readonly of: number }
  | { readonly category: string | number; readonly of: number };
/** `color` is a column of colors. */
export type Ink = 'accent' | 'contrast' | 'neutral' | 'color' | Hue;

/** Marks over rows, in Observable Plot's terms. `cells` are colored by `value`, with a cross for null. */
export interface Mark {
  readonly mark:
    | 'line'
    | 'dot'
    | 'ruleX'
    | 'ruleY'
    | 'tickY'
    | 'areaY'
    | 'text'
    | 'linearRegressionY'
    | 'cells';
  readonly rows: readonly Row[];
  readonly stroke?: Ink;
  readonly fill?: Ink;
  readonly [option: string]: unknown;
}

/** A scale, linear by default; unless something says where it ends, that follows from what is drawn. */
export interface Scale {
  readonly label: string;
  readonly type?: 'log' | 'symlog';
  readonly domain?: readonly [number, number];
  readonly ticks?: readonly number[];
  /** Whole numbers, from one to another, in their places: of blocks, of epochs. */
  readonly counted?: readonly [from: number, to: number];
  /** Values side by side, in this order. */
  readonly names?: readonly (number | string)[];
  /** The span begins at 0. */
  readonly zero?: boolean;
  /** Ends of all possible values, shown if those that there are fill a good part of it. */
  readonly within?: readonly [number, number] | undefined;
  /** The same in all panels. */
  readonly shared?: boolean;
  /** Logarithmic scales leave out values below this share of the largest; default: 1e-7. */
  readonly floor?: number;
  /** Where broken lines part what is drawn. */
  readonly parts?: readonly number[];
}

/** What is drawn in a panel. */
export interface Drawing {
  /** Below the title: the number that the panel is about. */
  readonly note: string;
  readonly height?: number;
  readonly width?: number;
  readonly x: Scale;
  readonly y: Scale;
  /** One unit is equally long on both axes. */
  readonly equal?: boolean;
  readonly marks: readonly Mark[];
}

/** A shaded matrix of entries 0 to 1 per pair of blocks: rows are Jacobians, columns singular bases. */
export interface Matrix {
  readonly note: string;
  /** Null where there is none. */
  readonly pairs: readonly (readonly (readonly (readonly number[])[] | null)[])[];
  /** The blocks drawn, from 0, and how many rows and columns of each matrix. */
  readonly blocks: readonly number[];
  readonly size: number;
  /** Pairs of blocks of different stages have none. */
  readonly stages: readonly StageRange[];
}

/** Panels side by side, one per network shown, or a row of them per stage. */
export interface Panels<M> {
  readonly each: 'network' | 'stage';
  /** Which networks have a panel. */
  readonly where?: (measures: M) => boolean;
  /** What this row shows, for the caption. */
  readonly caption?: string;
  readonly draw: (shown: Shown<M> & StageRange) => Drawing | Matrix;
}

export type Swatch = readonly [label: string, ink: Ink | string, shape: 'dot' | 'line' | 'dashed' | 'band'];
export type Legend =
  | readonly Swatch[]
  | { readonly ramp: 'cosine' | 'share'; readonly label: string }
  | { readonly ramp: 'scale'; readonly label: string; readonly of: number };

export interface FigureSpec<M> {
  /** `ra1-steps.svg`. */
  readonly file: string;
  readonly title: string;
  /** Says what is drawn, then what to look for. */
  readonly caption: string | ((shown: readonly Shown<M>[]) => string);
  /** The tables that hold its numbers. */
  readonly data: readonly string[];
  readonly panels: readonly Panels<M>[];
  readonly legend?: Legend | ((shown: readonly Shown<M>[]) => Legend);
}

/** The blocks of a network, parted where its stages are. */
export const alongBlocks = ({ depth, stages }: NetworkInfo): Scale => ({
  label: 'block i',
  counted: [1, depth],
  parts: stagesOf(stages.slice(0, -1)).map(({ end }) => end + 0.5),
});

/** A line through means over blocks, broken at gaps and between stages, and a clipped band of ± one std. */
export function meanWithBand(
  blocks: readonly { readonly mean?: number | null; readonly std?: number | null }[],
  { stages }: NetworkInfo,
  [low, high]: readonly [number, number],
): Mark[] {
  const stageOf = stages.flatMap(({ blocks }, stage) => blocks.map(() => stage));
  const rows = blocks.map(({ mean = null, std }, i) => ({
    block: i + 1,
    stage: stageOf[i]!,
    mean,
    low: mean === null ? null : Math.max(low, mean - (std ?? 0)),
    high: mean === null ? null : Math.min(high, mean + (std ?? 0)),
  }));
  const band = { x: 'block', y1: 'low', y2: 'high' };
  return [
    rows.length > 1
      ? { mark: 'areaY', rows, ...band, z: 'stage', fill: 'accent', fillOpacity: 0.22 }
      : { mark: 'ruleX', rows, ...band, stroke: 'accent', strokeOpacity: 0.4, strokeWidth: 6 },
    { mark: 'line', rows, x: 'block', y: 'mean', z: 'stage', stroke: 'accent', strokeWidth: 1.75 },
    { mark: 'dot', rows, x: 'block', y: 'mean', fill: 'accent', r: rows.length > 40 ? 1.5 : 2.75 },
  ];
}

/** Names a range's dead blocks in a panel's note: a logarithmic scale has no place for zeros. */
export function deadIn(deadBlocks: readonly number[], { start, end }: StageRange): string {
  const own = deadBlocks.filter((block) => block > start && block <= end);
  if (own.length === 0) return '';
  return `; dead: ${own.length > 6 ? `${own.length} blocks` : `block ${own.join(', ')}`}`;
}
