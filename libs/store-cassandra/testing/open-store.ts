import { systemClock } from '@annals/core';
import type { ProjectionStore } from '@annals/projection';
import { cassandraProjectionStore } from '../cassandra-projection-store.ts';

/** How the child process of the kill test opens its store; `argument` is a url and a projection. */
export async function openStore(argument: string): Promise<ProjectionStore> {
  const [cassandra, projection] = JSON.parse(argument) as [string, string];
  return cassandraProjectionStore({ cassandra, projection, clock: systemClock });
}
