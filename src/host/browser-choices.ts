import { CollimateError } from '../errors.ts';
import type { ChoiceStore } from '../tuner/tuner.ts';

/** Replaces choices.ts where there are no files. @throws CollimateError */
export function fileChoices(_file?: string): ChoiceStore {
  throw new CollimateError(
    'choices of kernels are kept in a file, and there are none in a browser',
    'Give the Tuner no store, or one of your own.',
  );
}
