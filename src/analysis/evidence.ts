import * as v from 'valibot';
import { finite, whole } from '../schema.ts';

const property = v.picklist([
  /** That the network learned its task, which the others presuppose. */
  'training',
  ...(['RA1', 'RA2', 'RA3', 'RA4'] as const),
  /** RA ceases to occur once skip connections are removed. */
  'no-skip',
  /** It occurs across depths, widths, numbers of classes and datasets. */
  'scope',
  /** It comes with generalization. */
  'generalization',
  /** It comes with neural collapse. */
  'collapse',
  /** It provably occurs in the Unconstrained Jacobians Model. */
  'theory',
  /** What the paper leaves open. */
  'beyond',
]);
/** Which of the paper's claims a number belongs to. */
export type Property = v.InferOutput<typeof property>;
export const properties = property.options;

const verdict = v.picklist(['holds', 'does not hold', 'not measurable']);
export type Verdict = v.InferOutput<typeof verdict>;

const threshold = v.object({ atLeast: v.exactOptional(finite), atMost: v.exactOptional(finite) });
/** Where a value must lie, bounds included. Thresholds are ours unless stated otherwise. */
export type Threshold = Readonly<v.InferOutput<typeof threshold>>;

const maybe = v.nullable(v.number());

/** A claim as judged: the shape in which files record it and pages show it. */
export const evidence = v.object({
  property,
  id: v.string(),
  /** What is claimed, in words: "representations lie on a line". */
  title: v.string(),
  /** What is measured, in words, and in which runs. */
  measure: v.string(),
  threshold,
  /** One number per seed; null where it is undefined or its run is missing. */
  values: v.pipe(v.array(maybe), v.readonly()),
  /** Their mean. */
  value: maybe,
  /** Population standard deviation over seeds; for one seed, over samples if the value is a mean of them. */
  spread: maybe,
  /** 95% confidence interval, where the value is a fit or a rank correlation. */
  interval: v.exactOptional(v.pipe(v.tuple([finite, finite]), v.readonly())),
  /** What the value may be off by, if known. */
  uncertainty: v.exactOptional(maybe),
  /** The same measure at initialization and in the control, means over seeds; null if there is none. */
  atInitialization: maybe,
  control: maybe,
  /** What the control is: "the same without skip connections". */
  controlLabel: v.exactOptional(v.string()),
  /** Number of seeds in which it holds. */
  holding: whole(),
  /** Holds if it does for every seed; not measurable if it is not measurable for one. */
  verdict,
  /** Why it is not measurable. */
  reason: v.exactOptional(v.string()),
});
export type Evidence = Readonly<v.InferOutput<typeof evidence>>;

/** A threshold in words: `≥ 0.95`, `−1.5 … −0.8`. */
export function thresholdInWords({ atLeast, atMost }: Threshold): string {
  if (atLeast === undefined) return `≤ ${short(atMost!)}`;
  return atMost === undefined ? `≥ ${short(atLeast)}` : `${short(atLeast)} … ${short(atMost)}`;
}

export const short = (x: number): string => String(+(+x.toFixed(4) || x).toPrecision(6)).replace('-', '−');

/** The verdict on one number: not measurable if undefined, or if a threshold lies within its uncertainty. */
export function verdictOn(value: number | null | undefined, threshold: Threshold, uncertainty = 0): Verdict {
  if (value == null || !Number.isFinite(value)) return 'not measurable';
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = threshold;
  const [low, high] = [value - uncertainty, value + uncertainty];
  if (low >= atLeast && high <= atMost) return 'holds';
  return high < atLeast || low > atMost ? 'does not hold' : 'not measurable';
}
