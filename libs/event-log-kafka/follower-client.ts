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

/** What the serving thread hears of the follower's thread. */
export interface FollowerEars {
  onMessage(message: FollowerMessage): void;
  onError(error: Error): void;
  /** It is gone, and says nothing more. */
  onExit(): void;
}

/** A follower's thread that has been started. */
export interface FollowerLink {
  ask(request: FollowerRequest): void;
  terminate(): void;
}

export type StartFollower = (task: FollowerTask, ears: FollowerEars) => FollowerLink;

/** Follows on a thread of its own. */
export const startFollowerThread: StartFollower = (task, ears) => {
  const worker = new Worker(new URL('./follower-worker.ts', import.meta.url), {
    workerData: task,
    execArgv: [],
  });
  worker.on('message', (message: FollowerMessage) => ears.onMessage(message));
  worker.on('error', (error: Error) => ears.onError(error));
  worker.on('exit', () => ears.onExit());
  return {
    ask: (request) => worker.postMessage(request),
    terminate: () => void worker.terminate(),
  };
};

/** The serving thread's end of the follower's thread. */
export class FollowerClient {
  readonly #link: FollowerLink;
  readonly #events: FollowerEvents;
  readonly #opened = Promise.withResolvers<readonly Followed[]>();
  readonly #closed = Promise.withResolvers<void>();
  #over = false;

  constructor(task: FollowerTask, events: FollowerEvents, start: StartFollower) {
    this.#events = events;
    this.#opened.promise.catch(() => undefined);
    this.#link = start(task, {
      onMessage: (message) => this.#receive(message),
      onError: (error) => this.#lose(error, false),
      onExit: () => {
        this.#lose(new EventLogError('io', "the follower's thread has ended"), false);
        this.#closed.resolve();
      },
    });
  }

  /** Resolves when the files of all partitions can be read; rejects when the replica is refused. */
  opened(): Promise<readonly Followed[]> {
    return this.#opened.promise;
  }

  /** Has all that was judged committed at once. */
  commit(): void {
    this.#link.ask('commit');
  }

  async close(): Promise<void> {
    if (!this.#over) {
      this.#over = true;
      this.#link.ask('close');
    }
    await this.gone();
  }

  /** Resolves when the thread has ended, of which it was told before. */
  gone(): Promise<void> {
    return this.#closed.promise;
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
        this.#link.terminate();
        break;
      case 'closed':
        // What kafkajs still has under way has nobody to hear it.
        this.#link.terminate();
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
