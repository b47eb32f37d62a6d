export { type SnapshotResult, snapshotReplica } from '@annals/event-log-sqlite/replica';
export { FollowError, type FollowProblem } from './follow-error.ts';
export type { ClientReport, KafkaConnection, OnReport } from './kafka-connection.ts';
export { kafkaEventLog } from './kafka-event-log.ts';
export { kafkaLimits } from './kafka-limits.ts';
export type {
  CatchUpProgress,
  KafkaEventLog,
  KafkaEventLogOptions,
  PartitionStatus,
} from './kafka-log-options.ts';
export { partitionOf } from './partition-of.ts';
export type { Compression } from './produce-line.ts';
export { recordFormats } from './record-formats.ts';
export { type RelayOptions, relayLog } from './relay.ts';
export { RelayRefusedError } from './relay-sender.ts';
export { type RelayTopic, TopicOfLogError } from './relay-topic.ts';
