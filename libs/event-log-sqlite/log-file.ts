import { accessSync, constants, existsSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { EventLogError } from '@annals/event-log/port';
import { makeFolder, placeFile } from './place-file.ts';
import { isBusy, toEventLogError } from './sqlite-errors.ts';
import { sqliteLimits } from './sqlite-limits.ts';

/** The file in a log's folder; SQLite keeps `-wal` and `-shm` beside it. */
export const logFileName = 'events.sqlite';

/** The version of a log's tables (`PRAGMA user_version`). A program refuses newer ones. */
export const logFormatVersion = 1;

/** What is in a file that holds events: a log, or one partition of a replica (`replica-file.ts`). */
export interface FileFormat {
  /** "an event log", for messages. */
  readonly name: string;
  /** Tells such a file from every other SQLite file (`PRAGMA application_id`). */
  readonly applicationId: number;
  /** Of its tables (`PRAGMA user_version`). A program refuses newer ones. */
  readonly version: number;
  /** The version that a new file has; the same unless it is told. */
  readonly madeVersion?: number;
  readonly tables: string;
}

/**
 * An event's position is its rowid: ascending in the order of commits, since SQLite has one writer
 * at a time. A kind is a pair of category and type: one index on it answers every filter without
 * looking at the events that do not match. Small columns come first, so that a scan that skips an
 * event does not read the pages its data overflows to.
 */
export const eventTables = `
  CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
  ) STRICT;
  CREATE TABLE kinds (
    id INTEGER PRIMARY KEY,
    category TEXT NOT NULL,
    type TEXT NOT NULL,
    UNIQUE (category, type)
  ) STRICT;
  CREATE TABLE events (
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
  ) STRICT;
  CREATE UNIQUE INDEX events_by_revision ON events (stream_id, revision);
  CREATE UNIQUE INDEX events_by_id ON events (stream_id, event_id);
  CREATE INDEX events_by_kind ON events (kind_id);
`;

const logFormat: FileFormat = {
  name: 'an event log',
  /** "AnnL" in ASCII. */
  applicationId: 0x416e6e4c,
  version: logFormatVersion,
  tables: eventTables,
};

/**
 * Makes the log's file unless it is there. It is built under another name and linked into place in
 * one step: a file under the real name is always whole, so an empty one is damage and not a
 * creation that was interrupted.
 */
export function createLogFile(folder: string, format = logFormat): void {
  const path = join(folder, logFileName);
  try {
    makeFolder(folder);
    if (existsSync(path)) return;
    const draft = join(folder, `${logFileName}.new-${process.pid}-${performance.now()}`);
    try {
      fillNewFile(draft, format);
      // Another process may have been quicker: its file is as good as this one.
      placeFile(draft, path);
    } finally {
      for (const suffix of ['', '-journal', '-wal', '-shm'])
        rmSync(draft + suffix, { force: true });
    }
  } catch (error) {
    throw explain(error, folder);
  }
}

function fillNewFile(draft: string, format: FileFormat): void {
  const { applicationId, version, madeVersion = version, tables } = format;
  using db = new DatabaseSync(draft);
  db.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
  db.exec(tables);
  db.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${madeVersion}`);
  db.exec('COMMIT; PRAGMA journal_mode = WAL');
}

/**
 * A connection to the log in `folder`, its format checked. Throws EventLogError: `not-a-log`,
 * `newer-format`, `corrupt`, `read-only`, `io`.
 */
export function connect(
  folder: string,
  access: 'read-write' | 'read' | 'read-only',
  format = logFormat,
): DatabaseSync {
  const path = join(folder, logFileName);
  let db: DatabaseSync | undefined;
  try {
    mustHoldSomething(path);
    db = new DatabaseSync(placeOf(path, folder, access), {
      readOnly: access === 'read-only',
      timeout: sqliteLimits.readLockWaitMsMax,
    });
    checkFormat(db, path, format);
    // A reader keeps the right to write, which SQLite needs to recover the write-ahead log of a crashed process.
    if (access === 'read') db.exec('PRAGMA query_only = ON');
    return db;
  } catch (error) {
    db?.close();
    throw explain(error, folder);
  }
}

/** SQLite and mkdir only say that they cannot open what they were not allowed to make. */
function explain(error: unknown, folder: string): unknown {
  const path = join(folder, logFileName);
  const explained = toEventLogError(error, path);
  const refusal = writeRefusal(folder);
  const isVague = explained instanceof EventLogError && explained.code === 'io';
  return isVague && refusal ? toEventLogError(refusal, path) : explained;
}

/** The error with which the file system would answer somebody who writes in `folder`, or makes it. */
function writeRefusal(folder: string): NodeJS.ErrnoException | undefined {
  if (!existsSync(folder) && dirname(folder) !== folder) return writeRefusal(dirname(folder));
  try {
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

/**
 * A log on a disk mounted read-only, a backup say, has nobody who writes to it. SQLite is told so, since
 * it would else want to make its shared memory beside the file. Not without its write-ahead log.
 */
function placeOf(path: string, folder: string, access: string): string | URL {
  if (access !== 'read-only' || writeRefusal(folder)?.code !== 'EROFS') return path;
  if (existsSync(`${path}-wal`)) return path;
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  return url;
}

function mustHoldSomething(path: string): void {
  if (!existsSync(path)) {
    throw new EventLogError('not-a-log', `there is no log: ${path} does not exist`);
  }
  if (statSync(path).size === 0) {
    throw new EventLogError(
      'corrupt',
      `${path} is empty: its content was lost. Restore it from a backup, or remove it to begin a new log`,
    );
  }
}

function checkFormat(db: DatabaseSync, path: string, format: FileFormat): void {
  const { application_id: application } = db.prepare('PRAGMA application_id').get() as {
    application_id: number;
  };
  if (application !== format.applicationId) {
    throw new EventLogError('not-a-log', `${path} is an SQLite database, but not ${format.name}`);
  }
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as {
    user_version: number;
  };
  if (version > format.version) {
    throw new EventLogError(
      'newer-format',
      `${path} has format ${version}, and this program knows formats up to ${format.version}: use a newer program`,
    );
  }
  if (version < 1) throw new EventLogError('corrupt', `${path} has the format ${version}`);
}

/** What the writer's connection is really set to, read back from SQLite. */
export interface WriterSettings {
  readonly journalMode: string;
  /** 2 is FULL: every commit syncs the write-ahead log before it returns. */
  readonly synchronous: number;
}

/** The settings that make an acknowledged append durable, proven by reading them back and by a write lock. */
export function prepareForWriting(db: DatabaseSync): WriterSettings {
  retryWhileBusy(() => db.exec('PRAGMA journal_mode = WAL'), sqliteLimits.writeLockWaitMsMax);
  db.exec(`
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA cache_size = -${sqliteLimits.writerCacheKibibytes};
    PRAGMA journal_size_limit = ${sqliteLimits.journalBytesMax};
    PRAGMA busy_timeout = 0;
  `);
  const settings = {
    journalMode: (db.prepare('PRAGMA journal_mode').get() as { journal_mode: string }).journal_mode,
    synchronous: (db.prepare('PRAGMA synchronous').get() as { synchronous: number }).synchronous,
  };
  if (settings.journalMode !== 'wal' || settings.synchronous !== 2) {
    throw new EventLogError(
      'io',
      `this file system does not allow a durable log: ${JSON.stringify(settings)}`,
    );
  }
  if (!retryWhileBusy(() => db.exec('BEGIN IMMEDIATE'), sqliteLimits.writeLockWaitMsMax)) {
    throw new EventLogError(
      'io',
      'another process has held the write lock of the log for too long',
    );
  }
  db.exec('ROLLBACK');
  return settings;
}

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Runs `step` until it does not find the database locked, for `waitMsMax` at most; false when that
 * was not enough. SQLite's own waiting backs off up to 100 ms, and then loses against busy writers.
 */
export function retryWhileBusy(step: () => void, waitMsMax: number): boolean {
  const deadline = performance.now() + waitMsMax;
  for (;;) {
    try {
      step();
      return true;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() >= deadline) return false;
      Atomics.wait(sleepCell, 0, 0, 0.2 + Math.random());
    }
  }
}
