export type { CompactTables } from './cassandra-generation.ts';
export {
  type CassandraProjectionStoreOptions,
  cassandraProjectionStore,
} from './cassandra-projection-store.ts';
export { CassandraConnection, connectCassandra } from './connection.ts';
export { CassandraStoreError, type CassandraStoreErrorCode } from './errors.ts';
export { type CassandraReader, openGenerationReader } from './reader.ts';
export {
  type CassandraSubjectKeyOptions,
  cassandraSubjectKeyStore,
} from './subject-keys/cassandra-subject-key-store.ts';
