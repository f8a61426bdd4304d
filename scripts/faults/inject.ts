/**
 * Loaded into a `reproduce` process (`--import`) before anything else: fails one file operation, or loses
 * the device at one submit, as the environment variable COLLIMATE_FAULT says. Nothing in src knows of it.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

export const VARIABLE = 'COLLIMATE_FAULT';

/** Error codes, a write of which only half arrives, or a device that is lost. */
export type Kind = 'ENOSPC' | 'EACCES' | 'short' | 'lost';

export interface Fault {
  /** Operations on files below it are counted. */
  readonly root: string;
  /** Each operation adds a line here, and the failing one a second. */
  readonly log: string;
  /** In which process: the command's or a worker's. */
  readonly role: 'command' | 'worker';
  /** The operation that fails, from 0; none if negative. */
  readonly at: number;
  readonly kind: Kind;
}

export interface Counted {
  readonly role: Fault['role'];
  readonly operation: string;
  readonly file: string;
  readonly failed?: Kind;
}

const writes = ['writeFileSync', 'appendFileSync'] as const;
const others = ['openSync', 'renameSync', 'mkdirSync', 'rmSync', 'readFileSync', 'readdirSync'] as const;
export const isWrite = (operation: string): boolean => (writes as readonly string[]).includes(operation);

const given = process.env[VARIABLE];
if (given) install(JSON.parse(given) as Fault);

function install({ root, log, role, at, kind }: Fault): void {
  const own: Fault['role'] = basename(process.argv[1] ?? '').startsWith('worker') ? 'worker' : 'command';
  const { appendFileSync, existsSync, writeFileSync } = fs;
  const fired = `${log}.fired`;
  let count = 0;
  let inside = false;

  /** Counts an operation, and returns whether it is to fail: only once, even with many processes. */
  const meets = (operation: string, file: string): boolean => {
    const fails = own === role && count === at && !existsSync(fired);
    count++;
    const line: Counted = { role: own, operation, file, ...(fails && { failed: kind }) };
    appendFileSync(log, `${JSON.stringify(line)}\n`);
    if (fails) writeFileSync(fired, '');
    return fails;
  };

  if (kind === 'lost') {
    void loseDevice(meets);
    return;
  }
  const failure = (code: string, operation: string, path: string) =>
    Object.assign(new Error(`${code}: made to fail, ${operation} '${path}'`), { code, syscall: operation });
  const functions = fs as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const operation of [...writes, ...others]) {
    const original = functions[operation]!;
    functions[operation] = (...args) => {
      const [path, contents] = args;
      // What Node's own functions call in turn belongs to them.
      if (inside || typeof path !== 'string' || !path.startsWith(root)) return original(...args);
      inside = true;
      try {
        if (!meets(operation, path.slice(root.length))) return original(...args);
        if (kind !== 'short' || !isWrite(operation))
          throw failure(kind === 'short' ? 'ENOSPC' : kind, operation, path);
        const bytes = Buffer.from(contents as string | Uint8Array);
        original(path, bytes.subarray(0, bytes.length >> 1), args[2]);
        throw failure('ENOSPC', operation, path);
      } finally {
        inside = false;
      }
    };
  }
  syncBuiltinESMExports();
}

async function loseDevice(meets: (operation: string, file: string) => boolean): Promise<void> {
  const { globals } = await import('webgpu');
  const { GPUAdapter, GPUQueue } = globals as unknown as {
    GPUAdapter: { prototype: GPUAdapter };
    GPUQueue: { prototype: GPUQueue };
  };
  const { requestDevice } = GPUAdapter.prototype;
  const { submit } = GPUQueue.prototype;
  const devices = new Map<GPUQueue, GPUDevice>();
  GPUAdapter.prototype.requestDevice = async function (...args) {
    const device = await requestDevice.apply(this, args);
    devices.set(device.queue, device);
    return device;
  };
  GPUQueue.prototype.submit = function (commands) {
    if (meets('submit', '')) devices.get(this)?.destroy();
    return submit.call(this, commands);
  };
}
