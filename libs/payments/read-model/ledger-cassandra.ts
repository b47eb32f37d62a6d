import { type Checkpoint, coversAll } from '@annals/event-log';
import type { Cell, Row } from '@annals/projection';
import type { CassandraReads } from '@annals/store-cassandra';
import { dayOf } from '../utc-days.ts';
import {
  type AccountRow,
  type BookedRow,
  Books,
  type EntryRow,
  entriesPageOf,
  entryOf,
  summedAccounts,
} from './books.ts';
import type {
  AccountSums,
  AccountsQuery,
  EntriesPage,
  EntriesQuery,
  LedgerEntry,
  LedgerReadModel,
  SummaryQuery,
  TrialBalance,
  TrialBalanceQuery,
} from './ledger.ts';
import {
  answerAt,
  answerFrom,
  type LiveCassandraGeneration,
  loaded,
  rowsOf,
} from './live-cassandra.ts';
import { type RevenueRow, summed } from './summary.ts';

/** A batch that a trial balance met was not written to its end in time: ask again. */
export class BooksUnderWayError extends Error {
  readonly code = 'books-under-way';
  constructor() {
    super('the ledger is being written, and a batch takes long: ask again');
    this.name = 'BooksUnderWayError';
  }
}

/** How long a trial balance waits for batches that were under way as it read. */
const underWayMsMax = 10_000;

/**
 * The books in Cassandra. Rows that came after the checkpoint that an answer is of are told apart by their positions, so
 * entries and trial balances are exact while the ledger is written all the time.
 */
