import { systemClock } from '@annals/core';
import type { ProjectionStore } from '@annals/projection';
import { sqliteProjectionStore } from '../sqlite-projection-store.ts';

/** How the child process of the kill test opens its store; `argument` is the folder. */
export async function openStore(argument: string): Promise<ProjectionStore> {
  return sqliteProjectionStore({ folder: argument, projection: 'sample', clock: systemClock });
}
