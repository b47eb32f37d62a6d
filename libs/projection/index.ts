export { lowestCheckpoint } from './lowest-checkpoint.ts';
export {
  type MemoryDatabaseCopy,
  MemoryProjectionDatabase,
  MemoryProjectionStore,
  memoryProjectionStore,
  type StoreFault,
  type StoreFaults,
  type StoreOperation,
  StoreUnreachableError,
} from './memory-projection-store.ts';
export {
  type AnyRecordedEvent,
  type Cell,
  type ColumnType,
  defineProjection,
  type FailurePolicy,
  type Handler,
  type Projection,
  type ProjectionDefinition,
  type Row,
  type RowAddress,
  type Rows,
  type Split,
  type Table,
} from './projection.ts';
export {
  type Batch,
  type CommitResult,
  type GenerationSnapshot,
  type GenerationSpec,
  type GenerationStore,
  type Lease,
  type ProjectionStore,
  type RowChange,
  type RowKey,
  StoreLostError,
} from './store.ts';
