import { Option } from 'commander';
import { tuneModes } from '../tuner/tuner.ts';

/** `--adapter`, of all commands that open a device. */
export const adapterOption = (): Option =>
  new Option(
    '--adapter <name>',
    'gpu, system, swiftshader or part of an adapter name (default: $COLLIMATE_ADAPTER)',
  );

/** `--tune`, of the commands that run networks. */
export const tuneOption = (otherwise = 'on'): Option =>
  new Option(
    '--tune <mode>',
    `choose kernels by timing them: those not timed yet (on), all of them again (force), or none (off) (default: ${otherwise})`,
  ).choices(tuneModes);