export function cassandraLedgerReadModel(live: LiveCassandraGeneration): LedgerReadModel {
  return {
    accounts: (query) =>
      answerFrom(live, async (reads) => ({ accounts: await accountsPage(reads, query) })),
    account: (name) =>
      answerFrom(live, async (reads) => ({ accounts: await accountNamed(reads, name) })),
    entries: (query) => answerAt(live, (reads, asOf) => entriesPage(reads, query, asOf)),
    trialBalance: async (query) => {
      const read = await answerAt(live, async (reads, asOf) => {
        const isAhead = query.at === 'checkpoint' && !coversAll(asOf, query.checkpoint);
        return { rows: isAhead ? undefined : await trialBalance(live, reads, query, asOf) };
      });
      if (read.kind === 'lost') return read;
      const { rows, ...rest } = read;
      return rows ? { ...rest, rows } : { kind: 'ahead' };
    },
    summary: (query) =>
      answerFrom(live, async (reads) => ({ rows: summed(await revenueRows(reads, query), query) })),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

const accountKey = ['account', 'currency', 'partition'] as const;

async function accountsPage(
  reads: CassandraReads,
  { after, limit }: AccountsQuery,
): Promise<AccountSums[]> {
  // Above every partition: all rows of the last account of an earlier page are left out.
  const start = after ? { after: [after.account, after.currency, Number.MAX_SAFE_INTEGER] } : {};
  const names = new Set<string>();
  const places: Row[] = [];
  for await (const place of rowsOf(reads.order('accounts', 'name', []), accountKey, start)) {
    const name = JSON.stringify([place.account, place.currency]);
    if (names.size === limit && !names.has(name)) break;
    names.add(name);
    places.push(place);
  }
  const rows = await loaded(reads, 'accounts', accountKey, places);
  return summedAccounts(rows as unknown as readonly AccountRow[]);
}

async function accountNamed(reads: CassandraReads, name: string): Promise<AccountSums[]> {
  const places: Row[] = [];
  const order = reads.order('accounts', 'name', []);
  for await (const place of rowsOf(order, accountKey, { from: [name] }, 20)) {
    if (place.account !== name) break;
    places.push(place);
  }
  const rows = await loaded(reads, 'accounts', accountKey, places);
  return summedAccounts(rows as unknown as readonly AccountRow[]);
}

const dayKey = ['day', 'kind', 'currency', 'partition'] as const;

/** Days on which something was booked, from this one on. */
async function* daysFrom(reads: CassandraReads, first: string): AsyncGenerator<string> {
  const order = reads.order('days', 'day', []);
  let range: { from: Cell[] } | { after: Cell[] } = { from: [first] };
  for (;;) {
    const [row] = await order.forward({ ...range, limit: 1 });
    if (!row) return;
    yield row.day as string;
    range = { after: [row.day as string] };
  }
}

/** What tells entries apart that an order has under one first column: when, which event, and where in the log. */
const sortedByTime = ['recorded_at', 'event_id', 'stream', 'partition', 'position'] as const;

/** Where entries are, in the order they were recorded in. */
async function* placesOf(
  reads: CassandraReads,
  { account, from = 0, after, limit }: EntriesQuery,
): AsyncGenerator<Row> {
  const start = after && after.recordedAt >= from ? after : undefined;
  const place = start ? [start.recordedAt, start.eventId, start.stream] : [from, '', ''];
  const first = { after: place };
  const pageRows = limit + 1;
  const sorted = sortedByTime;
  if (account !== undefined) {
    yield* rowsOf(reads.order('account_entries', 'account', [account]), sorted, first, pageRows);
    return;
  }
  for await (const day of daysFrom(reads, dayOf(place[0] as number))) {
    yield* rowsOf(reads.order('entries', 'time', [day]), sorted, first, pageRows);
  }
}

async function entriesPage(
  reads: CassandraReads,
  query: EntriesQuery,
  asOf: Checkpoint,
): Promise<EntriesPage> {
  const { before = Number.POSITIVE_INFINITY, limit } = query;
  const entries: LedgerEntry[] = [];
  let places: Row[] = [];
  for await (const place of placesOf(reads, query)) {
    if ((place.recorded_at as number) >= before) break;
    places.push(place);
    if (entries.length + places.length <= limit) continue;
    entries.push(...(await entriesAt(reads, places, asOf)));
    places = [];
    if (entries.length > limit) break;
  }
  entries.push(...(await entriesAt(reads, places, asOf)));
  return entriesPageOf(entries, limit);
}

const entryKey = ['partition', 'position'] as const;

/** As the ledger of a cluster reads it. */
interface StoredEntry extends EntryRow {
  readonly partition: number;
  readonly position: string;
  readonly day: string;
}

/** The entries that are covered. Those that are not may be half written. */
async function coveredRows(
  reads: CassandraReads,
  places: readonly Row[],
  asOf: Checkpoint,
): Promise<readonly StoredEntry[]> {
  const isCovered = ({ partition, position }: Row) =>
    (position as string) <= (asOf[partition as number] ?? '');
  const keys = places
    .filter(isCovered)
    .map(({ partition, position }) => ({ partition, position }) as Row);
  const rows = await loaded(reads, 'entries', entryKey, keys);
  return rows as unknown as StoredEntry[];
}

async function entriesAt(
  reads: CassandraReads,
  places: readonly Row[],
  asOf: Checkpoint,
): Promise<readonly LedgerEntry[]> {
  return (await coveredRows(reads, places, asOf)).map(entryOf);
}

/** Entries that are read at once. */
const bookedAtOnce = 200;

async function* bookedAt(
  reads: CassandraReads,
  places: AsyncIterable<Row>,
  asOf: Checkpoint,
): AsyncGenerator<readonly StoredEntry[]> {
  const booked = (at: readonly Row[]) => coveredRows(reads, at, asOf);
  let some: Row[] = [];
  for await (const place of places) {
    some.push(place);
    if (some.length < bookedAtOnce) continue;
    yield await booked(some);
    some = [];
  }
  yield await booked(some);
}

function placesAfter(
  reads: CassandraReads,
  partition: number,
  position: string,
): AsyncGenerator<Row> {
  const order = reads.order('entries', 'place', [partition]);
  return rowsOf(order, ['position'], { after: [position] });
}

/** All that a partition has booked behind a position, for whoever reads all of it at one moment. */
export function bookedAfter(
  reads: CassandraReads,
  partition: number,
  position: string,
): AsyncGenerator<readonly BookedRow[]> {
  const all = { [partition]: '\u{10ffff}' };
  return bookedAt(reads, placesAfter(reads, partition, position), all);
}

interface DayRow {
  readonly day: string;
  readonly kind: string;
  readonly currency: string;
  readonly partition: number;
  readonly last: string;
}

/**
 * Days are added up as they are found, and what they hold beyond the checkpoint is taken off again: a day's row says which
 * entry is the last in it, and once a batch is written to its end all entries up to there can be found.
 */
async function trialBalance(
  live: LiveCassandraGeneration,
  reads: CassandraReads,
  query: TrialBalanceQuery,
  asOf: Checkpoint,
): Promise<TrialBalance['rows']> {
  const books = new Books();
  const until = query.at === 'checkpoint' ? query.checkpoint : asOf;
  const end = query.at === 'time' ? dayOf(query.before) : undefined;
  const places: Row[] = [];
  for await (const place of rowsOf(reads.order('days', 'day', []), dayKey, {}, 1_000)) {
    if (end !== undefined && (place.day as string) >= end) break;
    places.push(place);
  }
  const days = await loaded(reads, 'days', dayKey, places);
  const lasts = new Map<string, string>();
  const reached: Record<number, string> = { ...asOf };
  for (const row of days as unknown as readonly (DayRow & Parameters<Books['add']>[1])[]) {
    const { day, kind, currency, partition, last } = row;
    books.add(kind, row);
    lasts.set(JSON.stringify([day, kind, currency, partition]), last);
    if (last > (reached[partition] ?? '')) reached[partition] = last;
  }
  if ((await live.waitFor(reached, underWayMsMax)) === 'late') throw new BooksUnderWayError();
  for (const partition of Object.keys(reached).map(Number)) {
    const later = placesAfter(reads, partition, until[partition] ?? '');
    for await (const booked of bookedAt(reads, later, reached)) {
      for (const row of booked) {
        const lastOf = (kind: string) =>
          lasts.get(JSON.stringify([row.day, kind, row.currency, partition])) ?? '';
        books.post(row, -1n, (kind) => row.position <= lastOf(kind));
      }
    }
  }
  if (query.at === 'time' && end !== undefined) {
    const ofDay = rowsOf(reads.order('entries', 'time', [end]), sortedByTime);
    for await (const booked of bookedAt(reads, before(ofDay, query.before), asOf)) {
      for (const row of booked) books.post(row, 1n);
    }
  }
  return books.trialBalance();
}

async function* before(rows: AsyncIterable<Row>, time: number): AsyncGenerator<Row> {
  for await (const row of rows) {
    if ((row.recorded_at as number) >= time) return;
    yield row;
  }
}

async function revenueRows(
  reads: CassandraReads,
  { from, to, seller }: SummaryQuery,
): Promise<readonly RevenueRow[]> {
  const places: Row[] = [];
  for await (const day of daysFrom(reads, from)) {
    if (day > to) break;
    const order = reads.order('revenue', 'day', [day]);
    const start = seller === undefined ? {} : { from: [seller] };
    const sorted = ['seller_account', 'currency', 'partition'];
    for await (const place of rowsOf(order, sorted, start)) {
      if (seller !== undefined && place.seller_account !== seller) break;
      places.push(place);
    }
  }
  const key = ['day', 'seller_account', 'currency', 'partition'];
  return (await loaded(reads, 'revenue', key, places)) as unknown as readonly RevenueRow[];
}
