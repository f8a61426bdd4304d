import type { SystemFacts } from './system.ts';

/** Results of trying adapters: the sources that gave one, and what Dawn and the drivers wrote meanwhile. */
export interface Outcome {
  readonly gpu: boolean;
  readonly system: boolean;
  readonly swiftshader: boolean;
  readonly warnings: string;
}

/** How to get the missing adapters on this system, the most useful step first. */
export function remedies(facts: SystemFacts, found: Outcome): string[] {
  if (facts.platform !== 'linux') {
    return found.gpu
      ? []
      : ['Update the graphics driver: WebGPU comes with Metal on macOS and Direct3D 12 on Windows.'];
  }
  const advice: string[] = [];
  if (facts.environment.VK_DRIVER_FILES !== undefined || facts.environment.VK_ICD_FILENAMES !== undefined) {
    if (!found.gpu && !found.system) {
      advice.push(
        'VK_DRIVER_FILES or VK_ICD_FILENAMES hides all other Vulkan drivers: unset it unless it is meant.',
      );
    }
  }
  if (!found.gpu && facts.nvidia) advice.push(...nvidia(facts, found));
  const closed = facts.renderNodes.filter((node) => !node.usable);
  if (!found.gpu && closed.length > 0) {
    advice.push(
      `There is a GPU, but this user may not open ${closed[0]!.path}: \`sudo usermod -aG render $USER\`, then log in again.`,
    );
  } else if (!found.gpu && facts.renderNodes.length > 0 && !facts.nvidia) {
    advice.push(
      `There is a GPU at ${facts.renderNodes[0]!.path}, but no Vulkan driver for it: ${installDriver(facts)}`,
    );
  }
  if (!found.gpu && !found.system) advice.push(software(facts, found));
  return advice;
}

function nvidia(facts: SystemFacts, found: Outcome): string[] {
  const loader = facts.loader || found.swiftshader; // SwiftShader brings one that finds all drivers
  if (facts.manifests.some((path) => path.includes('nvidia')) && loader) {
    return [
      'An NVIDIA GPU is visible, but its Vulkan driver gives no adapter: it should be version 535 or newer.',
    ];
  }
  if (!facts.container) {
    return [
      "An NVIDIA GPU is visible, but its Vulkan driver is not: install the driver's graphics libraries (`libnvidia-gl-…`).",
    ];
  }
  return [
    'An NVIDIA GPU is visible, but containers get only its compute libraries unless configured otherwise: ' +
      'start with `docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …` (graphics is the part that Vulkan needs).',
    ...(loader
      ? []
      : [`The container also needs the Vulkan loader: ${install(facts, 'libvulkan1', 'vulkan-loader')}`]),
    "If the manifest is still missing, look for it with `find / -name 'nvidia_icd*.json'` and set VK_DRIVER_FILES to its path, " +
      'or write {"file_format_version": "1.0.0", "ICD": {"library_path": "libGLX_nvidia.so.0", "api_version": "1.3"}} ' +
      'to /etc/vulkan/icd.d/nvidia_icd.json (without X11 libraries: "libEGL_nvidia.so.0").',
  ];
}

function software(facts: SystemFacts, found: Outcome): string {
  const gain = found.swiftshader
    ? 'The bundled SwiftShader works; lavapipe, a driver to install, is several times faster.'
    : 'Without a GPU, lavapipe is the driver to install.';
  const tooOld = /ArrayDynamicIndexing/.test(found.warnings)
    ? ' The driver that is installed is too old: Dawn refuses Mesa 22.'
    : '';
  const loader = facts.loader ? '' : ' The Vulkan loader is missing too; the same command brings it.';
  return `${gain}${tooOld}${loader} ${installDriver(facts)}`;
}

function installDriver(facts: SystemFacts): string {
  if (facts.distribution === 'debian' && Number(facts.release) <= 12) {
    return (
      'Debian 12 has one in its backports only: add them (https://backports.debian.org/Instructions/), then ' +
      '`sudo apt update && sudo apt install -t bookworm-backports mesa-vulkan-drivers libvulkan1`.'
    );
  }
  return install(facts, 'mesa-vulkan-drivers libvulkan1', 'mesa-vulkan-drivers vulkan-loader');
}

function install({ distribution }: SystemFacts, debian: string, other: string): string {
  if (['debian', 'ubuntu', 'linuxmint', 'pop'].includes(distribution))
    return `\`sudo apt install ${debian}\`.`;
  if (['fedora', 'rhel', 'centos', 'rocky', 'almalinux', 'amzn'].includes(distribution))
    return `\`sudo dnf install ${other}\`.`;
  if (distribution === 'arch') return '`sudo pacman -S vulkan-swrast vulkan-icd-loader`.';
  return `install the packages with Mesa's Vulkan drivers (25 or newer is tested) and the Vulkan loader; on Debian \`${debian}\`.`;
}
