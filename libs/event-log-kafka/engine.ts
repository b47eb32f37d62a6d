/** The log over an engine of one's own: for simulations. */
export type {
  FollowerEars,
  FollowerLink,
  StartFollower,
} from './follower-client.ts';
export type { FollowerFailure, FollowerTask } from './follower-protocol.ts';
export {
  type Feed,
  type FeedBatch,
  type FeedOptions,
  FollowerThread,
} from './follower-thread.ts';
export type { KafkaEngine, MessageLine } from './kafka-engine.ts';
export { kafkaEventLogOn } from './kafka-event-log.ts';
export type { TopicRecord } from './partition-follower.ts';
export type { Produced } from './produce-line.ts';
export type { AppendRecord, LogRecord } from './record.ts';
export {
  type ReadRecord,
  type RecordFormats,
  readRecord,
  recordFormats,
} from './record-formats.ts';
export type { Timer, Timers } from './timers.ts';
export type { Topic } from './topic.ts';
export type { RecordReader } from './topic-reader.ts';
