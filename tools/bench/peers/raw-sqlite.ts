import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { FedScore } from '../data/score-feed.ts';

/** One event as the columns of the log take it, ids and hashes as bytes already. */
export type RawRow = readonly [
  streamId: number,
  revision: number,
  kindId: number,
  schemaVersion: number,
  occurredAt: number,
  recordedAt: number,
  eventId: Uint8Array,
  contentHash: Uint8Array,
  metadata: null,
  data: string,
];

/** Table and indexes of libs/event-log-sqlite, word for word. */
const table = `CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  stream_id INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  kind_id INTEGER NOT NULL,
  schema_version INTEGER NOT NULL,
  occurred_at INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  event_id BLOB NOT NULL,
  content_hash BLOB NOT NULL,
  metadata TEXT,
  data TEXT NOT NULL
) STRICT;`;
const indexes = `
  CREATE UNIQUE INDEX events_by_revision ON events (stream_id, revision);
  CREATE UNIQUE INDEX events_by_id ON events (stream_id, event_id);
  CREATE INDEX events_by_kind ON events (kind_id);
`;

/**
 * What somebody gets who writes the same rows with node:sqlite and the log's pragmas in the calling
 * thread, and checks nothing.
 */
export class RawSqlite {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #streams = new Map<string, { id: number; next: number }>();

  constructor(folder: string, options: { readonly indexed: boolean }) {
    this.#db = new DatabaseSync(join(folder, `raw-${options.indexed ? 'indexed' : 'bare'}.sqlite`));
    this.#db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA cache_size = -32768;
      PRAGMA journal_size_limit = 67108864;
      PRAGMA busy_timeout = 0;
      ${table}
      ${options.indexed ? indexes : ''}
    `);
    this.#insert = this.#db.prepare(
      `INSERT INTO events (stream_id, revision, kind_id, schema_version, occurred_at, recorded_at,
         event_id, content_hash, metadata, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#db.prepare('COMMIT');
  }

  /** Turned into bytes and numbers before the clock runs. */
  rowOf({ stream, event }: FedScore): RawRow {
    let known = this.#streams.get(stream);
    if (!known) {
      known = { id: this.#streams.size + 1, next: 0 };
      this.#streams.set(stream, known);
    }
    const revision = known.next;
    known.next += 1;
    const id = Buffer.from(event.id.replaceAll('-', ''), 'hex');
    const hash = Buffer.from(event.contentHash, 'hex');
    const { schemaVersion, occurredAt, data } = event;
    return [known.id, revision, 1, schemaVersion, occurredAt, occurredAt, id, hash, null, data];
  }

  /** One row, one transaction: SQLite's own, which is cheaper than BEGIN and COMMIT. */
  insertOne(row: RawRow): void {
    this.#insert.run(...row);
  }

  insertTogether(rows: readonly RawRow[]): void {
    this.#begin.run();
    for (const row of rows) this.#insert.run(...row);
    this.#commit.run();
  }

  close(): void {
    this.#db.close();
  }
}
