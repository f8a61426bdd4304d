/** Chooses kernels by timing them on the current adapter. See docs/adapters.md. @module collimate/tuner */

export { fileChoices } from '#host/choices';
export type { KernelChooser } from '../gpu/device.ts';
export {
  type Choice,
  type ChoiceStore,
  type TuneMode,
  Tuner,
  type TunerOptions,
  tuneModes,
} from '../tuner/tuner.ts';
