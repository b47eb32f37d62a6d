import { Worker } from 'node:worker_threads';
import { limits } from './limits.ts';

/** What the checkpoint thread is asked; it answers each message with an empty one. */
export interface CheckpointRequest {
  /** The generation's file. */
  readonly path: string;
}

/**
 * The thread that writes WALs back, one for all generations that are open on the calling thread. It
 * starts with the first request and does not keep the process alive.
 */
class CheckpointThread {
  #worker: Worker | undefined;
  #waiting: (() => void)[] = [];

  /** Resolves when the thread has done what it could, or is gone. */
  checkpoint(path: string): Promise<void> {
    this.#worker ??= this.#start();
    const request: CheckpointRequest = { path };
    this.#worker.postMessage(request);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): Worker {
    const worker = new Worker(new URL('./checkpoint-worker.ts', import.meta.url), { execArgv: [] });
    worker.on('message', () => this.#waiting.shift()?.());
    // The exit that follows lets everybody go; without a listener it would end the process.
    worker.on('error', () => undefined);
    worker.once('exit', () => {
      this.#worker = undefined;
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
    worker.unref();
    return worker;
  }
}

const thread = new CheckpointThread();

/**
 * Writes the WAL of one live generation back while commits go on. Done by the commits themselves it
 * took most of their time: random pages and two fsyncs, 100 ms every few commits. The commits still do
 * it where this falls behind or fails (`limits.liveWalPages`), and then they meet the error.
 */
export class BackgroundCheckpoint {
  readonly #path: string;
  #rows = 0;
  #running: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** A commit has changed that many rows. */
  wrote(rows: number): void {
    this.#rows += rows;
    if (this.#rows < limits.checkpointRows || this.#running) return;
    this.#rows = 0;
    this.#running = thread.checkpoint(this.#path).then(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when the file is not used here any more. */
  async settled(): Promise<void> {
    await this.#running;
  }
}
