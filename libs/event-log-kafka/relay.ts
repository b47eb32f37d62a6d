import { setTimeout as sleep } from 'node:timers/promises';
import type { Checkpoint, EventLog, Filter, StoredEvent } from '@annals/event-log';
import type { Message } from 'kafkajs';
import { type KafkaConnection, kafkaClient, type OnReport } from './kafka-connection.ts';
import { kafkaLimits } from './kafka-limits.ts';
import type { KafkaEventLog } from './kafka-log-options.ts';
import { partitionOf } from './partition-of.ts';
import { type Compression, ProduceLine } from './produce-line.ts';
import { RelaySender } from './relay-sender.ts';
import { findRelayTopic, type RelayTopic } from './relay-topic.ts';

export interface RelayOptions {
  /** Any log: SQLite, Kafka, EventStoreDB. */
  readonly log: EventLog;
  readonly connection: KafkaConnection;
  /** A topic for others to read, made by whoever runs the cluster. That of a log is refused: TopicOfLogError. */
  readonly topic: string;
  /** `none` unless told. */
  readonly compression?: Compression;
  readonly filter?: Filter;
  /**
   * What `onRelayed` was told last; `{}` for the beginning. Or who says so once the topic was found: what it throws
   * ends the relay before anything is sent.
   */
  readonly from: Checkpoint | ((topic: RelayTopic) => Promise<Checkpoint>);
  /** `head`: ends once everything is relayed that was there; `follow`: goes on until `signal`. */
  readonly until: 'head' | 'follow';
  readonly signal?: AbortSignal;
  /**
   * All events up to `checkpoint` are in the topic. Awaited: keep it, and a restart goes on from there. `events` is how many
   * were sent by this call, `relayed` those that came since it was told last.
   */
  onRelayed(
    checkpoint: Checkpoint,
    events: number,
    relayed: readonly StoredEvent[],
  ): Promise<void> | void;
  readonly onReport?: OnReport;
}

/**
 * Publishes events to a topic for consumers that are not ours: only accepted events, in order for each
 * stream, at least once. The key is the stream; the header `event-id` tells a repetition. Resolves with
 * the number of events. What cannot be sent is tried again: for as long as `signal` allows where it follows, else for
 * `relayTriesMsMax`. Throws EventLogError `unreachable` after that, and RelayRefusedError for an event that the topic does
 * not take.
 */
export async function relayLog(options: RelayOptions): Promise<number> {
  const { log, connection, topic, filter, from, signal, onReport = () => undefined } = options;
  const bounds = { requestMsMax: kafkaLimits.connectMsMax, retries: 3 };
  const kafka = kafkaClient(connection, bounds, onReport);
  const found = await findRelayTopic(kafka, connection.brokers, topic, ownTopicOf(log));
  const start = typeof from === 'function' ? await from(found) : from;
  const line = new ProduceLine(kafka, topic, options.compression ?? 'none', onReport);
  const sender = new RelaySender({
    ...{ line, topic, signal, isPatient: options.until === 'follow' },
    nowMs: () => performance.now(),
    // Who is told to stop does not wait for the end of a pause.
    sleep: (ms) => sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined),
  });
  let events = 0;
  try {
    const limit = kafkaLimits.batchRecordsMax;
    for await (const delivery of log.subscribe(
      start,
      filter,
      signal ? { limit, signal } : { limit },
    )) {
      if (delivery.kind === 'events') {
        for (const batch of batchesOf(delivery.events, found.partitions)) {
          if (!(await sender.send(batch))) return events;
        }
        events += delivery.events.length;
      }
      const relayed = delivery.kind === 'events' ? delivery.events : [];
      await options.onRelayed(delivery.checkpoint, events, relayed);
      if (delivery.kind === 'caught-up' && options.until === 'head') break;
    }
    return events;
  } finally {
    await line.close();
  }
}

/** Cluster and name of the topic that the log is in, if it is in one. */
function ownTopicOf(log: EventLog | KafkaEventLog): string | undefined {
  return 'topicName' in log ? log.topicName : undefined;
}

function* batchesOf(events: readonly StoredEvent[], partitions: number): Generator<Message[]> {
  let batch: Message[] = [];
  let bytes = 0;
  for (const event of events) {
    const message = messageOf(event, partitions);
    const size = (message.value as Buffer).length + event.stream.length * 4;
    if (batch.length > 0 && bytes + size > kafkaLimits.batchBytesMax) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(message);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** The event as JSON; its data is the very text that was stored. */
function messageOf(event: StoredEvent, partitions: number): Message {
  const { id, stream, revision, type, schemaVersion, data, metadata } = event;
  const envelope = JSON.stringify({
    ...{ id, stream, revision, type, schemaVersion, metadata },
    occurredAt: event.occurredAt,
    recordedAt: event.recordedAt,
  });
  return {
    key: stream,
    value: Buffer.from(`${envelope.slice(0, -1)},"data":${data}}`),
    partition: partitionOf(stream, partitions),
    headers: { 'event-id': id, 'event-type': type, revision: String(revision) },
    timestamp: String(event.recordedAt),
  };
}
