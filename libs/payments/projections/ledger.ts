import {
  type Addend,
  asAddend,
  defineProjection,
  exactSum,
  type RowAddress,
  type Rows,
  type Table,
} from '@annals/projection';
import { paymentsEvents, type RecordedPaymentsEvent } from '../events.ts';
import { financeCategory } from '../finance/events.ts';
import { type JournalEntry, journalOf, kindOf, postingTable } from '../journal.ts';
import { checkoutCategory, sellerCategory, settlementCategory } from '../streams.ts';
import { dayOf } from '../utc-days.ts';
import { forEveryType } from './every-type.ts';
import { postingsText } from './postings-text.ts';
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
 * `corrects`: the id of the event whose entry this one corrects; empty for all others. `postings`: the lines of the entry
 * as `postingsText` writes them.
 */
const entries: Table = {
  name: 'entries',
  columns: {
    partition: 'integer',
    position: 'text',
    stream: 'text',
    revision: 'integer',
    event_id: 'text',
    type: 'text',
    currency: 'text',
    occurred_at: 'integer',
    recorded_at: 'integer',
    corrects: 'text',
    day: 'text',
    postings: 'text',
  },
  key: ['partition', 'position'],
  indexes: {
    time: ['day', 'recorded_at', 'event_id', 'stream'],
    place: ['partition', 'position'],
  },
  ...{ writeOnly: true, putOnce: true, inLogOrder: true },
};

/** Which entries an account is in, in the order they were recorded in. */
const accountEntries: Table = {
  name: 'account_entries',
  columns: {
    account: 'text',
    recorded_at: 'integer',
    event_id: 'text',
    stream: 'text',
    partition: 'integer',
    position: 'text',
  },
  key: ['account', 'recorded_at', 'event_id', 'stream', 'partition', 'position'],
  indexes: {
    account: ['account', 'recorded_at', 'event_id', 'stream', 'partition', 'position'],
  },
  ...{ writeOnly: true, putOnce: true },
};

const accounts: Table = {
  name: 'accounts',
  columns: { account: 'text', currency: 'text', partition: 'integer', ...sums },
  key: ['account', 'currency', 'partition'],
  sums: Object.keys(sums),
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
  sums: Object.keys(sums),
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
  sums: ['captures', 'gross', 'platform_fees', 'psp_fees', 'refunds'],
  indexes: { day: ['day', 'seller_account'] },
};

interface Booked extends RowAddress {
  readonly entry: JournalEntry;
  /** What is added to the sums of the row, one for each of its columns. */
  readonly addends: Addend[];
}

/** The rows of accounts, then those of their kinds, then the revenue: each with what the event adds to it. */
function touchedBy(event: RecordedPaymentsEvent): readonly Booked[] {
  const entry = journalOf(event);
  if (!entry) return nothingBooked;
  const { currency } = entry;
  const { partition } = event;
  const booked: Booked[] = [];
  for (const { account, balance, side, amount } of entry.postings) {
    let row = booked.find(({ key }) => key[0] === account);
    if (!row) {
      row = {
        table: 'accounts',
        key: [account, currency, partition],
        entry,
        addends: [0, 0, 0, 0],
      };
      booked.push(row);
    }
    const place = sumPlaces[balance][side];
    row.addends[place] = exactSum(row.addends[place] as Addend, asAddend(amount));
  }
  const day = dayOf(event.recordedAt);
  const accountRows = booked.length;
  for (let n = 0; n < accountRows; n += 1) {
    const { key, addends } = booked[n] as Booked;
    const kind = kindOf(key[0] as string);
    const known = booked.find(({ table, key: [, one] }) => table === 'days' && one === kind);
    if (known)
      addends.forEach((one, place) => {
        known.addends[place] = exactSum(known.addends[place] as Addend, one);
      });
    else
      booked.push({
        table: 'days',
        key: [day, kind, currency, partition],
        entry,
        addends: [...addends],
      });
  }
  const revenue = revenueOf(event, entry);
  if (revenue) {
    const { captures, gross, platformFees, pspFees, refunds } = revenue;
    const addends = [captures, ...[gross, platformFees, pspFees, refunds].map(asAddend)];
    booked.push({
      table: 'revenue',
      key: [day, sellerOf(event), currency, partition],
      entry,
      addends,
    });
  }
  return booked;
}

const nothingBooked: readonly Booked[] = [];

/** Where in `sums` each posting is added. */
const sumPlaces = {
  posted: { debit: 0, credit: 1 },
  pending: { debit: 2, credit: 3 },
} as const;

/** Empty for what is no seller's. */
function sellerOf({ data }: RecordedPaymentsEvent): string {
  return (data as { readonly seller_account?: string }).seller_account ?? '';
}

function book(event: RecordedPaymentsEvent, rows: Rows, touched: readonly Booked[]): void {
  const entry = touched[0]?.entry;
  if (!entry) return;
  const { id: event_id, stream, revision, type, partition, position } = event;
  const { recordedAt: recorded_at, occurredAt: occurred_at } = event;
  const { currency, corrects = '' } = entry;
  rows.put('entries', {
    partition,
    position,
    stream,
    revision,
    event_id,
    type,
    currency,
    occurred_at,
    recorded_at,
    corrects,
    day: dayOf(recorded_at),
    postings: postingsText(entry.postings),
  });
  const last = { last: position };
  for (const { table, key, addends } of touched) {
    rows.add(table, key, addends, table === 'days' ? last : undefined);
    if (table !== 'accounts') continue;
    const account = key[0] as string;
    rows.put('account_entries', { account, recorded_at, event_id, stream, partition, position });
  }
}

export const ledgerProjection = defineProjection({
  name: 'ledger',
  version: 5,
  categories: [checkoutCategory, sellerCategory, settlementCategory, financeCategory],
  tables: [entries, accountEntries, accounts, days, revenue],
  split: 'partition',
  onFailure: 'halt',
  types: paymentsEvents,
  handlers: forEveryType((name) =>
    postingTable[name] ? { touches: touchedBy, apply: book } : 'ignored',
  ),
});
