import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { EventLogError } from '@annals/event-log/port';
import { droppedSign } from './event-rows.ts';
import { logFileName } from './log-file.ts';
import { type Ignored, type Judge, LogWriter } from './log-writer.ts';
import {
  connectReplica,
  firstPositionOf,
  partitionFolder,
  removeReplica,
  replicaFormatVersion,
} from './replica-file.ts';
import { toEventLogError } from './sqlite-errors.ts';
import type { AppendRequest, RequestedEvent, WrittenResult } from './writer-protocol.ts';

export type { Ignored, Judge, WrittenResult };
/** `recordedAt` of each event is known: the other log, or the rules of its records, have stamped it. */
export type ReplicaAppend = AppendRequest;
export type ReplicaEvent = RequestedEvent;

/** A key an engine will be asked for again, and where in the other log it was marked. */
export interface Mark {
  readonly key: Uint8Array;
  readonly place: number;
}

/**
 * What a follower needs of the place where it keeps one partition. `SqliteReplica` is the real one;
 * a simulation has one in memory.
 */
export interface Replica {
  /** All that `work` does is kept, or none of it when it throws. */
  transaction<Result>(work: () => Result): Result;
  /**
   * The same, but what `work` does is kept together with what was joined before and what is joined later, by
   * `settle`: until then no reader sees it. When it throws, nothing of it all is kept.
   */
  join<Result>(work: () => Result): Result;
  /** Keeps what was joined. */
  settle(): void;
  /** Stores the events of the record at `offset` if `judge` accepts them. Only within the two above. */
  append(append: ReplicaAppend, offset: number, judge: Judge): WrittenResult | Ignored;
  mark(mark: Mark): void;
  isMarked(key: Uint8Array): boolean;
  marks(): Mark[];
  /** Forgets the marks before `place`. */
  dropMarks(before: number): void;
  /** Drops the bodies of the records from `from` to before `to`: the other log has them. All else of them stays. */
  dropBodies(from: number, to: number): void;
  /** What `keepProgress` was given last. */
  progress(): string | undefined;
  keepProgress(state: string): void;
  close(): void;
}

/** How a replica came to be what it is as it is opened. */
export type ReplicaFound = 'new' | 'kept' | 'damaged';

/**
 * Opens the file of one partition for its one writer. One that is damaged, of another format or no
 * replica at all is removed, and begun anew: the log it follows has everything.
 */
export function openReplica(
  folder: string,
  partition: number,
): { readonly replica: Replica; readonly found: ReplicaFound } {
  try {
    const replica = new SqliteReplica(folder, partition);
    return { replica, found: replica.progress() === undefined ? 'new' : 'kept' };
  } catch (error) {
    const damage = toEventLogError(error, partitionFolder(folder, partition));
    if (!isDamage(damage)) throw damage;
    removeReplica(folder, partition);
    return { replica: new SqliteReplica(folder, partition), found: 'damaged' };
  }
}

/** Whether a replica that fails with `error` is to be made again. A full disk would only be full again. */
export function isDamage(error: unknown): boolean {
  return (
    error instanceof EventLogError &&
    (error.code === 'corrupt' || error.code === 'not-a-log' || error.code === 'newer-format')
  );
}

class SqliteReplica implements Replica {
  readonly #db: DatabaseSync;
  readonly #writer: LogWriter;
  readonly #path: string;
  readonly #mark: StatementSync;
  readonly #isMarked: StatementSync;
  readonly #dropMarks: StatementSync;
  readonly #keepProgress: StatementSync;
  readonly #dropBodies: StatementSync;

  constructor(folder: string, partition: number) {
    this.#path = join(partitionFolder(folder, partition), logFileName);
    this.#db = connectReplica(folder, partition);
    this.#writer = new LogWriter(this.#db, this.#path);
    this.#mark = this.#db.prepare('INSERT OR REPLACE INTO marks (key, place) VALUES (?, ?)');
    this.#isMarked = this.#db.prepare('SELECT 1 FROM marks WHERE key = ?');
    this.#dropMarks = this.#db.prepare('DELETE FROM marks WHERE place < ?');
    this.#dropBodies = this.#db.prepare(
      `UPDATE events SET data = '${droppedSign}' || length(data)
       WHERE position >= ? AND position < ? AND substr(data, 1, 1) <> '${droppedSign}'`,
    );
    this.#keepProgress = this.#db.prepare(
      'INSERT OR REPLACE INTO progress (id, state) VALUES (0, ?)',
    );
  }

  transaction<Result>(work: () => Result): Result {
    return this.#done(this.#writer.transaction(() => ({ result: work() })));
  }

  join<Result>(work: () => Result): Result {
    return this.#done(this.#writer.join(() => ({ result: work() })));
  }

  settle(): void {
    this.#writer.settle();
  }

  #done<Result>(done: { readonly result: Result } | undefined): Result {
    if (done) return done.result;
    throw new EventLogError('io', `${this.#path} is being written by another process`);
  }

  append(append: ReplicaAppend, offset: number, judge: Judge): WrittenResult | Ignored {
    return this.#writer.append(append, 0, judge, firstPositionOf(offset));
  }

  mark({ key, place }: Mark): void {
    this.#mark.run(key, place);
  }

  isMarked(key: Uint8Array): boolean {
    return this.#isMarked.get(key) !== undefined;
  }

  marks(): Mark[] {
    return this.#db.prepare('SELECT key, place FROM marks ORDER BY place').all() as never as Mark[];
  }

  dropMarks(before: number): void {
    this.#dropMarks.run(before);
  }

  dropBodies(from: number, to: number): void {
    this.#db.exec(`PRAGMA user_version = ${replicaFormatVersion}`);
    this.#dropBodies.run(firstPositionOf(from), firstPositionOf(to));
  }

  progress(): string | undefined {
    const row = this.#db.prepare('SELECT state FROM progress').get();
    return (row as { readonly state: string } | undefined)?.state;
  }

  keepProgress(state: string): void {
    this.#keepProgress.run(state);
  }

  close(): void {
    this.#writer.close();
  }
}
