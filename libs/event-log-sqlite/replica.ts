/**
 * For adapters that follow another engine's log into SQLite files: one for each partition, filled by a
 * `Replica` and read by the code that reads the SQLite log.
 */
export { decodePosition, encodePosition, isDropped } from './event-rows.ts';
export { HeadWatch } from './head-watch.ts';
export type { LogReader } from './log-reader.ts';
export {
  type FillBodies,
  headSum,
  LogReads,
  type ReadOptions,
  type StreamReadOptions,
} from './log-reads.ts';
export {
  firstPositionOf,
  indexOf,
  offsetOf,
  removeReplica,
  replicaInPlace,
  replicaReader,
} from './replica-file.ts';
export { ownReplicaFolder, type ReplicaOwner, ReplicaTakenError } from './replica-owner.ts';
export { type SnapshotResult, snapshotReplica } from './replica-snapshot.ts';
export {
  type Ignored,
  isDamage,
  type Judge,
  type Mark,
  openReplica,
  type Replica,
  type ReplicaAppend,
  type ReplicaEvent,
  type ReplicaFound,
  type WrittenResult,
} from './replica-writer.ts';
