/**
 * Builds the npm package's `dist`: `npm run build`, also run by `npm pack`. Entries share modules in chunks,
 * so that importing one function brings all rules, which register themselves; declarations stay a file each.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { parseSync, Visitor } from 'oxc-parser';

const ROOT = resolve(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');

const ENTRIES = {
  index: 'index',
  models: 'models/index',
  train: 'train/index',
  analysis: 'analysis/index',
  tuner: 'host/tuner',
  // What package.json's `imports` choose from.
  'node-adapter': 'host/node-adapter',
  'browser-adapter': 'host/browser-adapter',
  'node-choices': 'host/choices',
  'browser-choices': 'host/browser-choices',
  // Programs
  collimate: 'cli/collimate',
  worker: 'cli/worker',
  probe: 'cli/probe',
};

/** All that is built lies side by side in one folder. */
const beside = (text: string) =>
  text.replaceAll(/new URL\('\.\/([\w-]+)\.ts', import\.meta\.url\)/g, "new URL('./$1.js', import.meta.url)");

/** Strips indentation and comments from WGSL: a tenth of what minifiers cannot shorten. */
function dense(text: string): string {
  const parts: { start: number; end: number }[] = [];
  new Visitor({ TemplateElement: (element) => void parts.push(element) }).visit(
    parseSync('kernel.ts', text).program,
  );
  let result = text;
  for (const { start, end } of parts.sort((a, b) => b.start - a.start)) {
    const wgsl = text.slice(start, end).replaceAll(/\n[ \t]*\/\/[^\n]*(?=\n)/g, '');
    result = result.slice(0, start) + wgsl.replaceAll(/\n[ \t]+/g, '\n') + result.slice(end);
  }
  return result;
}

const sources: Plugin = {
  name: 'sources',
  setup({ onLoad }) {
    onLoad({ filter: /src\/(cli|kernels)\/.*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      return { contents: path.includes('/cli/') ? beside(text) : dense(text), loader: 'ts' };
    });
  },
};

const FACES = ['index', 'models/index', 'train/index', 'analysis/index', 'host/tuner'].map(
  (face) => `${face}.d.ts`,
);

rmSync(DIST, { recursive: true, force: true });
const tsc = join(ROOT, 'node_modules/@typescript/native/bin/tsc');
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' });
const names = new Set<string>();
for (const file of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.d.ts')) continue;
  const path = join(DIST, file);
  const text = readFileSync(path, 'utf8').replaceAll(/(from |import\()'(\.[^']+)\.ts'/g, "$1'$2.js'");
  for (const [name] of text.replaceAll(/\/\*[\s\S]*?\*\//g, '').matchAll(/\bGPU(?:[A-Z][a-z]\w*)?\b/g))
    names.add(name);
  const depth = file.split('/').length - 1;
  const reference = `/// <reference path="${'../'.repeat(depth) || './'}globals.d.ts" />\n`;
  writeFileSync(path, FACES.includes(file) ? reference + text : text);
}
/*
 * Since version 6, TypeScript's library for browsers has WebGPU's interfaces. Elsewhere these stand for
 * them; where they are known, an interface without members adds nothing.
 */
const interfaces = [...names].sort().map((name) => `interface ${name} {}\n`);
writeFileSync(
  join(DIST, 'globals.d.ts'),
  `/// <reference lib="esnext.disposable" />\n${interfaces.join('')}`,
);
await build({
  entryPoints: Object.entries(ENTRIES).map(([out, source]) => ({ out, in: join(ROOT, `src/${source}.ts`) })),
  outdir: DIST,
  ...{ bundle: true, splitting: true, format: 'esm', platform: 'neutral', target: 'es2022' },
  ...{ packages: 'external', external: ['node:*', '#host/*'], sourcemap: true, logLevel: 'warning' },
  plugins: [sources],
});
