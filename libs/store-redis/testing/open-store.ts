import { systemClock } from '@annals/core';
import type { ProjectionStore } from '@annals/projection';
import {
  type RedisProjectionStoreOptions,
  redisProjectionStore,
} from '../redis-projection-store.ts';

/** How the child process of the kill test opens its store; `argument` is JSON of url, prefix, shards and scheme. */
export async function openStore(argument: string): Promise<ProjectionStore> {
  const where = JSON.parse(argument) as Pick<
    RedisProjectionStoreOptions,
    'url' | 'prefix' | 'shards' | 'scheme' | 'rangeRowsMin'
  > & { url: string };
  return redisProjectionStore({ ...where, projection: 'sample', clock: systemClock });
}
