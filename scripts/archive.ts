/**
 * Packs Node, dependencies and the project to run on Linux without Node, npm or a network:
 * `npm run archive -- [--out <file>.tar.xz]`; unpack it there and run `./collimate doctor`. See docs/ci.md.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { checkTarget } from '../src/atomic-write.ts';
import { main } from '../src/cli/main.ts';
import { CollimateError } from '../src/errors.ts';
import { formatBytes } from '../src/gpu/failures.ts';

const LIMIT = 64 * 2 ** 20;
const ROOT = resolve(import.meta.dirname, '..');

/** Packages that only check, build or describe the project, left out with what they alone need. */
const TOOLS = new Set([
  ...['@biomejs/biome', '@typescript/native', '@webgpu/types', 'typescript'],
  ...['@arethetypeswrong/core', 'oxc-parser', 'playwright-core', 'publint', 'typedoc', 'webpack'],
]);

/** Parts of packages that no command needs: other systems' programs, sources, SwiftShader's browser. */
const omitted = [
  /^(@types|\.vite.*|\.cache)(\/|$)|^\.bin\/(tsc|biome)$/,
  /^fashion-mnist(\/|$)/, // 28 MiB, where somebody has installed it
  /^koffi\/(src|lib|vendor|doc)(\/|$)/, // its sources
  /^@koromix\/koffi-linux-x64\/musl/,
  /^d3\/dist\/d3(\.min)?\.js$|^@observablehq\/plot\/dist\//, // for pages without modules
  /^webgpu\/dist\/(?!linux-x64)/,
  /^lightningcss/, // which vite loads for style sheets only
  /^@img\/sharp-(?!(libvips-)?linux-x64(\/|$))/,
  /^@resvg\/resvg-js-(?!linux-x64-gnu(\/|$))/,
  /^dejavu-fonts-ttf\/(?!package\.json$|LICENSE$|ttf$|ttf\/DejaVuSans(-Bold)?\.ttf$)/, // figures use no others
  /^@sparticuz\/chromium\/bin\/(?!swiftshader)/,
  /\/prebuilds\//, // of the bare-* packages, for another runtime
  /^(\.bin|esbuild\/bin)\/esbuild$/, // a copy of the program in @esbuild/linux-x64
  /\.(map|md|d\.[cm]?ts)$/,
];

interface Locked {
  readonly [kind: `${string}ependencies`]: Record<string, string> | undefined;
  readonly peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}
const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
const packages: Record<string, Locked> = JSON.parse(lock).packages;

/** Where package `name` is found from the one at `from`: beside it, or further up. */
function found(name: string, from: string): string | undefined {
  const at = `${from && `${from}/`}node_modules/${name}`;
  if (at in packages || !from) return at in packages ? at : undefined;
  return found(name, from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/'))));
}

/** Adds the paths of all packages that the one at `path` needs, directly or not. */
function needed(path = '', all = new Set<string>()): Set<string> {
  const { peerDependenciesMeta: peers = {}, ...of } = packages[path]!;
  const names = [
    ...Object.keys({ ...of.dependencies, ...of.optionalDependencies }),
    ...Object.keys({ ...of.peerDependencies }).filter((name) => !peers[name]?.optional),
    ...(path ? [] : Object.keys({ ...of.devDependencies }).filter((name) => !TOOLS.has(name))),
  ];
  for (const name of names) {
    const at = found(name, path);
    if (at && !all.has(at)) needed(at, all.add(at));
  }
  return all;
}
const ofCommands = needed();

/** Whether the archive holds a path of node_modules. */
export function isPacked(path: string): boolean {
  const [owner = 'node_modules'] = `node_modules/${path}`.match(/.*node_modules\/(@[^/]+\/)?[^/]+/) ?? [];
  return (ofCommands.has(owner) || !(owner in packages)) && !omitted.some((pattern) => pattern.test(path));
}

/** Copies everything that the archive holds into a folder. */
export function stage(folder: string): void {
  for (const file of projectFiles()) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file));
  }
  const modules = join(ROOT, 'node_modules');
  cpSync(modules, join(folder, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => isPacked(relative(modules, path)),
  });
  mkdirSync(join(folder, 'node/bin'), { recursive: true });
  cpSync(process.execPath, join(folder, 'node/bin/node'));
  cpSync(join(ROOT, 'scripts/collimate'), join(folder, 'collimate'));
  leanSwiftShader(join(folder, 'node_modules/@sparticuz/chromium/bin/swiftshader.tar.br'));
  stripSymbols(
    ['node/bin/node', 'node_modules/webgpu/dist/linux-x64/dawn.node'].map((file) => join(folder, file)),
  );
}

/** Packs SwiftShader anew without its OpenGL, which is most of it. */
function leanSwiftShader(file: string): void {
  const tar = file.replace('.br', '');
  writeFileSync(tar, brotliDecompressSync(readFileSync(file)));
  execFileSync('tar', ['--delete', '-f', tar, 'libEGL.so', 'libGLESv2.so']);
  writeFileSync(file, brotliCompressSync(readFileSync(tar)));
  rmSync(tar);
}

/** Takes symbols out of programs, where binutils are installed. */
function stripSymbols(files: readonly string[]): void {
  const { error } = spawnSync('strip', files, { stdio: 'inherit' });
  if (error) console.error(`note: the archive keeps symbols: ${error.message}`);
}

/** The project as it stands, less what git ignores. */
function projectFiles(): string[] {
  const options = ['--cached', '--others', '--exclude-standard', '-z'];
  const listed = execFileSync('git', ['ls-files', ...options], { cwd: ROOT, encoding: 'utf8' });
  return listed.split('\0').filter((file) => file && existsSync(join(ROOT, file)));
}

function checkNode(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new CollimateError(
      `the archive is for linux x64, and this is ${process.platform} ${process.arch}`,
      'Make it on the kind of machine where it is to run.',
    );
  }
  const { node_shared } = process.config.variables as { node_shared?: boolean };
  if (node_shared) {
    throw new CollimateError(
      `${process.execPath} needs a libnode.so beside it, so it cannot be packed by itself`,
      'Use a Node from https://nodejs.org, which is one file.',
    );
  }
}

if (process.argv[1] === import.meta.filename) {
  await main(async () => {
    checkNode();
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const name = `collimate-${version}-linux-x64`;
    const { out } = parseArgs({
      options: { out: { type: 'string', default: `results/${name}.tar.xz` } },
    }).values;
    checkTarget(resolve(out));
    const temporary = mkdtempSync(join(tmpdir(), 'collimate-archive-'));
    try {
      stage(join(temporary, name));
      execFileSync(
        'tar',
        ['--create', '--xz', '--sort=name', '--owner=0', '--group=0', '-f', resolve(out), name],
        {
          cwd: temporary,
          // Programs are most of it: jumps of x86 to one place look alike with their targets made absolute.
          env: { ...process.env, XZ_OPT: '--x86 --lzma2=preset=9e,dict=256MiB,nice=273 --threads=1' },
        },
      );
    } finally {
      rmSync(temporary, { recursive: true });
    }
    const bytes = statSync(out).size;
    console.log(`${out}: ${formatBytes(bytes)} (${bytes} bytes)`);
    if (bytes <= LIMIT) return 0;
    throw new CollimateError(
      `the archive is larger than ${formatBytes(LIMIT)}`,
      'Find what is new with `tar -tvf`, and add what no command needs to `omitted` in scripts/archive.ts.',
    );
  });
}
