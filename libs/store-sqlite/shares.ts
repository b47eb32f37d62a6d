import type { DatabaseSync } from 'node:sqlite';
import type { Checkpoint } from '@annals/event-log';
import { lowestCheckpoint, type ShareProgress, type Split } from '@annals/projection';
import { storedCheckpoint } from './schema.ts';

/** How far each worker has come, by number. */
export function readShares(database: DatabaseSync): ShareProgress[] {
  return database
    .prepare('SELECT checkpoint, tail FROM annals_workers ORDER BY worker')
    .all()
    .map((row) => ({ checkpoint: storedCheckpoint(row.checkpoint), tail: String(row.tail) }));
}

/** What all of them have reached. */
export function readCheckpoint(database: DatabaseSync, split: Split): Checkpoint {
  const checkpoints = readShares(database).map(({ checkpoint }) => checkpoint);
  return lowestCheckpoint(checkpoints, split);
}
