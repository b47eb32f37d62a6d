import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ownReplicaFolder,
  ReplicaTakenError,
  snapshotReplica,
} from '@annals/event-log-sqlite/replica';

/** Openings of one log below one data folder at a time: processes, their threads, commands. */
const replicasMax = 32;

/**
 * Opens a log that keeps a replica in a folder of its own. `folder` holds any number of them, and the first
 * one that nobody has is taken: so a process that comes again finds what it, or one like it, has read
 * before. A new one begins as a copy of another one, where there is one, and reads only what came since.
 */
export async function withReplica<Log>(
  folder: string,
  open: (replica: string) => Promise<Log>,
): Promise<Log> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (let number = 1; number <= replicasMax; number += 1) {
    const replica = join(folder, String(number));
    try {
      await beginAsCopy(folder, replica);
      return await open(replica);
    } catch (error) {
      if (!(error instanceof ReplicaTakenError)) throw error;
    }
  }
  throw new ReplicaTakenError(folder);
}

/** Throws ReplicaTakenError when somebody has it. */
async function beginAsCopy(folder: string, replica: string): Promise<void> {
  // Held while it is filled: two that copy into one folder would write over each other's files.
  const owner = ownReplicaFolder(replica);
  try {
    if (hasPartitions(replica)) return;
    const others = readdirSync(folder).map((name) => join(folder, name));
    const other = others.find((one) => one !== replica && hasPartitions(one));
    // What cannot be copied is no reason to stop: the topic has everything.
    if (other) await snapshotReplica(other, replica).catch(() => undefined);
  } finally {
    owner.release();
  }
}

function hasPartitions(replica: string): boolean {
  return readdirSync(replica).some((name) => name.startsWith('partition-'));
}
