import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { EnginesError, stopIfAborted } from './errors.ts';

const pollMs = 50;
/** A start of Cassandra on a busy machine, with another attempt after it, ends within this. */
const waitMsMax = 600_000;
const busyCode = 5;

/**
 * Runs `work` while no other process does the same with this file. The lock is SQLite's, so the
 * system lets go of it when its holder is killed: there is no stale lock to recognise.
 */
export async function exclusively<T>(
  file: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const db = new DatabaseSync(file);
  try {
    const deadline = Date.now() + waitMsMax;
    while (!locked(db)) {
      stopIfAborted(signal);
      if (Date.now() > deadline) {
        throw new EnginesError('busy', `another process has held ${file} for too long`);
      }
      await delay(pollMs);
    }
    return await work();
  } finally {
    db.close();
  }
}

function locked(db: DatabaseSync): boolean {
  try {
    db.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === busyCode) return false;
    throw error;
  }
}
