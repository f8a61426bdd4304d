import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { CollimateError } from '../errors.ts';
import { version } from './home.ts';

/** What reports are drawn with. */
export const REPORT_PACKAGES = ['@observablehq/plot', 'linkedom', '@resvg/resvg-js', 'dejavu-fonts-ttf'];

export function packageFolder(name: string): string | undefined {
  const places = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return places.map((place) => join(place, name)).find((folder) => existsSync(join(folder, 'package.json')));
}

export function packageVersion(name: string): string | undefined {
  const folder = packageFolder(name);
  return folder && JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

/** Packages whose versions are recorded with results. */
export const versions = (): Record<string, string> => ({
  collimate: version,
  node: process.versions.node,
  webgpu: packageVersion('webgpu') ?? 'not installed',
});

/**
 * Asks for packages before they are imported: experiments alone need them, so the library leaves them out.
 * @throws CollimateError with those that are not installed, and the command that installs them
 */
export function needPackages(purpose: string, names: readonly string[]): void {
  const missing = names.filter((name) => !packageFolder(name));
  if (missing.length === 0) return;
  const [packages, are] = missing.length === 1 ? ['package', 'is'] : ['packages', 'are'];
  throw new CollimateError(
    `${purpose} needs the ${packages} ${missing.join(', ')}, which ${are} not installed`,
    `Run \`npm install ${missing.join(' ')}\`.`,
  );
}
