import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { backup, type DatabaseSync } from 'node:sqlite';
import { connect, type FileFormat, logFileName } from './log-file.ts';
import { makeFolder, placeFile } from './place-file.ts';
import { toEventLogError } from './sqlite-errors.ts';

export type BackupResult =
  | {
      readonly kind: 'written';
      readonly events: number;
      /** Position of the last event in the backup, 0 when there is none. */
      readonly lastPosition: number;
    }
  | { readonly kind: 'target-exists'; readonly target: string };

export interface BackupProgress {
  readonly pages: number;
  readonly pagesTotal: number;
}

/** Pages copied between two turns of the event loop: 4 MB. */
const pagesPerStep = 1_000;

/**
 * Copies the log in `folder` to the file `target` as it is now, while appends go on. The file appears
 * under its name when it is whole and synced; put as `events.sqlite` into a folder it is a log.
 * The keys of personal data are not in it: keep their backup apart.
 */
export async function backupLog(
  folder: string,
  target: string,
  options: {
    readonly onProgress?: (progress: BackupProgress) => void;
    /** Of the file; a log's unless told. */
    readonly format?: FileFormat;
  } = {},
): Promise<BackupResult> {
  if (existsSync(target)) return { kind: 'target-exists', target };
  try {
    return await copyTo(target, connect(folder, 'read', options.format), options.onProgress);
  } catch (error) {
    throw toEventLogError(error, `the backup of ${join(folder, logFileName)} to ${target}`);
  }
}

async function copyTo(
  target: string,
  source: DatabaseSync,
  onProgress: ((progress: BackupProgress) => void) | undefined,
): Promise<BackupResult> {
  using db = source;
  makeFolder(dirname(target));
  const draft = `${target}.partial-${process.pid}`;
  try {
    // The snapshot held here keeps other processes' commits out of the copy: it never begins anew.
    db.exec('BEGIN');
    const copied = countEvents(db);
    await backup(db, draft, {
      rate: pagesPerStep,
      progress: ({ totalPages, remainingPages }) =>
        onProgress?.({ pages: totalPages - remainingPages, pagesTotal: totalPages }),
    });
    db.exec('COMMIT');
    const placed = placeFile(draft, target);
    return placed ? { kind: 'written', ...copied } : { kind: 'target-exists', target };
  } finally {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(draft + suffix, { force: true });
  }
}

function countEvents(db: DatabaseSync): { events: number; lastPosition: number } {
  const sql = 'SELECT count(*) AS events, coalesce(max(position), 0) AS lastPosition FROM events';
  return db.prepare(sql).get() as { events: number; lastPosition: number };
}
