import type { Clock } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { reconciliationLimits as limits } from './limits.ts';
import type { Movement } from './movement.ts';
import type { MovementPlace, MovementsReadModel } from './movements.ts';
import type { ReconciliationMeans } from './service.ts';

export interface FilesMeans extends ReconciliationMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'head'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly movements: MovementsReadModel;
}

/** Our side of one day, a page at a time. */
export async function* movementsOfDay(
  read: MovementsReadModel,
  book: string,
  day: string,
): AsyncGenerator<readonly Movement[]> {
  for (let after: MovementPlace | undefined; ; ) {
    const query = { book, day, limit: limits.movementsPage, ...(after ? { after } : {}) };
    const page = await read.movements(query);
    if (page.kind === 'lost') throw new Error('the read model went away while it was read');
    yield page.movements;
    after = page.next;
    if (!after) return;
  }
}
