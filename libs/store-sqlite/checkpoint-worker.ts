import { parentPort } from 'node:worker_threads';
import type { CheckpointRequest } from './background-checkpoint.ts';
import { openDatabase } from './generation-file.ts';

/**
 * Writes back what the WAL of a file holds and no reader needs (`PASSIVE`: it waits for nobody, and
 * nobody waits for it). The file is opened each time, for it may be another one or gone by now. What
 * fails here is tried again by a later commit, on its own connection, and told there.
 */
function writeBack(path: string): void {
  try {
    using database = openDatabase(path, 'read-write');
    database.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch {
    // Told by the commits.
  }
}

const port = parentPort;
port?.on('message', ({ path }: CheckpointRequest) => {
  writeBack(path);
  port.postMessage(undefined);
});
