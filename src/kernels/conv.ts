import type { Kernel } from '../gpu/kernel.ts';
import type { AdapterTraits } from '../gpu/traits.ts';
import { type ConvTile, convBroadcastSource } from './conv-broadcast.ts';
import { type ConvSpec, convForm, convKernel, productOf } from './conv-problem.ts';

export type { ConvSpec } from './conv-problem.ts';

export function conv(spec: ConvSpec, traits: AdapterTraits): Kernel {
  return broadcastConv(spec, tileFor(spec, traits.subgroupSize), traits);
}

export function broadcastConv(spec: ConvSpec, tile: ConvTile, traits: AdapterTraits): Kernel {
  const lanes = traits.subgroupSize;
  const form = convForm(spec, Math.min(tile.columns, 4), traits);
  const wgsl = convBroadcastSource(form, tile, lanes);
  return convKernel(
    spec,
    form,
    { rows: tile.rows, cols: tile.columns * lanes },
    form.uniformB ? 'broadcast, B uniform,' : 'broadcast',
    wgsl,
    traits,
  );
}

function tileFor(spec: ConvSpec, lanes: number): ConvTile {
  const { cols, rows } = productOf(spec);
  const most = 32 / lanes;
  const columns = [1, 2, 4, 8].find((c) => c * lanes >= cols || c >= most)!;
  return { rows: spec.part === 'weight' && rows <= 16 ? 16 : 32, columns };
}
