import { defineProjection, type RowAddress, type Rows, type Table } from '@annals/projection';
import { paymentsEvents, type RecordedPaymentsEvent } from '../events.ts';
import { financeCategory } from '../finance/events.ts';
import { type JournalEntry, journalOf, type Posting, postingTable } from '../journal.ts';
import { checkoutCategory, sellerCategory, settlementCategory } from '../streams.ts';
import { dayOf } from '../utc-days.ts';
import { forEveryType } from './every-type.ts';
import { revenueOf } from './revenue.ts';

/**
 * The books: every entry with its postings, and what they sum to. Amounts are texts of minor units, for sums go
 * beyond the safe integers. An account is fed by many streams, so each partition of the log has a row of its own
 * for it, and the rows are summed on read.
 */

const sums = {
  posted_debit: 'text',
  posted_credit: 'text',
  pending_debit: 'text',
  pending_credit: 'text',
} as const;

/**
 * `corrects`: the id of the event whose entry this one corrects; empty for all others. `lines`: the number of its
 * postings.
 */
const entries: Table = {
  name: 'entries',
  columns: {
    stream: 'text',
    revision: 'integer',
    event_id: 'text',
    type: 'text',
    currency: 'text',
    occurred_at: 'integer',
    recorded_at: 'integer',
    partition: 'integer',
    position: 'text',
    corrects: 'text',
    day: 'text',
    lines: 'integer',
  },
  key: ['stream', 'revision'],
  indexes: {
    time: ['day', 'recorded_at', 'event_id', 'stream'],
    place: ['partition', 'position'],
  },
  writeOnly: true,
};

/** `line` counts from 0 within the entry. */
const postings: Table = {
  name: 'postings',
  columns: {
    stream: 'text',
    revision: 'integer',
    line: 'integer',
    account: 'text',
    balance: 'text',
    side: 'text',
    amount: 'text',
    event_id: 'text',
    recorded_at: 'integer',
  },
  key: ['stream', 'revision', 'line'],
  indexes: { account: ['account', 'recorded_at', 'event_id', 'stream', 'revision'] },
  writeOnly: true,
};

const accounts: Table = {
  name: 'accounts',
  columns: { account: 'text', currency: 'text', partition: 'integer', ...sums },
  key: ['account', 'currency', 'partition'],
  indexes: { name: ['account'] },
};

/**
 * What was booked on one day (UTC, as recorded) by kind of account: a trial balance of any time adds up days. `last` is the
 * position of the last entry in it.
 */
const days: Table = {
  name: 'days',
  columns: {
    day: 'text',
    kind: 'text',
    currency: 'text',
    partition: 'integer',
    last: 'text',
    ...sums,
  },
  key: ['day', 'kind', 'currency', 'partition'],
  indexes: { day: ['day'] },
};

/** What the summary report adds up. */
const revenue: Table = {
  name: 'revenue',
  columns: {
    day: 'text',
    seller_account: 'text',
    currency: 'text',
    partition: 'integer',
    captures: 'integer',
    gross: 'text',
    platform_fees: 'text',
    psp_fees: 'text',
    refunds: 'text',
  },
  key: ['day', 'seller_account', 'currency', 'partition'],
  indexes: { day: ['day', 'seller_account'] },
};

/** `seller_available` of `seller_available:shop-1`. */
export function kindOf(account: string): string {
  const colon = account.indexOf(':');
  return colon < 0 ? account : account.slice(0, colon);
}

function touchedBy(event: RecordedPaymentsEvent): readonly RowAddress[] {
  const entry = journalOf(event);
  if (!entry) return [];
  const { currency } = entry;
  const { partition } = event;
  const day = dayOf(event.recordedAt);
  const names = new Set(entry.postings.map(({ account }) => account));
  const kinds = new Set([...names].map(kindOf));
  return [
    ...[...names].map((name) => ({ table: 'accounts', key: [name, currency, partition] })),
    ...[...kinds].map((kind) => ({ table: 'days', key: [day, kind, currency, partition] })),
    ...(revenueOf(event)
      ? [{ table: 'revenue', key: [day, sellerOf(event), currency, partition] }]
      : []),
  ];
}

/** Empty for what is no seller's. */
function sellerOf({ data }: RecordedPaymentsEvent): string {
  return (data as { readonly seller_account?: string }).seller_account ?? '';
}

function book(event: RecordedPaymentsEvent, rows: Rows): void {
  const entry = journalOf(event);
  if (!entry) return;
  const { id: event_id, stream, revision, type, partition, position } = event;
  const { recordedAt: recorded_at, occurredAt: occurred_at } = event;
  const { currency, corrects = '' } = entry;
  const at = { stream, revision, event_id, recorded_at };
  const day = dayOf(recorded_at);
  const lines = entry.postings.length;
  const row = { ...at, type, currency, occurred_at, partition, position, corrects, day, lines };
  rows.put('entries', row);
  entry.postings.forEach((posting, line) => {
    const { account, balance, side, amount } = posting;
    rows.put('postings', { ...at, line, account, balance, side, amount: String(amount) });
    addPosting(rows, 'accounts', { account, currency, partition }, posting);
    const kind = kindOf(account);
    addPosting(rows, 'days', { day, kind, currency, partition }, posting, { last: position });
  });
  addRevenue(rows, event, entry, day);
}

type SumColumn = keyof typeof sums;

function addPosting(
  rows: Rows,
  table: 'accounts' | 'days',
  key: { readonly [column: string]: string | number },
  { balance, side, amount }: Posting,
  more: { readonly last?: string } = {},
): void {
  const before = rows.get(table, Object.values(key)) as
    | { readonly [Column in SumColumn]: string }
    | undefined;
  const column: SumColumn = `${balance}_${side}`;
  const sum = String(BigInt(before?.[column] ?? '0') + amount);
  rows.put(table, { ...nothing, ...before, ...key, ...more, [column]: sum });
}

const nothing = {
  posted_debit: '0',
  posted_credit: '0',
  pending_debit: '0',
  pending_credit: '0',
} as const;

interface RevenueRow {
  readonly captures: number;
  readonly gross: string;
  readonly platform_fees: string;
  readonly psp_fees: string;
  readonly refunds: string;
}

const noRevenue: RevenueRow = {
  captures: 0,
  gross: '0',
  platform_fees: '0',
  psp_fees: '0',
  refunds: '0',
};

function addRevenue(
  rows: Rows,
  event: RecordedPaymentsEvent,
  entry: JournalEntry,
  day: string,
): void {
  const change = revenueOf(event);
  if (!change) return;
  const { currency } = entry;
  const { partition } = event;
  const seller_account = sellerOf(event);
  const key = [day, seller_account, currency, partition];
  const row = (rows.get('revenue', key) as RevenueRow | undefined) ?? noRevenue;
  const plus = (before: string, more: bigint) => String(BigInt(before) + more);
  rows.put('revenue', {
    ...{ day, seller_account, currency, partition },
    captures: row.captures + change.captures,
    gross: plus(row.gross, change.gross),
    platform_fees: plus(row.platform_fees, change.platformFees),
    psp_fees: plus(row.psp_fees, change.pspFees),
    refunds: plus(row.refunds, change.refunds),
  });
}

export const ledgerProjection = defineProjection({
  name: 'ledger',
  version: 4,
  categories: [checkoutCategory, sellerCategory, settlementCategory, financeCategory],
  tables: [entries, postings, accounts, days, revenue],
  split: 'partition',
  onFailure: 'halt',
  types: paymentsEvents,
  handlers: forEveryType((name) =>
    postingTable[name] ? { touches: touchedBy, apply: book } : 'ignored',
  ),
});
