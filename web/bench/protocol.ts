import type { Row } from '../../bench/result.ts';
import type { Roofline } from '../../bench/roofline.ts';
import type { AdapterInfo } from '../../src/gpu/adapter.ts';

/** What the benchmarks' worker tells the page. */
export type BenchReport =
  | { readonly type: 'ceilings'; readonly adapter: AdapterInfo; readonly roofline: Roofline }
  | { readonly type: 'measuring'; readonly suite: string }
  | { readonly type: 'row'; readonly row: Row }
  | { readonly type: 'finished' }
  | { readonly type: 'failed'; readonly message: string; readonly remedy: string | undefined };
