import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EventLogError } from '@annals/event-log/port';
import { backupLog } from './backup.ts';
import { logFileName } from './log-file.ts';
import { partitionFolder, replicaFormat } from './replica-file.ts';

export type SnapshotResult =
  | { readonly kind: 'written'; readonly partitions: number; readonly events: number }
  | { readonly kind: 'target-exists'; readonly target: string };

/**
 * Copies the replica in `folder` to `target`, while its process goes on following. Each partition is copied
 * as it is at one moment, with how far it came: as the folder of a new process it is followed from there.
 * Throws EventLogError `not-a-log` where no replica is.
 */
export async function snapshotReplica(folder: string, target: string): Promise<SnapshotResult> {
  const partitions = partitionsIn(folder);
  if (partitions.length === 0) {
    throw new EventLogError('not-a-log', `there is no replica in ${folder}`);
  }
  let events = 0;
  for (const partition of partitions) {
    const to = join(partitionFolder(target, partition), logFileName);
    const format = replicaFormat;
    const copied = await backupLog(partitionFolder(folder, partition), to, { format });
    if (copied.kind === 'target-exists') return copied;
    events += copied.events;
  }
  return { kind: 'written', partitions: partitions.length, events };
}

function partitionsIn(folder: string): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const [, digits] = /^partition-(\d{5})$/.exec(name) ?? [];
    return digits === undefined ? [] : [Number(digits)];
  });
}
