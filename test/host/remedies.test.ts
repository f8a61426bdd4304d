import { expect, it } from 'vitest';
import { remedies } from '../../src/host/remedies.ts';
import type { SystemFacts } from '../../src/host/system.ts';

const bare: SystemFacts = {
  platform: 'linux',
  arch: 'x64',
  distribution: 'debian',
  release: '12',
  loader: true,
  manifests: [],
  environment: {},
  nvidia: false,
  renderNodes: [],
  container: false,
};
const onlyBundled = { gpu: false, system: false, swiftshader: true, warnings: '' };
const advise = (facts: Partial<SystemFacts>, found = {}) =>
  remedies({ ...bare, ...facts }, { ...onlyBundled, ...found }).join('\n');

it('sends Debian 12 to backports, and says that its own Mesa is too old', () => {
  const warnings = 'Vulkan shaderUniform*ArrayDynamicIndexing required.';
  expect(advise({}, { warnings })).toMatch(
    /too old: Dawn refuses Mesa 22[\s\S]*-t bookworm-backports mesa-vulkan-drivers/,
  );
});

it('names the package of newer Debian, Ubuntu, Fedora, Arch and others', () => {
  expect(advise({ release: '13' })).toContain('`sudo apt install mesa-vulkan-drivers libvulkan1`');
  expect(advise({ distribution: 'ubuntu', release: '24.04' })).toContain(
    '`sudo apt install mesa-vulkan-drivers',
  );
  expect(advise({ distribution: 'fedora', release: '43' })).toContain(
    'dnf install mesa-vulkan-drivers vulkan-loader',
  );
  expect(advise({ distribution: 'arch', release: '' })).toContain('pacman -S vulkan-swrast');
  expect(advise({ distribution: 'void', release: '' })).toContain("Mesa's Vulkan drivers");
});

it('notices a missing loader', () => {
  expect(advise({ loader: false })).toContain('The Vulkan loader is missing too');
});

it('knows an NVIDIA GPU in a container, and outside one', () => {
  const inside = advise({ nvidia: true, container: true, loader: false }, { swiftshader: false });
  expect(inside).toContain('--gpus all -e NVIDIA_DRIVER_CAPABILITIES=all');
  expect(inside).toContain('/etc/vulkan/icd.d/nvidia_icd.json');
  expect(inside).toContain('The container also needs the Vulkan loader');
  expect(advise({ nvidia: true, container: true, loader: false })).not.toContain(
    'also needs the Vulkan loader',
  );
  expect(advise({ nvidia: true })).toContain('libnvidia-gl');
  expect(advise({ nvidia: true, manifests: ['/etc/vulkan/icd.d/nvidia_icd.json'] })).toContain('535');
});

it('notices a GPU that may not be opened, and one without a driver', () => {
  const path = '/dev/dri/renderD128';
  expect(advise({ renderNodes: [{ path, usable: false }] })).toContain('usermod -aG render');
  expect(advise({ renderNodes: [{ path, usable: true }] })).toContain(`GPU at ${path}, but no Vulkan driver`);
});

it('notices drivers hidden by the environment', () => {
  expect(advise({ environment: { VK_DRIVER_FILES: '' } })).toContain('VK_DRIVER_FILES');
});

it('has nothing to say where a GPU works', () => {
  expect(advise({ nvidia: true }, { gpu: true, system: true })).toBe('');
  expect(advise({ platform: 'darwin' }, { gpu: true })).toBe('');
});
