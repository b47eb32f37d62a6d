import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '@annals/core/within';
import { EventLogError } from '@annals/event-log/port';
import type { Admin, Kafka } from 'kafkajs';
import { connectionFault } from './connection-fault.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { Brokers, type OffsetRange } from './wire/brokers.ts';
import { topicIdOf } from './wire/topic-id.ts';

export interface TopicSettings {
  readonly topic: string;
  /**
   * Of the log, fixed when it is made; the topic may have more, which stay empty. Undefined: as many as the topic has,
   * `partitionsDefault` for a new one.
   */
  readonly partitions?: number | undefined;
  /** Of a topic that is made: 3, or as many as there are brokers, unless told. One that is there must have at least as many. */
  readonly replicationFactor?: number | undefined;
  /** What the topic must have at least; 2 where it has three replicas, else 1. */
  readonly minInSyncReplicas?: number | undefined;
  /** False: a topic that is not there is an error. */
  readonly create: boolean;
}

export interface Topic {
  /** Cluster and name. */
  readonly name: string;
  /** Given by the cluster, 32 hex digits: another topic of the same name has another one. Undefined from brokers before Kafka 2.8. */
  readonly id?: string | undefined;
  readonly partitions: number;
  /** For each partition: the first offset it has, and the one its next record gets. */
  readonly offsets: readonly OffsetRange[];
  /** The same of those that the topic has more than the log. */
  readonly beyond?: readonly OffsetRange[];
}

/**
 * Finds the topic or makes it, and refuses one that would lose events or answer for less than it should.
 * Throws EventLogError: `unreachable` when no broker answers, `refused` when one does not let us, `not-a-log` when the
 * settings are wrong.
 */
export async function openTopic(
  kafka: Kafka,
  brokers: readonly string[],
  settings: TopicSettings,
): Promise<Topic> {
  const admin = kafka.admin();
  try {
    const opening = connectAndOpen(kafka, admin, settings);
    return await within(opening, kafkaLimits.openMsMax, () => {
      throw new EventLogError('unreachable', `no Kafka broker answers at ${brokers.join(', ')}`);
    });
  } catch (error) {
    throw connectionFault(error, brokers);
  } finally {
    void admin.disconnect().catch(() => undefined);
  }
}

async function connectAndOpen(kafka: Kafka, admin: Admin, settings: TopicSettings): Promise<Topic> {
  await admin.connect();
  const { topic } = settings;
  const { clusterId, brokers } = await admin.describeCluster();
  const there = await admin.listTopics();
  if (!there.includes(topic)) {
    if (!settings.create)
      throw wrong(topic, 'is not there', 'check its name, or start an API process, which makes it');
    await make(admin, settings, brokers.length);
  }
  return onceKnown(async () => {
    const { used: partitions, there: all } = await check(admin, settings, brokers.length);
    const { id, offsets } = await topicNow(kafka, topic, all);
    return {
      ...{ name: `${clusterId}/${topic}`, id, partitions },
      ...{ offsets: offsets.slice(0, partitions), beyond: offsets.slice(partitions) },
    };
  });
}

/** What a topic is that has this name now. */
export interface TopicNow {
  readonly id: string | undefined;
  /** Of each partition, in order. */
  readonly offsets: readonly OffsetRange[];
}

/** Throws EventLogError `unreachable` while one of its partitions has no leader. */
export async function topicNow(kafka: Kafka, topic: string, partitions: number): Promise<TopicNow> {
  const brokers = new Brokers(kafka, topic);
  try {
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    const leaders = await brokers.leaders(all);
    const [first] = leaders;
    const id = first && (await topicIdOf(first.broker, topic));
    const offsets: OffsetRange[] = [];
    for (const { broker, partitions: led } of leaders) {
      const ranges = await broker.ranges(topic, led);
      for (const [at, range] of ranges.entries()) offsets[led[at] as number] = range;
    }
    return { id, offsets };
  } finally {
    void brokers.close();
  }
}

/**
 * Asks again, within the time that opening may take, what a broker cannot answer yet: for a moment after a
 * topic was made one has not heard of it, another not that it leads a partition.
 */
async function onceKnown<Result>(ask: () => Promise<Result>): Promise<Result> {
  const until = performance.now() + kafkaLimits.openMsMax;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { retriable } = error as { readonly retriable?: boolean };
      if (retriable !== true || performance.now() > until) throw error;
      await sleep(kafkaLimits.retryPauseMs);
    }
  }
}

