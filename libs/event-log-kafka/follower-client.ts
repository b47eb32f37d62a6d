import { Worker } from 'node:worker_threads';
import { EventLogError } from '@annals/event-log/port';
import { FollowError } from './follow-error.ts';
import type {
  Followed,
  FollowerFailure,
  FollowerMessage,
  FollowerRequest,
  FollowerTask,
  JudgedBatch,
} from './follower-protocol.ts';
import type { OnReport } from './kafka-connection.ts';

export interface FollowerEvents {
  /** `committed`: the events of all that was judged until now can be read. */
  onJudged(batches: readonly JudgedBatch[], committed: boolean): void;
  /** The thread is gone. `removed`: the replica was damaged, and begins anew when it is started again. */
  onFailed(error: Error, removed: boolean): void;
  readonly onReport: OnReport;
}

/** The serving thread's end of the follower's thread. */
export class FollowerClient {
  readonly #worker: Worker;
  readonly #events: FollowerEvents;
  readonly #opened = Promise.withResolvers<readonly Followed[]>();
  readonly #closed = Promise.withResolvers<void>();
  #over = false;

  constructor(task: FollowerTask, events: FollowerEvents) {
    this.#events = events;
    this.#opened.promise.catch(() => undefined);
    this.#worker = new Worker(new URL('./follower-worker.ts', import.meta.url), {
      workerData: task,
      execArgv: [],
    });
    this.#worker.on('message', (message: FollowerMessage) => this.#receive(message));
    this.#worker.on('error', (error: Error) => this.#lose(error, false));
    this.#worker.on('exit', () => {
      this.#lose(new EventLogError('io', "the follower's thread has ended"), false);
      this.#closed.resolve();
    });
  }

  /** Resolves when the files of all partitions can be read; rejects when the replica is refused. */
  opened(): Promise<readonly Followed[]> {
    return this.#opened.promise;
  }

  /** Has all that was judged committed at once. */
  commit(): void {
    this.#ask('commit');
  }

  async close(): Promise<void> {
    if (!this.#over) {
      this.#over = true;
      this.#ask('close');
    }
    await this.#closed.promise;
  }

  #ask(request: FollowerRequest): void {
    this.#worker.postMessage(request);
  }

  #receive(message: FollowerMessage): void {
    switch (message.kind) {
      case 'opened':
        this.#opened.resolve(message.followed);
        break;
      case 'judged':
        this.#events.onJudged(message.batches, message.committed);
        break;
      case 'report':
        this.#events.onReport(message.report);
        break;
      case 'failed':
        this.#lose(asError(message.error), message.error.removed);
        void this.#worker.terminate();
        break;
      case 'closed':
        // What kafkajs still has under way has nobody to hear it.
        void this.#worker.terminate();
    }
  }

  #lose(error: Error, removed: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#opened.reject(error);
    this.#events.onFailed(error, removed);
  }
}

function asError({ code, problem, message }: FollowerFailure): Error {
  if (problem !== undefined) return new FollowError(problem, message);
  return code === undefined ? new Error(message) : new EventLogError(code, message);
}
