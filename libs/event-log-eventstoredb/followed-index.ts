import { within } from '@annals/core/within';
import { EventLogError, type Expected } from '@annals/event-log/port';
import {
  HeadWatch,
  headSum,
  isDamage,
  type LogReader,
  LogReads,
  openReplica,
  ownReplicaFolder,
  type Replica,
  type ReplicaEvent,
  type ReplicaOwner,
  removeReplica,
  replicaInPlace,
  replicaReader,
} from '@annals/event-log-sqlite/replica';
import type { EventStoreDBClient } from '@eventstore/db-client';
import { AllFeed } from './all-feed.ts';
import type { FollowedEvent } from './event-envelope.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import { FollowError } from './follow-error.ts';
import { type IndexProgress, LogIndex, type Looked } from './log-index.ts';

export interface Report {
  readonly level: 'warn' | 'error';
  readonly message: string;
}

export interface FollowedIndexOptions {
  readonly client: EventStoreDBClient;
  readonly folder: string;
  readonly prefix: string;
  readonly onApplied: (events: readonly FollowedEvent[]) => void;
  readonly onReport: (report: Report) => void;
  /** Nothing is followed any more. */
  readonly onFailed: (error: Error) => void;
}

/** EventStoreDB has one order of all events. */
export const partition = 0;

interface OpenIndex {
  readonly replica: Replica;
  readonly index: LogIndex;
  /** Whether the file is still where it was opened. */
  readonly inPlace: () => boolean;
}

/**
 * The index in its folder, kept up with the server. One that is damaged or removed while it is in use is made anew
 * from the server: who asks it waits meanwhile, and what was under way is answered when its events come again.
 */
export class FollowedIndex {
  readonly reads: LogReads;
  readonly #watch: HeadWatch;
  readonly #options: FollowedIndexOptions;
  readonly #look: NodeJS.Timeout;
  #owner: ReplicaOwner;
  #open: OpenIndex;
  #readers: readonly LogReader[];
  #feed: AllFeed;
  #caughtUp = Promise.withResolvers<void>();
  #healing: Promise<void> | undefined;
  #heals = 0;
  #failure: Error | undefined;
  #closing = false;

