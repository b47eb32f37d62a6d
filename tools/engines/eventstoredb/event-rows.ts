import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

export interface ProposedEvent {
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly metadata: Uint8Array;
  readonly data: Uint8Array;
}

export interface RecordedEvent extends ProposedEvent {
  readonly stream: string;
  /** -1 for the event that says that its stream is gone for ever. */
  readonly revision: number;
  /** Bytes from the beginning of the log. */
  readonly position: number;
  /** Microseconds since 1970. */
  readonly createdUs: number;
}

export interface StreamRow {
  readonly last: number;
  readonly truncateBefore: number;
  readonly tombstoned: boolean;
}

const noStream: StreamRow = { last: -1, truncateBefore: 0, tombstoned: false };

/** How far a page of a read goes. */
export interface Page {
  readonly direction: 'forwards' | 'backwards';
  /** The first revision or position that belongs to it. */
  readonly from: number;
  readonly limit: number;
}

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    revision INTEGER NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    contentType TEXT NOT NULL,
    createdUs INTEGER NOT NULL,
    metadata BLOB NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (stream, revision)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS streams (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL,
    truncateBefore INTEGER NOT NULL,
    tombstoned INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS log (onlyRow INTEGER PRIMARY KEY CHECK (onlyRow = 1), end INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO log VALUES (1, 0);
`;

/** What the double keeps on the disk. A transaction that has been committed is synced. */
export class EventRows {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(folder: string) {
    this.#db = new DatabaseSync(join(folder, 'events.sqlite'));
    this.#db.exec(schema);
  }

  close(): void {
    this.#db.close();
  }

  /** Runs `work`; what it wrote is on the disk when this returns, or nothing of it is there. */
  inTransaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const value = work();
      this.#db.exec('COMMIT');
      return value;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  stream(name: string): StreamRow {
    const row = this.#sql(
      'SELECT last, truncateBefore, tombstoned FROM streams WHERE name = ?',
    ).get(name) as { last: number; truncateBefore: number; tombstoned: number } | undefined;
    return row ? { ...row, tombstoned: row.tombstoned === 1 } : noStream;
  }

  setStream(name: string, { last, truncateBefore, tombstoned }: StreamRow): void {
    this.#sql('INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?)').run(
      ...[name, last, truncateBefore, tombstoned ? 1 : 0],
    );
  }

  /** The position that the next event will have. */
  end(): number {
    return (this.#sql('SELECT end FROM log').get() as { end: number }).end;
  }

  /** Appends one event; it takes as many bytes of the log as such an event may. */
  insert(event: Omit<RecordedEvent, 'position'>): RecordedEvent {
    const { stream, revision, id, type, contentType, createdUs, metadata, data } = event;
    const position = this.end();
    this.#sql('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
      ...[position, stream, revision, id, type, contentType, createdUs, metadata, data],
    );
    this.#sql('UPDATE log SET end = ?').run(position + recordBytes(event));
    return { ...event, position };
  }

  idAt(stream: string, revision: number): string | undefined {
    return this.#at(stream, revision)?.id;
  }

  positionAt(stream: string, revision: number): number | undefined {
    return this.#at(stream, revision)?.position;
  }

  #at(stream: string, revision: number): { id: string; position: number } | undefined {
    return this.#sql('SELECT id, position FROM events WHERE stream = ? AND revision = ?').get(
      ...[stream, revision],
    ) as { id: string; position: number } | undefined;
  }

  /** A page of the events of one stream that are not cut off, by revision. */
  ofStream(name: string, { direction, from, limit }: Page): RecordedEvent[] {
    const { truncateBefore } = this.stream(name);
    const which =
      direction === 'forwards'
        ? 'revision >= max(?, ?) ORDER BY revision'
        : 'revision <= ? AND revision >= max(0, ?) ORDER BY revision DESC';
    return this.#sql(`SELECT * FROM events WHERE stream = ? AND ${which} LIMIT ? + 0`).all(
      ...[name, Math.max(from, 0), truncateBefore, limit],
    ) as unknown as RecordedEvent[];
  }

  /** A page of all events by position. */
  ofAll({ direction, from, limit }: Page): RecordedEvent[] {
    const which =
      direction === 'forwards'
        ? 'position >= ? ORDER BY position'
        : 'position <= ? ORDER BY position DESC';
    return this.#sql(`SELECT * FROM events WHERE ${which} LIMIT ? + 0`).all(
      ...[from, limit],
    ) as unknown as RecordedEvent[];
  }

  #sql(text: string): StatementSync {
    const known = this.#statements.get(text) ?? this.#db.prepare(text);
    this.#statements.set(text, known);
    return known;
  }
}

/** Framing and header of a record, roughly as the server has them: positions are bytes, with gaps. */
const recordOverheadBytes = 96;

function recordBytes(event: Omit<RecordedEvent, 'position'>): number {
  const names = Buffer.byteLength(event.stream) + Buffer.byteLength(event.type);
  return recordOverheadBytes + names + event.metadata.length + event.data.length;
}
