/** Format of the textures that hold copies of buffers: four floats per texel, so a load yields a `vec4f`. */
export const TEXEL_FORMAT = 'rgba32float';
export const TEXEL_BYTES = 16;
/** Texels per row: a power of two, so that shaders find row and column without a division. */
export const TEXELS_PER_ROW = 1024;
const ROW_BYTES = TEXELS_PER_ROW * TEXEL_BYTES;

/** Bytes of the largest buffer with a copy that fits a texture of `rows` rows. */
export const texelCapacity = (rows: number): number => rows * ROW_BYTES;

/** Descriptor of a texture for copies of up to `bytes` bytes, and the bytes it takes itself. */
export function texelTexture(bytes: number): GPUTextureDescriptor & { bytes: number } {
  const height = Math.max(1, Math.ceil(bytes / ROW_BYTES));
  const usage = GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST;
  return { size: [TEXELS_PER_ROW, height], format: TEXEL_FORMAT, usage, bytes: height * ROW_BYTES };
}

/** Encodes a copy of `bytes` bytes of a buffer, starting at `offset`, into such a texture. */
export function copyToTexels(
  encoder: GPUCommandEncoder,
  { buffer, offset = 0 }: GPUBufferBinding,
  bytes: number,
  texture: GPUTexture,
): void {
  const texels = Math.ceil(bytes / TEXEL_BYTES);
  const rows = Math.floor(texels / TEXELS_PER_ROW);
  const rest = texels % TEXELS_PER_ROW;
  const from = { buffer, bytesPerRow: ROW_BYTES };
  if (rows > 0) encoder.copyBufferToTexture({ ...from, offset }, { texture }, [TEXELS_PER_ROW, rows]);
  if (rest > 0) {
    const last = { ...from, offset: offset + rows * ROW_BYTES };
    encoder.copyBufferToTexture(last, { texture, origin: [0, rows] }, [rest, 1]);
  }
}
