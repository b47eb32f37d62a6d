export { claimRedisPrefix, type RedisClaim } from './claim.ts';
export { RedisStoreError, type RedisStoreErrorCode } from './errors.ts';
export {
  type RedisLive,
  type RedisLiveReader,
  type RedisLiveReaderOptions,
  redisLiveReader,
} from './live-reader.ts';
export type {
  CountedValue,
  OrderedRow,
  OrderReads,
  Standing,
  Surroundings,
} from './order-reads.ts';
export type { Read, RedisReader, RedisReads } from './reader.ts';
export {
  type RedisProjectionStoreOptions,
  redisProjectionStore,
} from './redis-projection-store.ts';
