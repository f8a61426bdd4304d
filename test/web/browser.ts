import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { type Browser, chromium, type Page, type ViewportSize } from 'playwright-core';
import { build } from 'vite';
import { expect } from 'vitest';
import type { Report } from '../../web/protocol.ts';

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

/** A test's view of an opened page. */
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
  readonly insecure?: boolean;
  readonly browser?: Browser;
  readonly scale?: number;
  /** What the worker runs first. */
  readonly script?: string;
}

let shared: Promise<{ readonly port: number; readonly browser: Browser }> | undefined;

/** Builds the page, serves it and starts a browser, once for all test files; all end with this process. */
async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'collimate-web-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  const configFile = resolve(import.meta.dirname, '../../web/vite.config.ts');
  await build({ configFile, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
  const server = serve(folder).unref();
  await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(undefined)));
  return { port: (server.address() as AddressInfo).port, browser: await launch(WEBGPU) };
}

/** Opens the page with some settings in its address, in a window of its own. */
export async function open(link = '', options: OpenOptions = {}): Promise<Opened> {
  shared ??= start();
  const { port, browser } = await shared;
  const { viewport = { width: 1280, height: 900 }, scale: deviceScaleFactor = 1 } = options;
  const permissions = ['clipboard-read', 'clipboard-write'];
  const context = await (options.browser ?? browser).newContext({ viewport, deviceScaleFactor, permissions });
  context.setDefaultTimeout(0); // What hangs is ended by the test's own limit.
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.addInitScript(listen);
  if (options.script) {
    await page.route('**/worker-*.js', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `${options.script}\n${await response.text()}` });
    });
  }
  const host = options.insecure ? INSECURE : '127.0.0.1';
  await page.goto(`http://${host}:${port}${PATH}${link && `#${link}`}`);
  return { page, errors, ...reportsOf(page) };
}

/** A headless browser. A missing one is a failure with its remedy: nothing is skipped. */
export function launch(more: readonly string[]): Promise<Browser> {
  if (!EXECUTABLE) throw new Error('Chromium is not installed: on Debian, run `apt-get install chromium`');
  const flags = ['--no-sandbox', '--js-flags=--expose-gc', `--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`];
  return chromium.launch({ executablePath: EXECUTABLE, args: [...flags, ...more], timeout: 0 });
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

/** In the page: keeps what workers report. */
function listen(): void {
  const seen: { reports: Report[] } = { reports: [] };
  Object.assign(globalThis, { seen });
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      this.addEventListener('message', ({ data }) => seen.reports.push(data));
    }
  };
}

declare const seen: { readonly reports: Report[] };

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

/** The browser's processes for pages and for the device, as it reports them. */
export async function processesOf(page: Page) {
  const session = await page.context().browser()!.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.filter(({ type }) => type === 'renderer' || type === 'GPU');
}

/** Run first by a worker, counts its work at the device, for {@link standsStill}. */
export const COUNTS_WORK = `const work = { pending: 0, submits: 0 };
const { submit } = GPUQueue.prototype;
GPUQueue.prototype.submit = function (...given) {
  submit.apply(this, given);
  work.pending++;
  work.submits++;
  this.onSubmittedWorkDone().finally(() => work.pending--);
};
globalThis.work = work;`;

declare const work: { readonly pending: number; readonly submits: number };

/**
 * Resolves when the worker has gone to sleep thirty times in a row with no work at the device: longer than
 * between two chunks of steps, however slow the machine.
 */
export async function standsStill(page: Page): Promise<void> {
  await page.workers()[0]!.evaluate(async () => {
    for (let quiet = 0, before = -1; quiet < 30; ) {
      quiet = work.pending === 0 && work.submits === before ? quiet + 1 : 0;
      before = work.submits;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
}

/** Resolves when the page has drawn some times, as it does after its window has changed. */
export async function drawsAgain(page: Page): Promise<void> {
  await page.evaluate(async () => {
    for (let frame = 0; frame < 20; frame++) await new Promise(requestAnimationFrame);
  });
}

/** Asserts that nothing went wrong on the page, and closes its window. */
export async function closeWell({ page, errors }: Opened): Promise<void> {
  expect(errors, 'errors on the console').toEqual([]);
  await page.context().close();
}