  /** Throws EventLogError: `io` when the folder belongs to another process. */
  constructor(options: FollowedIndexOptions) {
    this.#options = options;
    this.#owner = ownReplicaFolder(options.folder);
    try {
      this.#open = this.#opened();
      this.#readers = [replicaReader(options.folder, partition)];
    } catch (error) {
      this.#owner.release();
      throw error;
    }
    this.#feed = this.#feedOf(this.#open.index);
    // One that is closed before it has begun is waited for by nobody.
    this.#caughtUp.promise.catch(() => undefined);
    this.#watch = new HeadWatch(() => headSum(this.#readers));
    const settle = async () => {
      await this.#healing;
      if (this.#failure) throw this.#failure;
    };
    this.reads = new LogReads(this.#readers, this.#watch, settle, undefined, (error) =>
      this.#mends(error),
    );
    this.#look = setInterval(() => this.#lookForFile(), limits.lookMsEvery).unref();
  }

  get progress(): IndexProgress {
    return this.#open.index.progress;
  }

  /** Resolves when all that the server had is in the index. */
  start(): Promise<void> {
    return this.#follow();
  }

  /** Resolves when the index is whole. Throws what ended it, and EventLogError `catching-up` when it takes too long. */
  async whole(): Promise<void> {
    if (
      this.#healing &&
      !(await within(
        this.#healing.then(() => true),
        limits.healWaitMsMax,
        () => false,
      ))
    ) {
      const { events } = this.progress;
      const message = `the index is being made anew from the server: ${events} events so far`;
      throw new EventLogError('catching-up', message);
    }
    if (this.#failure) throw this.#failure;
  }

  /** What the index knows of `events` in `stream`. Throws as `whole`. */
  async look(stream: string, events: readonly ReplicaEvent[], expected: Expected): Promise<Looked> {
    for (;;) {
      await this.whole();
      try {
        return this.#open.index.look(stream, events, expected);
      } catch (error) {
        if (!this.#mends(error)) throw error;
      }
    }
  }

  /** The subscription is ended before the client goes; `close` lets go of the files. */
  async end(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#look);
    this.#caughtUp.reject(new EventLogError('closed', 'the event log is closed'));
    await this.#healing;
    await this.#feed.close();
  }

  close(): void {
    this.reads.close();
    this.#open.replica.close();
    this.#owner.release();
  }

  /** An index that is damaged, or does not say how far it came, is made anew. */
  #opened(): OpenIndex {
    const { folder, prefix, onReport } = this.#options;
    const report = (problem: string) =>
      onReport({ level: 'warn', message: `${problem}: it is made anew` });
    const { replica, found } = openReplica(folder, partition);
    if (found === 'damaged') report('the index was damaged');
    const of = (one: Replica): OpenIndex => ({
      replica: one,
      index: new LogIndex(one, prefix),
      inPlace: replicaInPlace(folder, partition),
    });
    try {
      return of(replica);
    } catch (error) {
      replica.close();
      if (!isOfTheFile(error)) throw error;
      report((error as Error).message);
    }
    removeReplica(folder, partition);
    return of(openReplica(folder, partition).replica);
  }

  #feedOf(index: LogIndex): AllFeed {
    const { client, prefix, onApplied, onReport } = this.#options;
    return new AllFeed({
      ...{ client, index, prefix },
      onApplied: (events) => {
        onApplied(events);
        this.#watch.wakeAll();
      },
      onCaughtUp: () => this.#caughtUp.resolve(),
      onFailed: (error) => this.#followFailed(error),
      onLost: (error) => onReport({ level: 'warn', message: `not connected: ${error.message}` }),
    });
  }

  #follow(): Promise<void> {
    this.#caughtUp = Promise.withResolvers();
    this.#caughtUp.promise.catch(() => undefined);
    this.#feed.start();
    return this.#caughtUp.promise;
  }

  #followFailed(error: Error): void {
    if (this.#healing) this.#caughtUp.reject(error);
    else if (!this.#mends(error)) this.#fail(error);
  }

  /** A file that is removed goes on to be read and written by those who have it open, and is gone with them. */
  #lookForFile(): void {
    if (this.#healing || this.#open.inPlace()) return;
    this.#mends(new EventLogError('corrupt', `the index in ${this.#options.folder} was removed`));
  }

  /** Whether what failed is tried again: the index is made anew for it, or is already being made. */
  #mends(error: unknown): boolean {
    if (!isOfTheFile(error) || this.#closing || this.#failure) return false;
    if (this.#healing) return true;
    if (this.#heals >= limits.healsMax) {
      this.#fail(error as Error);
      return false;
    }
    this.#heals += 1;
    const message = `${(error as Error).message}: it is made anew from the server`;
    this.#options.onReport({ level: 'warn', message });
    this.#healing = this.#heal();
    return true;
  }

  async #heal(): Promise<void> {
    const { folder } = this.#options;
    try {
      await this.#feed.close();
      this.#open.replica.close();
      this.reads.close();
      removeReplica(folder, partition);
      if (!this.#owner.holds()) {
        this.#owner.release();
        this.#owner = ownReplicaFolder(folder);
      }
      this.#open = this.#opened();
      this.#readers = [replicaReader(folder, partition)];
      this.reads.replaceReaders(this.#readers);
      this.#feed = this.#feedOf(this.#open.index);
      await this.#follow();
    } catch (error) {
      if (!this.#closing) this.#fail(error as Error);
    } finally {
      this.#healing = undefined;
      this.#watch.wakeAll();
    }
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#options.onReport({ level: 'error', message: error.message });
    this.#caughtUp.reject(error);
    this.#options.onFailed(error);
    this.#watch.wakeAll();
  }
}

/** The file is damaged; what the server holds is another matter. */
function isOfTheFile(error: unknown): boolean {
  return isDamage(error) && !(error instanceof FollowError);
}
