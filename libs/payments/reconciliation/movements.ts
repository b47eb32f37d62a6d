import type { Handler, Rows, Table } from '@annals/projection';
import type { ReadTransaction } from '@annals/store-sqlite';
import type { RecordedPaymentsEvent } from '../events.ts';
import { dayOf } from '../projections/ledger.ts';
import { type Answer, answer, type Followed, type LiveGeneration } from '../read-model/live.ts';
import { type BookMovement, movementsOfEvent, type Named, namesIn } from './clearing-movements.ts';
import type { Movement, MovementStatus } from './movement.ts';

/** Our side of every file, day by day, so that a day is found without reading all that ever was. */
export const movementsTable: Table = {
  name: 'movements',
  columns: {
    book: 'text',
    stream: 'text',
    revision: 'integer',
    day: 'text',
    key: 'text',
    status: 'text',
    currency: 'text',
    amount: 'text',
    fee: 'text',
    at: 'integer',
    id: 'text',
  },
  key: ['book', 'stream', 'revision'],
  indexes: { day: ['book', 'day', 'stream', 'revision'] },
  writeOnly: true,
};

/** What providers know things of a stream by. */
export const namesTable: Table = {
  name: 'names',
  columns: { stream: 'text', name: 'text', psp: 'text', id: 'text' },
  key: ['stream', 'name'],
};

/** For every event that names or moves something. */
export const movementHandler: Handler<RecordedPaymentsEvent> = {
  touches: (event) => namesIn(event).map((name) => ({ table: 'names', key: [event.stream, name] })),
  apply: (event: RecordedPaymentsEvent, rows: Rows) => {
    const { stream, revision } = event;
    const names = {
      get: (name: string) => rows.get('names', [stream, name]) as unknown as Named | undefined,
      set: (name: string, { psp, id }: Named) => rows.put('names', { stream, name, psp, id }),
    };
    for (const { waited: _, corrects: __, ...moved } of movementsOfEvent(event, names)) {
      const [amount, fee] = [String(moved.amount), String(moved.fee)];
      rows.put('movements', { ...moved, stream, revision, day: dayOf(moved.at), amount, fee });
    }
  },
};

export const movementEventTypes: ReadonlySet<string> = new Set([
  ...['attempt-created', 'order-captured'],
  ...['refund-requested', 'refund-pending', 'refund-succeeded', 'refund-failed'],
  ...['dispute-opened', 'dispute-won'],
  ...['payout-requested', 'payout-sent', 'payout-paid', 'payout-failed'],
]);

/** Where a page of movements ended. */
export interface MovementPlace {
  readonly stream: string;
  readonly revision: number;
}

export interface MovementsReadModel extends Followed {
  /** Movements of one side (a provider, or `bank`) and one day in UTC, a page at a time. */
  movements(query: {
    readonly book: string;
    readonly day: string;
    readonly after?: MovementPlace;
    readonly limit: number;
  }): Promise<
    Answer<{
      readonly movements: readonly BookMovement[];
      /** Undefined at the end. */
      readonly next: MovementPlace | undefined;
    }>
  >;
}

/** Every query of this read model. */
export const movementsSql = {
  day: `SELECT stream, revision, key, status, currency, amount, fee, at, id FROM movements
    WHERE book = ? AND day = ? AND (stream, revision) > (?, ?) ORDER BY stream, revision LIMIT ?`,
} as const;

interface MovementRow extends Omit<Movement, 'amount' | 'fee' | 'waited' | 'status'> {
  readonly stream: string;
  readonly revision: number;
  readonly status: MovementStatus;
  readonly amount: string;
  readonly fee: string;
}

export function sqliteMovementsReadModel(live: LiveGeneration): MovementsReadModel {
  return {
    movements: async (query) => answer(live, (reads) => page(reads, query)),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

function page(
  reads: ReadTransaction,
  { book, day, after, limit }: Parameters<MovementsReadModel['movements']>[0],
) {
  const { stream = '', revision = -1 } = after ?? {};
  const rows = reads.all<MovementRow>(movementsSql.day, book, day, stream, revision, limit);
  const movements = rows.map(({ stream: _, revision: __, amount, fee, ...row }) => {
    return { ...row, book, amount: BigInt(amount), fee: BigInt(fee), waited: 0 };
  });
  const last = rows.length < limit ? undefined : rows.at(-1);
  const next = last && { stream: last.stream, revision: last.revision };
  return { movements, next };
}
