import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredEvent } from '@annals/event-log';
import {
  HeadWatch,
  headSum,
  LogReads,
  openReplica,
  replicaReader,
} from '@annals/event-log-sqlite/replica';
import { onTestFinished } from 'vitest';
import { type FollowerOptions, PartitionFollower } from '../partition-follower.ts';
import { recordFormats } from '../record-formats.ts';
import { instance } from './sample-records.ts';

/** An empty folder, removed when the running test has finished. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'annals-kafka-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface OpenedFollower {
  readonly follower: PartitionFollower;
  readonly folder: string;
  /** All events of the replica. */
  events(): Promise<StoredEvent[]>;
  close(): void;
}

/** A follower of partition 0 on a replica in a folder. */
export function openFollower(
  folder = freshFolder(),
  options: Partial<FollowerOptions> = {},
): OpenedFollower {
  const { replica } = openReplica(folder, 0);
  let open = true;
  const close = () => {
    if (open) replica.close();
    open = false;
  };
  onTestFinished(close);
  const follower = new PartitionFollower({
    ...{ replica, topic: 'cluster/topic', partition: 0, partitions: 1 },
    ...{ formats: recordFormats, instance },
    ...options,
  });
  const events = async () => {
    const reader = replicaReader(folder, 0);
    const reads = new LogReads([reader], new HeadWatch(() => headSum([reader])));
    const page = await reads.read('start', {}, { limit: 10_000 });
    reads.close();
    return [...page.events];
  };
  return { follower, folder, events, close };
}
