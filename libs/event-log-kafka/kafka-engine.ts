import { randomBytes } from 'node:crypto';
import type { ISocketFactory, Message } from 'kafkajs';
import { type StartFollower, startFollowerThread } from './follower-client.ts';
import { type KafkaConnection, kafkaClient, type OnReport } from './kafka-connection.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { type Compression, type Produced, ProduceLine } from './produce-line.ts';
import { type RecordFormats, recordFormats } from './record-formats.ts';
import { systemTimers, type Timers } from './timers.ts';
import { openTopic, type Topic, type TopicSettings } from './topic.ts';
import { type RecordReader, TopicReader } from './topic-reader.ts';

/** All that the log has of the world around it: Kafka, a thread to follow it, time, chance. A simulation has its own. */
export interface KafkaEngine {
  /** Throws EventLogError. */
  openTopic(settings: TopicSettings): Promise<Topic>;
  produceLine(): MessageLine;
  readonly startFollower: StartFollower;
  /** For bodies that the replica has dropped. `topicId`: no other topic of the same name is read. */
  recordReader(topicId: string | undefined): RecordReader;
  readonly timers: Timers;
  /** 20 hex digits that no other process has. */
  instance(): string;
  formats(): Promise<RecordFormats>;
}

/** Takes one request at a time. Each message names its partition. */
export interface MessageLine {
  /** Never rejects. */
  send(messages: Message[]): Promise<Produced>;
  close(): Promise<void>;
}

export interface KafkaEngineOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly compression?: Compression;
  readonly socketFactory?: ISocketFactory;
  readonly formatsModule?: string;
  readonly onReport?: OnReport;
}

/** Real brokers. */
export function kafkaEngine(options: KafkaEngineOptions): KafkaEngine {
  const { connection, topic, compression = 'none', formatsModule } = options;
  const { onReport = () => undefined } = options;
  const bounds = { requestMsMax: kafkaLimits.connectMsMax, retries: 3 };
  return {
    openTopic: (settings) =>
      openTopic(kafkaClient(connection, bounds, onReport), connection.brokers, settings),
    produceLine: () => {
      const kafka = kafkaClient(connection, bounds, onReport, options.socketFactory);
      return new ProduceLine(kafka, topic, compression, onReport);
    },
    startFollower: startFollowerThread,
    recordReader: (topicId) =>
      new TopicReader(kafkaClient(connection, bounds, onReport), topic, topicId),
    timers: systemTimers,
    instance: () => randomBytes(10).toString('hex'),
    formats: async () =>
      formatsModule
        ? ((await import(formatsModule)) as { recordFormats: RecordFormats }).recordFormats
        : recordFormats,
  };
}
