import { Worker } from 'node:worker_threads';
import type { Clock } from '@annals/core';
import { type AppendResult, EventLogError, type Expected, type NewEvent } from '@annals/event-log';
import type { WriterSettings } from './log-file.ts';
import { sqliteLimits } from './sqlite-limits.ts';
import {
  type AppendsMessage,
  type CloseMessage,
  decodeResults,
  encodeAppend,
  type Fields,
  type WriterError,
  type WriterMessage,
  type WriterOptions,
} from './writer-protocol.ts';

export interface WriterStatistics {
  /** Transactions that stored events. */
  readonly commits: number;
  /** Appends answered `stored` for the first time: more than `commits` where appends shared one. */
  readonly appends: number;
  readonly events: number;
  /** Appends answered with an earlier result. */
  readonly duplicates: number;
  /** Transactions that failed as a whole. */
  readonly failures: number;
  /** Appends under way, and their bytes. */
  readonly queueDepth: number;
  readonly queueBytes: number;
}

/** Bounds of the queue; tests make it small. */
export interface QueueLimits {
  readonly queueAppendsMax: number;
  readonly queueBytesMax: number;
}

interface Waiting {
  readonly bytes: number;
  resolve(result: AppendResult): void;
  reject(error: Error): void;
}

/**
 * The calling thread's end of the writer thread: collects the appends of one turn of the event loop
 * into one message, and gives each its answer. The thread keeps the process alive only while an
 * append is under way.
 */
export class WriterClient {
  readonly settings: WriterSettings;
  readonly #worker: Worker;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #limits: QueueLimits;
  readonly #onStored: () => void;
  readonly #ended: Promise<void>;
  #waiting: Waiting[] = [];
  #queueBytes = 0;
  #fields: Fields = [];
  #unsent = 0;
  #gone = false;
  readonly #counts = { commits: 0, appends: 0, events: 0, duplicates: 0, failures: 0 };

  private constructor(
    worker: Worker,
    settings: WriterSettings,
    options: {
      readonly clock: Pick<Clock, 'now'>;
      readonly limits: QueueLimits;
      readonly onStored: () => void;
    },
  ) {
    this.settings = settings;
    this.#worker = worker;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#onStored = options.onStored;
    this.#ended = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (message: WriterMessage) => this.#receive(message));
    // The exit that follows tells everybody who waits; without a listener it would end the process.
    worker.on('error', () => undefined);
    worker.once('exit', () => this.#lose());
    worker.unref();
  }

  /** Starts a writer thread on the log in `folder`. Throws EventLogError when it cannot write there. */
  static async open(
    folder: string,
    options: {
      readonly clock: Pick<Clock, 'now'>;
      readonly limits?: QueueLimits;
      /** Called after each commit, before its callers hear of it. */
      readonly onStored: () => void;
    },
  ): Promise<WriterClient> {
    const workerData: WriterOptions = { folder };
    const worker = new Worker(new URL('./writer-worker.ts', import.meta.url), {
      workerData,
      execArgv: [],
    });
    const message = await firstMessage(worker);
    if (message.kind !== 'opened') {
      await worker.terminate();
      throw message.kind === 'failed-to-open' ? asError(message.error) : new Error(message.kind);
    }
    return new WriterClient(worker, message.settings, { limits: sqliteLimits, ...options });
  }

  /** `bytes` as `checkAppend` counted them. */
  append(
    stream: string,
    events: readonly NewEvent[],
    expected: Expected,
    bytes: number,
  ): Promise<AppendResult> {
    if (this.#gone) {
      throw new EventLogError('io', 'the writer thread of the log has stopped: open the log again');
    }
    const { queueAppendsMax, queueBytesMax } = this.#limits;
    if (
      this.#waiting.length >= queueAppendsMax ||
      (this.#waiting.length > 0 && this.#queueBytes + bytes > queueBytesMax)
    ) {
      const detail = `${this.#waiting.length} appends of ${this.#queueBytes} bytes are waiting: try again later`;
      return Promise.resolve({ kind: 'refused', reason: 'overloaded', detail });
    }
    if (this.#waiting.length === 0) this.#worker.ref();
    if (this.#unsent === 0) this.#sendSoon();
    encodeAppend(this.#fields, stream, events, expected);
    this.#unsent += 1;
    this.#queueBytes += bytes;
    return new Promise((resolve, reject) => this.#waiting.push({ bytes, resolve, reject }));
  }

  statistics(): WriterStatistics {
    return {
      ...this.#counts,
      queueDepth: this.#waiting.length,
      queueBytes: this.#queueBytes,
    };
  }

  /** Ends the thread after the appends under way. */
  async close(): Promise<void> {
    this.#send();
    this.#worker.ref();
    const message: CloseMessage = { close: true };
    this.#worker.postMessage(message);
    await this.#ended;
  }

  /**
   * An idle writer gets its message at the end of this turn's microtasks; a busy one would not look
   * at it yet, so it is collected until the whole turn is over.
   */
  #sendSoon(): void {
    if (this.#waiting.length === 0) process.nextTick(() => this.#send());
    else setImmediate(() => this.#send());
  }

  #send(): void {
    if (this.#unsent === 0) return;
    const message: AppendsMessage = {
      now: this.#clock.now(),
      appends: this.#unsent,
      fields: this.#fields,
    };
    this.#fields = [];
    this.#unsent = 0;
    this.#worker.postMessage(message);
  }

  #receive(message: WriterMessage): void {
    if (message.kind === 'failed') {
      this.#counts.failures += 1;
      for (const { reject } of this.#take(message.appends)) reject(asError(message.error));
    }
    if (message.kind !== 'committed') return;
    const results = decodeResults(message);
    this.#count(results, message.events);
    if (message.events > 0) this.#onStored();
    for (const [index, { resolve }] of this.#take(results.length).entries()) {
      resolve(results[index] as AppendResult);
    }
  }

  #count(results: readonly AppendResult[], events: number): void {
    if (events > 0) this.#counts.commits += 1;
    this.#counts.events += events;
    for (const result of results) {
      if (result.kind !== 'stored') continue;
      if (result.duplicate) this.#counts.duplicates += 1;
      else this.#counts.appends += 1;
    }
  }

  /** The first `count` of those who wait: answers come in the order of the appends. */
  #take(count: number): Waiting[] {
    const taken = this.#waiting.splice(0, count);
    for (const { bytes } of taken) this.#queueBytes -= bytes;
    if (this.#waiting.length === 0) this.#worker.unref();
    return taken;
  }

  /** The thread has ended, as it was told or not: nobody knows of the last transaction. */
  #lose(): void {
    this.#gone = true;
    const detail = 'the writer thread ended before it answered';
    for (const { resolve } of this.#take(this.#waiting.length))
      resolve({ kind: 'unknown', detail });
  }
}

function firstMessage(worker: Worker): Promise<WriterMessage> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message: WriterMessage) => {
      worker.off('error', reject);
      resolve(message);
    });
  });
}

function asError({ code, message }: WriterError): Error {
  return code === undefined ? new Error(message) : new EventLogError(code, message);
}
