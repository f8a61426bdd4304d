import type { Analysis, Claim } from './results.ts';

/** The paper's claims for one trained network beside its control, each with its verdict. */
export function judge(_analysis: Analysis, _control: Analysis | undefined): Claim[] {
  throw new Error('not written yet');
}
