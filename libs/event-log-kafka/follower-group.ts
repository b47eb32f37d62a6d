import { hasReplica } from '@annals/event-log-sqlite/replica';
import { FollowerClient, type StartFollower } from './follower-client.ts';
import type { Followed, FollowerTask, JudgedBatch } from './follower-protocol.ts';
import type { OnReport } from './kafka-connection.ts';

export interface FollowerGroupEvents {
  /** `committed`: the partitions of which all that was judged until now can be read. */
  onJudged(batches: readonly JudgedBatch[], committed: readonly number[]): void;
  /** All threads are gone. `removed`: a replica was damaged, and begins anew when they are started again. */
  onFailed(error: Error, removed: boolean): void;
  readonly onReport: OnReport;
}

/**
 * The threads that follow the topic: each has some of the partitions, and knows nothing of the others. What one
 * cannot get over ends them all.
 */
export class FollowerGroup {
  readonly #clients: readonly FollowerClient[];
  readonly #events: FollowerGroupEvents;
  #failed = false;

  constructor(
    task: FollowerTask,
    threads: number,
    events: FollowerGroupEvents,
    start: StartFollower,
  ) {
    this.#events = events;
    this.#clients = shares(task.served, threads).map((served) => {
      const client = new FollowerClient(
        { ...task, served },
        {
          onJudged: (batches, committed) => events.onJudged(batches, committed ? served : []),
          onFailed: (error, removed) => void this.#fail(client, error, removed),
          onReport: events.onReport,
        },
        start,
      );
      return client;
    });
  }

  /** Resolves when the files of all partitions can be read; rejects when one is refused. */
  async opened(): Promise<readonly Followed[]> {
    return (await Promise.all(this.#clients.map((client) => client.opened()))).flat();
  }

  /** Has all that was judged committed at once. */
  commit(): void {
    for (const client of this.#clients) client.commit();
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /**
   * The others hold files that whoever goes on will open, and what they have judged they must have told: it is
   * told when they have closed.
   */
  async #fail(failed: FollowerClient, error: Error, removed: boolean): Promise<void> {
    if (this.#failed) return;
    this.#failed = true;
    const others = this.#clients.filter((client) => client !== failed);
    if (others.length > 0) await Promise.all(others.map((client) => client.close()));
    this.#events.onFailed(error, removed);
  }
}

/** About as many as a follower reads before it has caught up: a replica that is there is taken to be near. */
export function recordsToRead({ topic, served, folder }: FollowerTask): number {
  let records = 0;
  for (const partition of served) {
    const { low, end } = topic.offsets[partition] ?? { low: 0, end: 0 };
    if (!hasReplica(folder, partition)) records += end - low;
  }
  return records;
}

function shares(partitions: readonly number[], count: number): (readonly number[])[] {
  const many = Math.max(1, Math.min(count, partitions.length));
  return Array.from({ length: many }, (_, share) =>
    partitions.filter((_, at) => at % many === share),
  );
}
