import type { AdapterTraits } from './kernel.ts';
import { texelCapacity } from './texels.ts';

/** What a run records about its adapter. */
export interface AdapterInfo {
  readonly name: string;
  readonly vendor: string;
  /** The driver's name and version as it reports them; may be empty in browsers. */
  readonly driver: string;
  /** The API beneath WebGPU, if known. */
  readonly backend: 'vulkan' | 'metal' | 'd3d12' | undefined;
  readonly kind: AdapterTraits['kind'];
  /** A GPU, an installed software driver, or the bundled one. */
  readonly source: 'hardware' | 'system' | 'swiftshader';
  /** Threads that lavapipe spreads a dispatch over, if set. */
  readonly threads?: number | undefined;
}

/** An adapter, and what is known about it. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter;
  readonly backend?: AdapterInfo['backend'];
  /** Bytes that all buffers together may take, if known. */
  readonly memory?: number | undefined;
  readonly threads?: number | undefined;
  /** Size of its thread pool for large dispatches, where it has none because most are small. */
  readonly wideThreads?: number | undefined;
  /** Matrices that its subgroups can multiply. */
  readonly halfMatrices?: AdapterTraits['halfMatrices'];
  /** WGSL language extensions it supports. */
  readonly languageFeatures?: ReadonlySet<string> | undefined;
}

/** What rasterizers on the CPU call themselves. */
export const softwareNames = /llvmpipe|lavapipe|swiftshader|basic render|software/i;

export function infoOf({ adapter, backend, threads }: FoundAdapter): AdapterInfo {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const all = `${vendor} ${architecture} ${device} ${description}`;
  const kind = isFallbackAdapter || softwareNames.test(all) ? 'software' : 'hardware';
  return {
    name: device.replace(/-+$/, '') || description || `${vendor} ${architecture}`.trim() || 'unnamed adapter',
    vendor,
    driver: description,
    backend,
    kind,
    source: kind === 'hardware' ? 'hardware' : /swiftshader/i.test(all) ? 'swiftshader' : 'system',
    ...(threads !== undefined && { threads }),
  };
}

export function traitsOf(
  { adapter, languageFeatures, halfMatrices }: FoundAdapter,
  kind: AdapterTraits['kind'],
): AdapterTraits {
  const { limits, features, info } = adapter;
  return {
    kind,
    subgroupSize: features.has('subgroups') ? info.subgroupMinSize : 0,
    maxStorageBuffersPerStage: limits.maxStorageBuffersPerShaderStage,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxUniformBytes: limits.maxUniformBufferBindingSize,
    maxTexelBytes: languageFeatures?.has('readonly_and_readwrite_storage_textures')
      ? texelCapacity(limits.maxTextureDimension2D)
      : 0,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    maxWorkgroupInvocations: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupStorageBytes: limits.maxComputeWorkgroupStorageSize,
    offsetAlignment: Math.max(limits.minStorageBufferOffsetAlignment, limits.minUniformBufferOffsetAlignment),
    f16: features.has('shader-f16'),
    sizedSubgroups: features.has(SIZED),
    halfMatrices,
  };
}

/** Dawn's, not yet WebGPU's. */
export const SIZED = 'subgroup-size-control';
export const MATRICES = 'chromium-experimental-subgroup-matrix';
/** Features the engine can use; each is optional. */
const usefulFeatures = ['subgroups', 'shader-f16', 'timestamp-query', SIZED, MATRICES] as GPUFeatureName[];

/** Asks for all that the adapter can do: limits at their maxima, and the features the engine uses. */
export function deviceDescriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
  const requiredLimits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') requiredLimits[name] = value;
  }
  return { requiredLimits, requiredFeatures: usefulFeatures.filter((name) => adapter.features.has(name)) };
}
