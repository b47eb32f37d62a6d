import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  judgeAppend,
  type KnownEvent,
  type StreamView,
  type Verdict,
} from '@annals/event-log/append-rules';
import { EventLogError, type Expected, type Revision } from '@annals/event-log/port';
import { categoryOf } from '@annals/event-log/stream-name';
import { retryWhileBusy } from './log-file.ts';
import { isBusy, toEventLogError } from './sqlite-errors.ts';
import { sqliteLimits } from './sqlite-limits.ts';
import type { AppendRequest, RequestedEvent, Written, WrittenResult } from './writer-protocol.ts';

export interface TimedAppend {
  readonly request: AppendRequest;
  /** When its caller asked, by the caller's clock. */
  readonly now: number;
}

export interface Committed {
  /** In the order of the appends. */
  readonly results: readonly WrittenResult[];
  readonly events: number;
}

/** The append does not count, whatever the stream holds. */
export interface Ignored {
  readonly kind: 'ignored';
}

/** `judgeAppend`, which ignores nothing, or what stands for it where another log has ordered the appends. */
export type Judge = (
  view: StreamView,
  events: readonly RequestedEvent[],
  expected: Expected,
) => Verdict | Ignored;

interface StreamState {
  readonly id: number;
  head: Revision | 'no-stream';
}

/**
 * Writes appends on one connection, one transaction for each call of `commit`. What it remembers of
 * streams and of the end of the log is good as long as no other connection has written.
 */
