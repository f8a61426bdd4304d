import { Option } from 'commander';
import { tuneModes } from '../tuner/tuner.ts';

/** `--tune`, of the commands that run networks. */
export const tuneOption = (otherwise = 'on'): Option =>
  new Option(
    '--tune <mode>',
    `choose kernels by timing them: what is not known yet (on), everything again (force), or nothing (off) (default: ${otherwise})`,
  ).choices(tuneModes);
