import type { NetworkInfo, StageRange } from '../network-info.ts';

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

/** Colors by what they stand for; `block` and `label` (a class) are columns of the rows. */
export type Ink = 'accent' | 'contrast' | 'neutral' | 'block' | 'label' | 'color';

/** Marks over rows, in Observable Plot's terms. `cells` are colored by `value`, with a cross for null. */
export interface Mark {
  readonly mark: 'line' | 'dot' | 'ruleX' | 'ruleY' | 'areaY' | 'text' | 'cells';
  readonly rows: readonly Row[];
  readonly stroke?: Ink;
  readonly fill?: Ink;
  readonly [option: string]: unknown;
}

/** A scale; its span is `domain`, or follows from what is drawn. */
export interface Scale {
  readonly label: string;
  readonly domain?: readonly [number, number];
  readonly ticks?: readonly number[];
  /** The span begins at 0. */
  readonly zero?: boolean;
  /** Logarithmic, the same in all panels, without values below this share of the largest. */
  readonly log?: number;
}

/** What is drawn in a panel. */
export interface Drawing {
  /** Below the title: the number that the panel is about. */
  readonly note: string;
  readonly height?: number;
  readonly width?: number;
  /** `block` and `length` are those of the network. */
  readonly x: 'block' | 'length' | Scale;
  readonly y: Scale;
  /** One unit is equally long on both axes. */
  readonly equal?: boolean;
  readonly marks: readonly Mark[];
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

/** A shaded matrix of entries 0 to 1 per pair of blocks: rows are Jacobians, columns singular bases. */
export interface Matrix {
  readonly note: string;
  /** Null where there is none. */
  readonly pairs: readonly (readonly (readonly (readonly number[])[] | null)[])[];
  /** The blocks drawn, from 0, and how many rows and columns of each matrix. */
  readonly blocks: readonly number[];
  readonly size: number;
}

export type Swatch = readonly [label: string, ink: string, shape: 'dot' | 'line' | 'dashed' | 'band'];
export type Legend =
  | readonly Swatch[]
  | 'classes'
  | 'blocks'
  | { readonly ramp: 'cosine' | 'share'; readonly label: string };

export interface FigureSpec<M> {
  /** `ra1-steps.svg`. */
  readonly file: string;
  readonly title: string;
  /** Says what is drawn, then what to look for. */
  readonly caption: string | ((shown: readonly Shown<M>[]) => string);
  /** The tables that hold its numbers. */
  readonly data: readonly string[];
  readonly panels: readonly Panels<M>[];
  readonly legend?: Legend;
}

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
