import { systemClock } from '@annals/core';
import type { ProjectionStore } from '@annals/projection';
import { redisProjectionStore } from '../redis-projection-store.ts';

/** How the child process of the kill test opens its store; `argument` is JSON of url, prefix and shards. */
export async function openStore(argument: string): Promise<ProjectionStore> {
  const where = JSON.parse(argument) as { url: string; prefix: string; shards: number };
  return redisProjectionStore({ ...where, projection: 'sample', clock: systemClock });
}
