import { Worker } from 'node:worker_threads';
import { limits } from '../limits.ts';
import { SubjectKeyStoreError } from '../port.ts';
import type { WriteReply, WriteRequest, WriterData } from './writer-messages.ts';

interface Waiting {
  readonly resolve: (keys: number) => void;
  readonly reject: (error: Error) => void;
}

/** The writer thread as seen from the store. The creates that wait together share one transaction and one fsync. */
export class KeyWriter {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #gathered = new Set<string>();
  #sequence = 0;
  #round: Promise<unknown> = Promise.resolve();
  #nextRound: Promise<void> | undefined;
  #closing = false;
  #broken: SubjectKeyStoreError | undefined;

  /** Starts the thread; resolves when it has the file open. */
  static async open(data: WriterData): Promise<KeyWriter> {
    const writer = new KeyWriter(data);
    try {
      await writer.#call('open', []);
      return writer;
    } catch (error) {
      await writer.#worker.terminate();
      throw error;
    }
  }

  private constructor(data: WriterData) {
    this.#worker = new Worker(new URL('./writer-thread.ts', import.meta.url), {
      workerData: data,
      execArgv: [],
      name: 'subject-keys-writer',
    });
    this.#worker.on('message', (reply: WriteReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#break(String(error)));
    this.#worker.on('exit', (code) => this.#break(`it ended with code ${code}`));
    // An idle writer does not keep the process alive; one that has work does.
    this.#worker.unref();
  }

  create(subjects: readonly string[]): Promise<void> {
    if (this.#gathered.size + subjects.length > limits.waitingSubjectsMax) {
      throw new SubjectKeyStoreError(
        'overloaded',
        `more than ${limits.waitingSubjectsMax} subjects wait for a key`,
      );
    }
    for (const subject of subjects) this.#gathered.add(subject);
    this.#nextRound ??= this.#gather();
    return this.#nextRound;
  }

  destroy(subjects: readonly string[]): Promise<number> {
    return this.#call('destroy', subjects);
  }

  /** Waits for the writes under way, and lets go of the file. */
  async close(): Promise<void> {
    await this.#nextRound?.catch(() => undefined);
    if (this.#broken) return;
    this.#closing = true;
    const ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    await this.#call('close', []);
    await ended;
  }

  async #gather(): Promise<void> {
    await this.#round.catch(() => undefined);
    const subjects = [...this.#gathered];
    this.#gathered.clear();
    this.#nextRound = undefined;
    const round = this.#call('create', subjects);
    this.#round = round;
    await round;
  }

  #call(operation: WriteRequest['operation'], subjects: readonly string[]): Promise<number> {
    if (this.#broken) return Promise.reject(this.#broken);
    const sequence = this.#sequence++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(sequence, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ sequence, operation, subjects } satisfies WriteRequest);
    });
  }

  #settle(reply: WriteReply): void {
    const waiting = this.#waiting.get(reply.sequence);
    this.#waiting.delete(reply.sequence);
    if (this.#waiting.size === 0 && !this.#closing) this.#worker.unref();
    if (reply.kind === 'done') waiting?.resolve(reply.keys);
    else waiting?.reject(new SubjectKeyStoreError(reply.code, reply.message));
  }

  #break(detail: string): void {
    this.#broken ??= new SubjectKeyStoreError('io', `the writer of subject keys broke: ${detail}`);
    for (const { reject } of this.#waiting.values()) reject(this.#broken);
    this.#waiting.clear();
  }
}
