import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { ensureDataset, type FetchProgress } from '../../src/data/fetch.ts';
import { loadDataset } from '../../src/data/load.ts';
import type { Sources } from '../../src/data/locate.ts';
import {
  cifar10Files,
  fashionFiles,
  noise,
  put,
  SOURCES,
  sourceOf,
  tarGz,
  temporaryFolder,
  withSource,
} from './support.ts';

const ARCHIVE = 'cifar-10-binary.tar.gz';
const COUNTS = { train: 20, test: 4 };

type Handler = (request: IncomingMessage, response: ServerResponse, body: Uint8Array) => void;

/** A local server, and the ranges requested from it. */
async function serve(files: ReadonlyMap<string, Uint8Array>, handler: () => Handler) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.range ?? 'all');
    handler()(request, response, files.get(request.url!.slice(1))!);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { asked, url: (name: string) => `http://127.0.0.1:${port}/${name}` };
}

/** Answers a request and returns where its range starts. */
function answer(request: IncomingMessage, response: ServerResponse, body: Uint8Array): number {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': body.length - from,
    ...(from > 0 && { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` }),
  });
  return from;
}

/** Gives what is asked for. */
const ranged: Handler = (request, response, body) => {
  response.end(body.subarray(answer(request, response, body)));
};

/** What cuts the connection, once that many bytes have been received. */
let scissors: { readonly at: number; cut(): void } | undefined;

/** The same, but the connection is cut after some bytes. */
const cutting =
  (after: number): Handler =>
  (request, response, body) => {
    const from = answer(request, response, body);
    scissors = { at: from + after, cut: () => response.destroy() };
    response.write(body.subarray(from, from + after));
  };

const answering =
  (status: number, headers: Record<string, string | number>, body: Uint8Array): Handler =>
  (_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };

let archive: Uint8Array;
beforeAll(async () => {
  archive = await tarGz(
    [...cifar10Files(4)].map(([name, contents]) => ({ name: `cifar-10-batches-bin/${name}`, contents })),
  );
});

let dataDir: string;
let folder: string;
let sources: Sources;
let asked: string[];
let url: (name: string) => string;
let handler: Handler;
const progress: FetchProgress[] = [];
const said: string[] = [];
const ensure = () =>
  ensureDataset('cifar10', {
    dataDir,
    sources,
    onProgress(seen) {
      progress.push(seen);
      if (scissors && seen.received >= scissors.at) scissors.cut();
    },
    say: (message) => said.push(message),
  });
const there = () => readdirSync(folder).sort();
const failure = () =>
  ensure().then(
    () => expect.unreachable(),
    (error) => error,
  );

beforeEach(async () => {
  dataDir = temporaryFolder();
  folder = join(dataDir, 'cifar10');
  progress.length = 0;
  said.length = 0;
  scissors = undefined;
  handler = ranged;
  ({ asked, url } = await serve(new Map([[ARCHIVE, archive]]), () => handler));
  sources = withSource('cifar10', sourceOf(SOURCES.cifar10, url, new Map([[ARCHIVE, archive]]), COUNTS));
});

test('what is missing is fetched, after saying so, and then is there', async () => {
  await ensure();
  expect(said).toEqual([
    expect.stringMatching(/^cifar10 is not in .*cifar10: fetching .* from 127\.0\.0\.1:\d+$/),
  ]);
  expect(there()).toEqual([ARCHIVE]);
  expect(progress.at(-1)).toEqual({ file: ARCHIVE, received: archive.length, total: archive.length });
  const { train } = await loadDataset('cifar10', { dataDir, sources });
  expect(train).toMatchObject({ name: 'cifar10', count: 20 });
  await ensure();
  expect(said).toHaveLength(1);
  expect(asked).toEqual(['all']);
});

test('a connection that is cut goes on from there', async () => {
  const third = Math.ceil(archive.length / 3);
  handler = cutting(third);
  await ensure();
  expect(asked).toEqual(['all', `bytes=${third}-`, `bytes=${2 * third}-`]);
  expect(readFileSync(join(folder, ARCHIVE))).toEqual(Buffer.from(archive));
  expect(there()).toEqual([ARCHIVE]);
});

test('a server that is gone leaves what came, and the next time goes on from there', async () => {
  let calls = 0;
  handler = (...call) => (calls++ === 0 ? cutting(1000)(...call) : call[1].destroy());
  const error = await failure();
  expect(error.message).toMatch(`cannot fetch ${url(ARCHIVE)}: `);
  const part = join(folder, `${ARCHIVE}.part`);
  expect(statSync(part).size).toBe(1000);
  expect(error.remedy).toContain(`continues after the 1000 of ${archive.length} bytes received`);
  expect(error.remedy).toContain(`put ${ARCHIVE} into ${folder} yourself`);
  await expect(loadDataset('cifar10', { dataDir, sources })).rejects.toThrow('cifar10 is not there');

  handler = ranged;
  await ensure();
  expect(asked.at(-1)).toBe('bytes=1000-');
  expect(readFileSync(join(folder, ARCHIVE))).toEqual(Buffer.from(archive));
  expect(there()).toEqual([ARCHIVE]);
});

test('a server that does not go on begins anew, and so does a part that is too long', async () => {
  handler = answering(200, { 'content-length': archive.length }, archive);
  for (const part of [noise(500), noise(archive.length + 1)]) {
    dataDir = temporaryFolder();
    folder = join(dataDir, 'cifar10');
    put(join(folder, `${ARCHIVE}.part`), part);
    await ensure();
    expect(readFileSync(join(folder, ARCHIVE))).toEqual(Buffer.from(archive));
  }
  expect(asked).toEqual(['bytes=500-', 'all']);
});

test.each([0, 1])('who fetches a file that another is fetching gets it, %i halves later', async (late) => {
  const half = archive.length >> 1;
  const rests: (() => void)[] = [];
  handler = (request, response, body) => {
    response.write(body.subarray(answer(request, response, body), half));
    rests.push(() => response.end(body.subarray(half)));
  };
  const received = () => statSync(join(folder, `${ARCHIVE}.part`), { throwIfNoEntry: false })?.size;
  const both = [ensure()];
  if (late) await vi.waitUntil(() => received() === half);
  both.push(ensure());
  await vi.waitUntil(() => rests.length === 2 && received() === half);
  for (const [i, done] of [Promise.race(both), Promise.all(both)].entries()) {
    rests[i]!();
    await done;
    expect(readFileSync(join(folder, ARCHIVE))).toEqual(Buffer.from(archive));
  }
  expect(there()).toEqual([ARCHIVE]);
});

test('a whole part is checked without asking again; a wrong one is removed', async () => {
  put(join(folder, `${ARCHIVE}.part`), archive);
  await ensure();
  expect(there()).toEqual([ARCHIVE]);
  expect(asked).toEqual([]);
});

test('a file with another checksum is not kept', async () => {
  const other = noise(archive.length);
  handler = answering(200, { 'content-length': other.length }, other);
  const error = await failure();
  expect(error.message).toMatch(/is not the published file: it has the SHA-256 checksum [0-9a-f]{64}, where/);
  expect(error.remedy).toContain(folder);
  expect(there()).toEqual([]);
  handler = ranged;
  await ensure();
  expect(there()).toEqual([ARCHIVE]);
});

test.each<[string, () => Handler, string]>([
  ['a shorter file', () => answering(200, { 'content-length': 100 }, noise(100)), 'has 100 bytes, not'],
  ['a longer file', () => answering(200, { 'content-length': 1e5 }, noise(1e5)), 'has 100000 bytes, not'],
  ['a longer file that does not say so', () => answering(200, {}, noise(1e5)), 'has more than'],
  ['nothing', () => answering(200, {}, new Uint8Array(0)), 'the connection ended after 0 of'],
  ['a page that says no', () => answering(404, {}, noise(10)), 'the server answers 404 Not Found'],
  ['an unasked part', () => answering(206, {}, noise(10)), 'the server answers 206 Partial Content'],
])('a server that gives %s is refused', async (_, give, message) => {
  handler = give();
  expect((await failure()).message).toContain(message);
  expect(there().filter((name) => statSync(join(folder, name)).size > 0)).toEqual([]);
});

test('a server that goes on elsewhere than asked is refused', async () => {
  const part = put(join(folder, `${ARCHIVE}.part`), archive.subarray(0, 500));
  const range = { 'content-range': `bytes 400-${archive.length - 1}/${archive.length}` };
  handler = answering(206, range, archive.subarray(400));
  expect((await failure()).message).toContain('requested the bytes from 500 on');
  expect(statSync(part).size).toBe(500);
  handler = answering(206, { 'content-range': 'bytes 500-998/999' }, noise(499));
  expect((await failure()).message).toContain('has 999 bytes, not');
  expect(statSync(part).size).toBe(500);
});

test('only HTTPS is fetched from elsewhere', async () => {
  const source = {
    ...sources.cifar10!,
    files: [{ ...sources.cifar10!.files[0]!, url: 'http://example.org/a.tgz' }],
  };
  sources = withSource('cifar10', source);
  expect((await failure()).message).toBe('http://example.org/a.tgz is not fetched: it is not HTTPS');
});

test.runIf(existsSync('/dev/full'))('a full disk is told, with what is still to come', async () => {
  mkdirSync(folder);
  symlinkSync('/dev/full', join(folder, `${ARCHIVE}.part`));
  const error = await failure();
  expect(error.message).toMatch(/^cannot write .*\.part: ENOSPC/);
  expect(error.remedy).toMatch(/^The disk is full: make room for .* and run `npm run data -- fetch cifar10/);
  expect(there()).toEqual([`${ARCHIVE}.part`]);
});

test('a folder that cannot be made is named', async () => {
  put(folder, 'a file is in the way');
  expect((await failure()).message).toMatch(/^cannot write .*cifar10.*: EEXIST/);
});

test('of several files only those are fetched that are missing', async () => {
  const files = fashionFiles(20, 10);
  const server = await serve(files, () => ranged);
  const fashion = sourceOf(SOURCES.fashion, server.url, files, { train: 20, test: 10 });
  const options = { dataDir, sources: withSource('fashion', fashion), say: () => {} };
  const [first] = [...files];
  put(join(dataDir, 'fashion', first![0]), first![1]);
  await ensureDataset('fashion', options);
  expect(server.asked).toHaveLength(3);
  expect((await loadDataset('fashion', options)).test).toMatchObject({ name: 'fashion', count: 10 });
});

test('what comes with a package or is made on the spot needs no network', async () => {
  await ensureDataset('mnist', { dataDir });
  await ensureDataset('synthetic-images', { dataDir });
  expect(readdirSync(dataDir)).toEqual([]);
});
