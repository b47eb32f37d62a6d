export {
  type CassandraProjectionStoreOptions,
  cassandraProjectionStore,
} from './cassandra-projection-store.ts';
export { CassandraConnection, connectCassandra } from './connection.ts';
export { CassandraStoreError, type CassandraStoreErrorCode } from './errors.ts';
export { type CassandraReader, openGenerationReader } from './reader.ts';
