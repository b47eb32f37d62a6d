import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ScratchStore } from '@annals/projection';
import { storeError } from './errors.ts';
import { openDatabase } from './generation-file.ts';
import {
  type SqliteProjectionStoreOptions,
  sqliteProjectionStore,
} from './sqlite-projection-store.ts';

const lockSuffix = '.lock';
const attemptsMax = 10;
/** Locks of this process. A connection that nobody refers to is collected, and its lock with it. */
const heldLocks = new Set<DatabaseSync>();

/**
 * A store for rows that are needed once, in a folder of its own below `folder`. It is in use as long
 * as its lock is held, which the operating system lets go when the process ends, however that ends:
 * what was left behind is known by that, and removed by the next one and by `removeAbandonedScratch`.
 */
export function sqliteScratchStore(options: SqliteProjectionStoreOptions): ScratchStore {
  const { folder } = options;
  removeAbandonedScratch(folder);
  return guarded(folder, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { path, lock } = takeFolder(folder);
    heldLocks.add(lock);
    const store = sqliteProjectionStore({ ...options, folder: path });
    const remove = async () => {
      await store.close();
      if (!lock.isOpen) return;
      guarded(path, () => removeUnder(path));
      lock.close();
      heldLocks.delete(lock);
    };
    return { store, remove };
  });
}

/** Removes what processes that are gone have left below `folder`. What is in use stays. */
export function removeAbandonedScratch(folder: string): void {
  if (!existsSync(folder)) return;
  guarded(folder, () => {
    for (const entry of readdirSync(folder)) {
      const path = join(
        folder,
        entry.endsWith(lockSuffix) ? entry.slice(0, -lockSuffix.length) : entry,
      );
      const lock = tryLock(() => openDatabase(path + lockSuffix, 'read-write'));
      if (lock === 'in-use') continue;
      removeUnder(path);
      lock?.close();
    }
  });
}

/** The lock goes last: a folder without one is abandoned. */
function removeUnder(path: string): void {
  rmSync(path, { recursive: true, force: true });
  rmSync(path + lockSuffix, { force: true });
}

function takeFolder(folder: string): { readonly path: string; readonly lock: DatabaseSync } {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const path = join(folder, randomUUID());
    const lock = tryLock(() => new DatabaseSync(path + lockSuffix, { timeout: 0 }));
    if (lock === 'in-use' || !lock) continue;
    // Somebody who removes what is abandoned may have come between the file and its lock.
    if (existsSync(path + lockSuffix)) return { path, lock };
    lock.close();
  }
  throw new Error(`no scratch folder could be made in ${folder}`);
}

/** Undefined when there is no lock to take: its owner has removed it. */
function tryLock(open: () => DatabaseSync): DatabaseSync | 'in-use' | undefined {
  let lock: DatabaseSync | undefined;
  try {
    lock = open();
    // Nothing is ever written: a journal would only be one more file to leave behind.
    lock.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
    if (code === busy) return 'in-use';
    if (code === cannotOpen) return undefined;
    throw error;
  }
}

/** SQLITE_BUSY and SQLITE_CANTOPEN (https://www.sqlite.org/rescode.html). */
const busy = 5;
const cannotOpen = 14;

function guarded<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw storeError(error, path);
  }
}
