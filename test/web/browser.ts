import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { type Browser, chromium, type Page, type ViewportSize } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Command, Report } from '../../web/protocol.ts';

/** Where Debian and others put Chromium; `CHROMIUM` says otherwise. */
const EXECUTABLE =
  process.env.CHROMIUM ??
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
/** A host that is this machine, and an insecure origin. */
const INSECURE = 'insecure.test';
/** The page must work from any path. */
const PATH = '/some/path/';

const TYPES: Readonly<Record<string, string>> = {
  ...{
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.css': 'text/css',
    '.bin': 'application/octet-stream',
  },
};

/** What a test sees of a page that it opened. */
export interface Opened {
  readonly page: Page;
  /** Errors on its console, and exceptions that nothing caught. */
  readonly errors: string[];
  /** All that the worker has reported of a kind. */
  reports<T extends Report['type']>(type: T): Promise<Extract<Report, { type: T }>[]>;
  /** The first report of a kind, from number `from` on, that passes. */
  report<T extends Report['type']>(
    type: T,
    passes?: (report: Extract<Report, { type: T }>) => boolean,
    from?: number,
  ): Promise<Extract<Report, { type: T }>>;
}

export interface OpenOptions {
  readonly viewport?: ViewportSize;
  readonly colorScheme?: 'light' | 'dark';
  readonly insecure?: boolean;
  readonly browser?: Browser;
  readonly scale?: number;
}

/** Builds the page, serves it and starts a browser, before the tests of a file. */
export function useBrowser() {
  let folder: string;
  let server: Server;
  let browser: Browser;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'collimate-web-'));
    const root = resolve(import.meta.dirname, '../../web');
    await build({
      configFile: join(root, 'vite.config.ts'),
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true },
    });
    server = serve(folder);
    await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(undefined)));
    browser = await launch(WEBGPU);
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens the page with some settings in its address, in a window of its own. */
  const open = async (link = '', options: OpenOptions = {}): Promise<Opened> => {
    const { viewport = { width: 1280, height: 900 }, colorScheme = 'light', scale = 1 } = options;
    const context = await (options.browser ?? browser).newContext({
      ...{
        viewport,
        colorScheme,
        deviceScaleFactor: scale,
        permissions: ['clipboard-read', 'clipboard-write'],
      },
    });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.addInitScript(listen);
    const { port } = server.address() as AddressInfo;
    await page.goto(
      `http://${options.insecure ? INSECURE : '127.0.0.1'}:${port}${PATH}${link && `#${link}`}`,
    );
    return { page, errors, ...reportsOf(page) };
  };
  return { open, launch };
}

/** A headless browser. A missing one is a failure with its remedy: nothing is skipped. */
export function launch(more: readonly string[]): Promise<Browser> {
  if (!EXECUTABLE) throw new Error('Chromium is not installed: on Debian, run `apt-get install chromium`');
  const flags = ['--no-sandbox', '--js-flags=--expose-gc', `--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`];
  return chromium.launch({ executablePath: EXECUTABLE, args: [...flags, ...more] });
}

function serve(folder: string): Server {
  return createServer(({ url }, response) => {
    const { pathname } = new URL(url!, 'http://localhost');
    const file = join(folder, pathname.slice(PATH.length) || 'index.html');
    if (!pathname.startsWith(PATH) || !existsSync(file)) return response.writeHead(404).end();
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'text/plain');
    return response.end(readFileSync(file));
  });
}

/** In the page: keeps workers and what they report. */
function listen(): void {
  const seen: { reports: Report[]; workers: Worker[] } = { reports: [], workers: [] };
  Object.assign(globalThis, { seen });
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      seen.workers.push(this);
      this.addEventListener('message', ({ data }) => seen.reports.push(data));
    }
  };
}

declare const seen: { readonly reports: Report[]; readonly workers: Worker[] };

function reportsOf(page: Page): Pick<Opened, 'report' | 'reports'> {
  const reports = <T extends Report['type']>(type: T) =>
    page.evaluate((wanted) => seen.reports.filter((report) => report.type === wanted), type) as Promise<
      Extract<Report, { type: T }>[]
    >;
  return {
    reports,
    async report(type, passes = () => true, from = 0) {
      for (;;) {
        const found = (await reports(type)).slice(from).find(passes);
        if (found) return found;
        const [failed] = await reports('failed');
        if (failed && type !== 'failed') throw new Error(`the page failed: ${failed.message}`);
        await page.waitForTimeout(50);
      }
    },
  };
}

/** Tells the page's worker something that no button says. */
export const tell = (page: Page, command: Command): Promise<void> =>
  page.evaluate((message) => seen.workers[0]!.postMessage(message), command);

/** Asserts that nothing went wrong on the page, and closes its window. */
export async function closeWell({ page, errors }: Opened): Promise<void> {
  expect(errors, 'errors on the console').toEqual([]);
  await page.context().close();
}
