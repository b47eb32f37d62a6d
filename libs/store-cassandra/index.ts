export type { CompactTables } from './cassandra-generation.ts';
export {
  type CassandraProjectionStoreOptions,
  cassandraProjectionStore,
} from './cassandra-projection-store.ts';
export { type CassandraClaim, claimCassandraKeyspace } from './claim.ts';
export { compactByProgram } from './compact-program.ts';
export { CassandraConnection, connectCassandra } from './connection.ts';
export { CassandraStoreError, type CassandraStoreErrorCode } from './errors.ts';
export {
  type CassandraLive,
  type CassandraLiveReader,
  type CassandraLiveReaderOptions,
  cassandraLiveReader,
} from './live-reader.ts';
export type { OrderReads } from './order-reads.ts';
export type { RankReads, ScoreCount } from './rank-reads.ts';
export {
  type CassandraReader,
  type CassandraReads,
  openGenerationReader,
  type Read,
} from './reader.ts';
export {
  type CassandraSubjectKeyOptions,
  cassandraSubjectKeyStore,
} from './subject-keys/cassandra-subject-key-store.ts';