export class LogWriter {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #statements: Statements;
  #streams = new Map<string, StreamState>();
  #kinds = new Map<string, number>();
  #position = 0;
  #recordedAt = 0;
  #dataVersion = -1;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#statements = prepareStatements(db);
  }

  /**
   * Judges and stores `appends` in one transaction, each on its own: one that is refused leaves the
   * others alone. Durable when it returns. Throws EventLogError, and then none of them is stored
   * (but for a failing disk, which may show them after a crash).
   */
  commit(appends: readonly TimedAppend[]): Committed {
    const committed = this.transaction(() => {
      const before = this.#position;
      const results = appends.map(({ request, now }) => this.append(request, now) as WrittenResult);
      return { results, events: this.#position - before };
    });
    return committed ?? { results: appends.map(lockedOut), events: 0 };
  }

  /** What `work` gives, committed; undefined when another process holds the write lock for too long. */
  transaction<Result>(work: () => Result): Result | undefined {
    return this.join(() => {
      const result = work();
      this.#statements.commit.run();
      return result;
    });
  }

  /** What `work` gives, in the transaction that is open, or in a new one that `settle` ends; undefined as above. */
  join<Result>(work: () => Result): Result | undefined {
    const { begin } = this.#statements;
    try {
      if (!this.#db.isTransaction) {
        if (!retryWhileBusy(() => begin.run(), sqliteLimits.writeLockWaitMsMax)) return undefined;
        this.#noticeOtherWriters();
      }
      return work();
    } catch (error) {
      this.#rollBack();
      throw toEventLogError(error, this.#path);
    }
  }

  /** Commits what was joined. */
  settle(): void {
    if (this.#db.isTransaction) this.join(() => this.#statements.commit.run());
  }

  close(): void {
    this.#db.close();
  }

  /**
   * Most appends are new and meet what they expect. Such a one is inserted at once: the unique index
   * finds an id that is known after all, and saves a look-up for each event. Only then, or when the
   * head is not the expected one, are the known ids looked up and the append judged with them.
   * Only within `transaction`. Its first event gets `firstPosition`, or the one behind the last.
   */
  append(
    { stream, expected, events }: AppendRequest,
    now: number,
    judge: Judge = judgeAppend,
    firstPosition = this.#position + 1,
  ): WrittenResult | Ignored {
    const state = this.#stream(stream);
    const head = state?.head ?? 'no-stream';
    const asNew = judge({ head, known: () => undefined }, events, expected);
    if (asNew.kind === 'accept') {
      const target = state ?? this.#createStream(stream);
      const first = { revision: asNew.firstRevision, position: firstPosition };
      const written = this.#store(target, categoryOf(stream), events, first, now);
      if (written) return written;
    }
    if (!state) return asNew as Exclude<typeof asNew, { kind: 'accept' | 'duplicate' }>;
    const known = (id: string) => this.#known(state.id, id);
    const verdict = judge({ head, known }, events, expected);
    if (verdict.kind === 'duplicate') return this.#written(state.id, verdict.lastRevision);
    if (verdict.kind === 'accept') {
      throw new EventLogError('corrupt', `${this.#path}: its index of event ids is damaged`);
    }
    return verdict;
  }

  /** Stores all of `events`, or nothing and gives undefined when one of their ids is in the stream. */
  #store(
    state: StreamState,
    category: string,
    events: readonly RequestedEvent[],
    first: { readonly revision: Revision; readonly position: number },
    now: number,
  ): Written | undefined {
    // Stamps never go back, whatever the clock does: they are what orders events across streams.
    const stamp = Math.max(now, this.#recordedAt);
    let position = first.position - 1;
    let revision = first.revision - 1;
    let recordedAt = stamp;
    for (const event of events) {
      position += 1;
      revision += 1;
      recordedAt = event.recordedAt ?? stamp;
      const kind = this.#kind(category, event.type);
      if (!this.#insert(position, state.id, revision, kind, recordedAt, event)) {
        if (position > first.position) this.#statements.deleteAfter.run(this.#position);
        return undefined;
      }
    }
    this.#position = position;
    this.#recordedAt = Math.max(this.#recordedAt, recordedAt);
    state.head = revision;
    return { kind: 'written', position, revision, recordedAt, duplicate: false };
  }

  #insert(
    position: number,
    streamId: number,
    revision: Revision,
    kindId: number,
    recordedAt: number,
    event: RequestedEvent,
  ): boolean {
    const { changes } = this.#statements.insertEvent.run(
      position,
      streamId,
      revision,
      kindId,
      event.schemaVersion,
      event.occurredAt,
      recordedAt,
      event.id,
      event.contentHash,
      event.metadata,
      event.data,
    );
    return changes === 1;
  }

  #written(streamId: number, revision: Revision): Written {
    const found = row<[number, number]>(this.#statements.findRevision, streamId, revision);
    if (!found) {
      throw new EventLogError(
        'corrupt',
        `${this.#path}: an index names an event that is not there`,
      );
    }
    const [position, recordedAt] = found;
    return { kind: 'written', position, revision, recordedAt, duplicate: true };
  }

  #known(streamId: number, eventId: string): KnownEvent | undefined {
    const found = row<[number, string]>(this.#statements.findEvent, streamId, eventId);
    return found && { revision: found[0], contentHash: found[1] };
  }

  #stream(name: string): StreamState | undefined {
    const cached = this.#streams.get(name);
    if (cached) return cached;
    const id = row<[number]>(this.#statements.findStream, name)?.[0];
    if (id === undefined) return undefined;
    const head = row<[number | null]>(this.#statements.findHead, id)?.[0] ?? 'no-stream';
    return this.#remember(name, { id, head });
  }

  #createStream(name: string): StreamState {
    const id = Number(this.#statements.insertStream.run(name).lastInsertRowid);
    return this.#remember(name, { id, head: 'no-stream' });
  }

  #remember(name: string, state: StreamState): StreamState {
    if (this.#streams.size >= sqliteLimits.cachedStreamsMax) this.#streams.clear();
    this.#streams.set(name, state);
    return state;
  }

  #kind(category: string, type: string): number {
    const key = `${category} ${type}`;
    let id = this.#kinds.get(key);
    if (id === undefined) {
      id =
        row<[number]>(this.#statements.findKind, category, type)?.[0] ??
        Number(this.#statements.insertKind.run(category, type).lastInsertRowid);
      this.#kinds.set(key, id);
    }
    return id;
  }

  /** Called with the write lock held: from here to the commit nobody else can write. */
  #noticeOtherWriters(): void {
    const version = row<[number]>(this.#statements.dataVersion)?.[0] ?? -1;
    if (version === this.#dataVersion) return;
    this.#forget();
    const last = row<[number, number]>(this.#statements.findLast);
    this.#position = last?.[0] ?? 0;
    this.#recordedAt = last?.[1] ?? 0;
    this.#dataVersion = version;
  }

  #forget(): void {
    this.#streams = new Map();
    this.#kinds = new Map();
    this.#dataVersion = -1;
  }

  #rollBack(): void {
    this.#forget();
    if (!this.#db.isTransaction) return;
    try {
      this.#statements.rollback.run();
    } catch (error) {
      // SQLite has rolled back by itself after some errors; anything else shows at the next BEGIN.
      if (isBusy(error)) throw error;
    }
  }
}

function lockedOut(): WrittenResult {
  return {
    kind: 'refused',
    reason: 'overloaded',
    detail: `another process has held the write lock for ${sqliteLimits.writeLockWaitMsMax} ms`,
  };
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(db: DatabaseSync) {
  const prepare = (sql: string) => {
    const statement = db.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    dataVersion: prepare('PRAGMA data_version'),
    findLast: prepare('SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1'),
    findStream: prepare('SELECT id FROM streams WHERE name = ?'),
    findHead: prepare('SELECT max(revision) FROM events WHERE stream_id = ?'),
    findKind: prepare('SELECT id FROM kinds WHERE category = ? AND type = ?'),
    findEvent: prepare(
      `SELECT revision, lower(hex(content_hash)) FROM events
       WHERE stream_id = ? AND event_id = unhex(?, '-')`,
    ),
    findRevision: prepare(
      'SELECT position, recorded_at FROM events WHERE stream_id = ? AND revision = ?',
    ),
    insertStream: prepare('INSERT INTO streams (name) VALUES (?)'),
    insertKind: prepare('INSERT INTO kinds (category, type) VALUES (?, ?)'),
    insertEvent: prepare(
      `INSERT INTO events (position, stream_id, revision, kind_id, schema_version, occurred_at,
         recorded_at, event_id, content_hash, metadata, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, unhex(?, '-'), unhex(?), ?, ?)
       ON CONFLICT (stream_id, event_id) DO NOTHING`,
    ),
    deleteAfter: prepare('DELETE FROM events WHERE position > ?'),
  };
}

function row<Row>(statement: StatementSync, ...parameters: (number | string)[]): Row | undefined {
  return statement.get(...parameters) as unknown as Row | undefined;
}
