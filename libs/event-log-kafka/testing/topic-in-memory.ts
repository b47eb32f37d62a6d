import { EventLogError } from '@annals/event-log/port';
import { openReplica } from '@annals/event-log-sqlite/replica';
import type { Message } from 'kafkajs';
import type { FollowerEars, StartFollower } from '../follower-client.ts';
import { type Feed, type FeedOptions, FollowerThread } from '../follower-thread.ts';
import type { KafkaEngine } from '../kafka-engine.ts';
import type { TopicRecord } from '../partition-follower.ts';
import { recordFormats } from '../record-formats.ts';
import { systemTimers } from '../timers.ts';
import { instance } from './sample-records.ts';

/**
 * A topic of one partition in memory, and the engine of one process on it. Both threads of the process are in this
 * one, and what the follower's meets is for the test to say.
 */
export class TopicInMemory {
  readonly records: TopicRecord[] = [];
  /** Thrown by every commit of the replica until it is taken away. */
  commitFault: Error | undefined;
  /** The same for opening the replica. */
  openFault: Error | undefined;
  /** How many times a follower was started. */
  starts = 0;
  /** Records stay in the topic and are not handed over. */
  holdsBack = false;
  /** Of the records that were handed over. */
  bytesBrought = 0;
  #thread: FollowerThread | undefined;
  #ears: FollowerEars | undefined;
  #feed: FeedOptions | undefined;

  engine(): KafkaEngine {
    return {
      openTopic: async () => ({
        ...{ name: 'cluster/topic', partitions: 1 },
        offsets: [{ low: 0, end: this.records.length }],
      }),
      produceLine: () => ({
        send: async (messages) => {
          this.append(messages);
          return 'acknowledged';
        },
        close: async () => undefined,
      }),
      startFollower: this.#startFollower,
      recordReader: () => ({ read: async () => [], close: async () => undefined }),
      timers: systemTimers,
      instance: () => instance,
      formats: async () => recordFormats,
    };
  }

  append(messages: readonly Pick<Message, 'key' | 'value'>[]): void {
    for (const { key = null, value } of messages) {
      const offset = this.records.length;
      const bytes = (one: Buffer | string | null) => (one === null ? null : Buffer.from(one));
      this.records.push({ offset, key: bytes(key), value: bytes(value) });
    }
    setImmediate(() => this.#bring());
  }

  /** The follower's thread is gone without a word. */
  killThread(): void {
    this.#thread?.end();
    this.#ears?.onExit();
  }

  /** The follower's thread meets an error, says so and ends. */
  failThread(error: EventLogError): void {
    this.#thread?.end();
    const { code, message } = error;
    this.#ears?.onMessage({ kind: 'failed', error: { code, message, removed: false } });
  }

  readonly #startFollower: StartFollower = (task, ears) => {
    this.starts += 1;
    const thread = new FollowerThread({
      ...{ task, formats: recordFormats, timers: systemTimers },
      feed: (options) => this.#feedOf(options),
      openReplica: (folder, partition) => {
        if (this.openFault) throw this.openFault;
        const { replica, found } = openReplica(folder, partition);
        const settle = replica.settle.bind(replica);
        replica.settle = () => {
          if (this.commitFault) throw this.commitFault;
          settle();
        };
        return { replica, found };
      },
      say: (message) =>
        setImmediate(() => {
          ears.onMessage(message);
          if (message.kind === 'closed') ears.onExit();
        }),
    });
    this.#thread = thread;
    this.#ears = ears;
    setImmediate(() => thread.start());
    return {
      ask: (request) => void setImmediate(() => thread.ask(request)),
      terminate: () => void setImmediate(() => ears.onExit()),
    };
  };

  #feedOf(options: FeedOptions): Feed {
    return {
      start: () => {
        this.#feed = options;
        options.onBegin(undefined);
        setImmediate(() => this.#bring());
      },
      seek: () => undefined,
      stop: () => {
        if (this.#feed === options) this.#feed = undefined;
      },
    };
  }

  #bring(): void {
    const [feed, end] = [this.#feed, this.records.length];
    if (this.holdsBack) setTimeout(() => this.#bring(), 5);
    if (this.holdsBack || !feed) return;
    const from = feed.from(0);
    const records = this.records.slice(from);
    if (records.length === 0) return;
    for (const { value } of records) this.bytesBrought += value?.length ?? 0;
    feed.onBatch({ partition: 0, end, records, from, next: end });
  }
}

/** What SQLite's files answer while the disk is full. */
export function fullDisk(): EventLogError {
  return new EventLogError('disk-full', 'the disk is full: free some space');
}
