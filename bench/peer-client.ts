import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ConvShape } from './conv-reference.ts';

/** The window of a network's first convolution. */
type Stem = { readonly size: number; readonly stride: number; readonly padding: number };

/** A layer of `groups` × `rows` vectors of `features` numbers, with its gradients. */
export interface LayerWork {
  readonly kind: 'layer';
  readonly layer: 'attention' | 'layerNorm';
  readonly groups: number;
  readonly rows: number;
  readonly features: number;
}

/** Work for all peers; docs/peers.md defines each kind. */
export type Work =
  | { kind: 'matmul'; m: number; n: number; k: number; transposeA: boolean; transposeB: boolean }
  | ({ kind: 'conv'; gradients: boolean } & ConvShape)
  | LayerWork
  | ({ kind: 'step'; norm: boolean; depth: number; width: number; classes: number; batch: number } & (
      | { network: 'fc'; inputs: number }
      | { network: 'conv'; inputs: readonly [number, number, number]; stem: Stem }
    ))
  | { kind: 'analysis'; samples: number; depth: number; width: number; triples: number };

export interface PeerInfo {
  readonly name: string;
  readonly version: string;
  readonly device: string;
}

export type Answer =
  | { readonly milliseconds: readonly number[]; readonly check: number }
  | { readonly unsupported: string }
  | { readonly error: string };

/** How to start a peer. */
export interface PeerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

const START_MS = 120_000;
const ANSWER_MS = 600_000;

/** A peer process with JSON lines: it says it is ready, answers requests in turn, ends with its input. */
export class PeerProcess implements Disposable {
  readonly info: PeerInfo;
  readonly #child: ChildProcess;
  readonly #lines: Lines;
  #requests = 0;

  private constructor(info: PeerInfo, child: ChildProcess, lines: Lines) {
    this.info = info;
    this.#child = child;
    this.#lines = lines;
  }

  /** The peer, or why there is none. */
  static async start({ name, command, args, cwd }: PeerCommand): Promise<PeerProcess | string> {
    const child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    const lines = new Lines(child);
    try {
      const first = await lines.next(START_MS, isGreeting);
      if ('ready' in first) return new PeerProcess(first.ready as PeerInfo, child, lines);
      child.kill();
      return `${first.unavailable}`;
    } catch (error) {
      child.kill();
      return `${name} did not start: ${(error as Error).message}`;
    }
  }

  /**
   * Times of `repeat` repetitions, each the mean over `times` of the work in a row. If the peer ends or
   * hangs, this and every later request gets an error.
   */
  async request(work: Work, repeat: number, times = 1): Promise<Answer> {
    const id = ++this.#requests;
    this.#child.stdin!.write(`${JSON.stringify({ id, work, repeat, times })}\n`);
    try {
      return (await this.#lines.next(ANSWER_MS, (message) => message.id === id)) as unknown as Answer;
    } catch (error) {
      this.#child.kill();
      return { error: (error as Error).message };
    }
  }

  dispose(): void {
    this.#child.stdin!.end();
    // In case it does not end with its input.
    setTimeout(() => this.#child.kill('SIGKILL'), 2000).unref();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

type Message = Record<string, unknown>;

const isGreeting = (message: Message): boolean => 'ready' in message || 'unavailable' in message;

/** The messages that a process prints; other lines, such as a library's warnings, are ignored. */
class Lines {
  #stderr = '';
  #ended: string | undefined;
  #take: ((message: Message) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(child: ChildProcess) {
    child.stdin!.on('error', () => {}); // Its end is reported below.
    child.stderr!.on('data', (data) => {
      this.#stderr = `${this.#stderr}${data}`.slice(-2000);
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      try {
        this.#take?.(JSON.parse(line) as Message);
      } catch {}
    });
    child.on('error', (error) => this.#end(error.message));
    child.on('close', (status, signal) => {
      const last = this.#stderr.trim().split('\n').at(-1);
      this.#end(`it ended with ${signal ?? `status ${status}`}${last ? `: ${last}` : ''}`);
    });
  }

  /** The next message that `accepts` takes. */
  async next(milliseconds: number, accepts: (message: Message) => boolean): Promise<Message> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Message>((resolve, reject) => {
        if (this.#ended) reject(new Error(this.#ended));
        this.#fail = reject;
        this.#take = (message) => accepts(message) && resolve(message);
        timer = setTimeout(
          () => reject(new Error(`no answer within ${milliseconds / 1000} s`)),
          milliseconds,
        );
      });
    } finally {
      clearTimeout(timer);
      this.#take = undefined;
      this.#fail = undefined;
    }
  }

  #end(reason: string): void {
    this.#ended ??= reason;
    this.#fail?.(new Error(this.#ended));
  }
}
