import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { connect, createLogFile, eventTables, type FileFormat, logFileName } from './log-file.ts';
import { LogReader } from './log-reader.ts';
import { inPlace } from './place-file.ts';
import { sqliteLimits } from './sqlite-limits.ts';

/**
 * The version of a replica's tables. A replica can be made again, so a program that finds a newer version makes it again.
 * 2: bodies may be dropped, which an older program would take for data. A file has it from then on.
 */
export const replicaFormatVersion = 2;
const wholeVersion = 1;

/**
 * One partition of another engine's log: the tables of an event log, and what the follower of that
 * log must find in the same state: how far it came, and keys it will be asked for.
 */
export const replicaFormat: FileFormat = {
  name: 'a replica of an event log',
  /** "AnnR" in ASCII. */
  applicationId: 0x416e6e52,
  version: replicaFormatVersion,
  madeVersion: wholeVersion,
  tables: `${eventTables}
    CREATE TABLE progress (
      id INTEGER PRIMARY KEY CHECK (id = 0),
      state TEXT NOT NULL
    ) STRICT;
    CREATE TABLE marks (
      key BLOB PRIMARY KEY,
      place INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
};

/** A record of the other log holds at most as many events: `limits.appendEventsMax` is 1,000. */
const eventsOfRecordMax = 1_024;

/** The largest offset that has positions: 2^53 / 1024, a century of ten thousand records a second. */
const offsetMax = Math.floor(Number.MAX_SAFE_INTEGER / eventsOfRecordMax) - 1;

/** Where the first event of the record at `offset` stands, whatever becomes of the record. */
export function firstPositionOf(offset: number): number {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset > offsetMax) {
    throw new RangeError(`${offset} is not an offset between 0 and ${offsetMax}`);
  }
  return offset * eventsOfRecordMax + 1;
}

/** The offset of the record that holds the event at `position`. */
export function offsetOf(position: number): number {
  return Math.floor((position - 1) / eventsOfRecordMax);
}

/** Which of the record's events stands at `position`. */
export function indexOf(position: number): number {
  return (position - 1) % eventsOfRecordMax;
}

/** The folder of one partition in the replica's folder. */
export function partitionFolder(folder: string, partition: number): string {
  return join(folder, `partition-${String(partition).padStart(5, '0')}`);
}

/** A reader of one partition; its file must be there. Throws EventLogError. */
export function replicaReader(folder: string, partition: number): LogReader {
  const place = partitionFolder(folder, partition);
  const db = connect(place, 'read', replicaFormat);
  return new LogReader(db, join(place, logFileName), {
    partition,
    positionStride: eventsOfRecordMax,
  });
}

/**
 * A connection that writes one partition's file, which is made when it is not there. A commit does
 * not sync: what a power failure takes is read from the log again.
 */
export function connectReplica(folder: string, partition: number): DatabaseSync {
  const place = partitionFolder(folder, partition);
  createLogFile(place, replicaFormat);
  const db = connect(place, 'read-write', replicaFormat);
  try {
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = ${sqliteLimits.replicaWalPages};
      PRAGMA cache_size = -${sqliteLimits.writerCacheKibibytes};
      PRAGMA journal_size_limit = ${sqliteLimits.journalBytesMax};
    `);
    mustBeWhole(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Removes the file of a partition; no connection may be open. */
export function removeReplica(folder: string, partition: number): void {
  rmSync(partitionFolder(folder, partition), { recursive: true, force: true });
}

/** Tells later whether the file of a partition is still the one that is there now. */
export function replicaInPlace(folder: string, partition: number): () => boolean {
  return inPlace(join(partitionFolder(folder, partition), logFileName));
}

/** Reads the ends of each table: where the first or the last pages are broken, SQLite throws. */
function mustBeWhole(db: DatabaseSync): void {
  for (const sql of [
    'SELECT * FROM events ORDER BY position LIMIT 1',
    'SELECT * FROM events ORDER BY position DESC LIMIT 1',
    'SELECT * FROM streams ORDER BY id DESC LIMIT 1',
    'SELECT * FROM kinds',
    'SELECT * FROM progress',
  ]) {
    db.prepare(sql).all();
  }
}
