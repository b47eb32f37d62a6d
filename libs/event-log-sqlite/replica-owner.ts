import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EventLogError } from '@annals/event-log/port';
import { inPlace, makeFolder } from './place-file.ts';
import { isBusy, toEventLogError } from './sqlite-errors.ts';

/** Holds a replica's folder for this process; the operating system lets go of it when the process is gone. */
export interface ReplicaOwner {
  /** May be called again. */
  release(): void;
  /** False when the file by which others see it was removed. */
  holds(): boolean;
}

/** A replica's folder belongs to another process, or to another thread of this one. */
export class ReplicaTakenError extends EventLogError {
  constructor(folder: string) {
    super(
      'io',
      `${folder} is the replica of another process: give each process a folder of its own`,
    );
    this.name = 'ReplicaTakenError';
  }
}

/**
 * Makes the folder of a replica and takes it for this process. Two followers in one folder would each
 * skip what the other has stored. Throws ReplicaTakenError when another process has it.
 */
export function ownReplicaFolder(folder: string): ReplicaOwner {
  const path = join(folder, 'owner.sqlite');
  let db: DatabaseSync | undefined;
  try {
    makeFolder(folder);
    db = new DatabaseSync(path, { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
    const held = db;
    return {
      holds: inPlace(path),
      release: () => {
        if (held.isOpen) held.close();
      },
    };
  } catch (error) {
    db?.close();
    if (!isBusy(error)) throw toEventLogError(error, path);
    throw new ReplicaTakenError(folder);
  }
}
