import { CollimateError } from '../errors.ts';
import type { FoundAdapter } from '../gpu/adapter.ts';

/** Replaces node-adapter.ts outside Node, where only `navigator.gpu` gives adapters. */
export function findHostAdapter(_requested?: string, _threads?: number): Promise<FoundAdapter> {
  if (globalThis.isSecureContext === false) {
    throw new CollimateError(
      `the page ${globalThis.location?.origin ?? ''} is not secure, and browsers offer WebGPU to secure pages only`,
      'Serve it over https, or from localhost.',
    );
  }
  throw new CollimateError(
    'this browser does not offer WebGPU',
    'Use a recent Chrome, Edge, Firefox or Safari with hardware acceleration switched on.',
  );
}