async function make(admin: Admin, settings: TopicSettings, brokers: number): Promise<void> {
  const { topic, partitions = kafkaLimits.partitionsDefault } = settings;
  const replicationFactor = settings.replicationFactor ?? replicasDefault(brokers);
  const inSync = settings.minInSyncReplicas ?? inSyncDefault(replicationFactor);
  // When another process is quicker, its topic is checked like any other.
  await admin.createTopics({
    // kafkajs gives up waiting when a broker has not heard of the topic: see `onceKnown`.
    waitForLeaders: false,
    topics: [
      {
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: Object.entries({
          'retention.ms': '-1',
          'retention.bytes': '-1',
          'cleanup.policy': 'delete',
          'unclean.leader.election.enable': 'false',
          'min.insync.replicas': String(inSync),
        }).map(([name, value]) => ({ name, value })),
      },
    ],
  });
}

function inSyncDefault(replicas: number): number {
  return replicas >= 3 ? 2 : 1;
}

function replicasDefault(brokers: number): number {
  return Math.min(3, brokers);
}

/** As many as are configured, or as are made by default: few are no mistake only where they are asked for. */
function checkReplicas(
  { topic, replicationFactor }: TopicSettings,
  found: number,
  brokers: number,
) {
  const needed = replicationFactor ?? replicasDefault(brokers);
  if (found >= needed) return;
  const wanted =
    replicationFactor === undefined
      ? `there are ${brokers} brokers: events would be lost with ${found === 1 ? 'one' : found} of them`
      : `${needed} are configured: it would be lost with fewer brokers than was meant`;
  throw wrong(
    topic,
    `has ${found} replicas, and ${wanted}`,
    `add them with kafka-reassign-partitions.sh, or configure ${found}`,
  );
}

async function check(
  admin: Admin,
  settings: TopicSettings,
  brokers: number,
): Promise<{ readonly used: number; readonly there: number }> {
  const { topic } = settings;
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const metadata = topics[0]?.partitions ?? [];
  const partitions = metadata.length;
  if (settings.partitions !== undefined && settings.partitions > partitions) {
    throw wrong(
      topic,
      `has ${partitions} partitions, and ${settings.partitions} are configured`,
      `configure ${partitions}: a stream lives in the partition its name hashes to, so their number never changes`,
    );
  }
  const replicas = Math.min(...metadata.map((one) => one.replicas.length));
  checkReplicas(settings, replicas, brokers);
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: topicResource, name: topic }],
  });
  const config = new Map(
    resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
  );
  const mustBe = (name: string, value: string, why: string) => {
    const found = config.get(name);
    if (found !== value) throw wrongSetting(topic, name, found, value, why);
  };
  mustBe('cleanup.policy', 'delete', 'compaction would remove events');
  mustBe('retention.ms', '-1', 'events would be removed when they are old');
  mustBe('retention.bytes', '-1', 'events would be removed when there are many');
  const unclean = 'a replica that lacks acknowledged events could lead';
  mustBe('unclean.leader.election.enable', 'false', unclean);
  const inSync = settings.minInSyncReplicas ?? inSyncDefault(replicas);
  const found = Number(config.get('min.insync.replicas'));
  if (!(found >= inSync)) {
    const why = 'an acknowledged event could be on one broker alone';
    throw wrongSetting(topic, 'min.insync.replicas', String(found), String(inSync), why);
  }
  const bytes = Number(config.get('max.message.bytes'));
  if (!(bytes >= messageBytesMin)) {
    const why = 'the largest append would not fit';
    throw wrongSetting(topic, 'max.message.bytes', String(bytes), String(messageBytesMin), why);
  }
  return { used: settings.partitions ?? partitions, there: partitions };
}

/** TOPIC among the resource types of the protocol; Node.js finds no such export in kafkajs. */
const topicResource = 2;

/** A batch, and the frame Kafka puts around it. */
const messageBytesMin = 1_000_000;

function wrongSetting(
  topic: string,
  name: string,
  found: string | undefined,
  needed: string,
  why: string,
): EventLogError {
  return wrong(
    topic,
    `has ${name}=${found}: ${why}`,
    `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${name}=${needed}`,
  );
}

function wrong(topic: string, problem: string, fix: string): EventLogError {
  return new EventLogError('not-a-log', `topic ${topic} ${problem}. To mend it: ${fix}`);
}
