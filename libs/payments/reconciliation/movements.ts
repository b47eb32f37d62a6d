import type { Handler, Rows, Table } from '@annals/projection';
import type { ReadTransaction } from '@annals/store-sqlite';
import type { RecordedPaymentsEvent } from '../events.ts';
import { type Answer, answer, type Followed, type LiveGeneration } from '../read-model/live.ts';
import { dayOf } from '../utc-days.ts';
import { type BookMovement, movementsOfEvent, type Named, namesIn } from './clearing-movements.ts';
import type { Movement, MovementStatus } from './movement.ts';

/**
 * Our side of every file, day by day, so that a day is found without reading all that ever was. `of_day` is book and day: on
 * Cassandra each is a partition of its own.
 */
export const movementsTable: Table = {
  name: 'movements',
  columns: {
    book: 'text',
    stream: 'text',
    revision: 'integer',
    of_day: 'text',
    key: 'text',
    status: 'text',
    currency: 'text',
    amount: 'text',
    fee: 'text',
    at: 'integer',
    id: 'text',
  },
  key: ['book', 'stream', 'revision'],
  indexes: { day: ['of_day', 'stream', 'revision'] },
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
      const of_day = dayOfBook(moved.book, dayOf(moved.at));
      rows.put('movements', { ...moved, stream, revision, of_day, amount, fee });
    }
  },
};

export function dayOfBook(book: string, day: string): string {
  return `${day} ${book}`;
}

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
    WHERE of_day = ? AND (stream, revision) > (?, ?) ORDER BY stream, revision LIMIT ? + 0`,
} as const;

export interface MovementRow extends Omit<Movement, 'amount' | 'fee' | 'waited' | 'status'> {
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
  const of = dayOfBook(book, day);
  return movementsPageOf(
    book,
    reads.all<MovementRow>(movementsSql.day, of, stream, revision, limit),
    limit,
  );
}

/** A page of what was found: one that is full may have another one behind it. */
export function movementsPageOf(book: string, rows: readonly MovementRow[], limit: number) {
  const movements = rows.map(({ key, status, currency, at, id, amount, fee }): BookMovement => {
    const amounts = { amount: BigInt(amount), fee: BigInt(fee) };
    return { book, key, status, currency, ...amounts, at, id, waited: 0 };
  });
  const last = rows.length < limit ? undefined : rows.at(-1);
  const next = last && { stream: last.stream, revision: last.revision };
  return { movements, next };
}
