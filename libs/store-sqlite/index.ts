export { SqliteStoreError, type SqliteStoreErrorCode } from './errors.ts';
export {
  type Live,
  type LiveReader,
  type LiveReaderOptions,
  liveReader,
  liveReaderLimits,
} from './live-reader.ts';
export type { RankedReads } from './ranked-index.ts';
export { type GenerationReader, openGenerationReader, type ReadTransaction } from './reader.ts';
export { removeAbandonedScratch, sqliteScratchStore } from './scratch-store.ts';
export {
  type SqliteProjectionStoreOptions,
  sqliteProjectionStore,
} from './sqlite-projection-store.ts';
