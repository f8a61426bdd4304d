import type { Tensors } from './network.ts';

/** The F32 tensors of a safetensors file, whose header is JSON behind eight bytes that hold its length. */
export function parseSafetensors(file: Uint8Array): Tensors {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
  const tensors: Tensors = new Map();
  for (const [name, { dtype, data_offsets }] of Object.entries<{ dtype: string; data_offsets: number[] }>(
    header,
  )) {
    if (dtype !== 'F32') continue;
    const [begin, end] = data_offsets as [number, number];
    tensors.set(
      name,
      Float64Array.from({ length: (end - begin) / 4 }, (_, i) =>
        view.getFloat32(start + begin + 4 * i, true),
      ),
    );
  }
  return tensors;
}
