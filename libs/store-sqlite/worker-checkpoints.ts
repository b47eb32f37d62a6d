import type { DatabaseSync } from 'node:sqlite';
import type { Checkpoint } from '@annals/event-log';
import { storedCheckpoint } from './schema.ts';

/** Each worker's checkpoint, by number. */
export function readWorkerCheckpoints(database: DatabaseSync): Checkpoint[] {
  return database
    .prepare('SELECT checkpoint FROM annals_workers ORDER BY worker')
    .all()
    .map((row) => storedCheckpoint(row.checkpoint));
}
