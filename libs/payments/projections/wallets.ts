import {
  type Addend,
  asAddend,
  defineProjection,
  exactSum,
  type RowAddress,
  type Rows,
  type Table,
} from '@annals/projection';
import { paymentsEvents, type RecordedPaymentsEvent, sellerEvents } from '../events.ts';
import { financeCategory } from '../finance/events.ts';
import { journalOf, kindOf, postingTable, sellerOfAccount, signed } from '../journal.ts';
import { checkoutCategory, sellerCategory, settlementCategory } from '../streams.ts';
import { forEveryType } from './every-type.ts';

/**
 * What each seller has: its accounts of the ledger, seen from the seller (what the platform owes is above zero).
 * Fed by many streams: one row for each partition, summed on read.
 */
const wallets: Table = {
  name: 'wallets',
  columns: {
    seller_account: 'text',
    currency: 'text',
    partition: 'integer',
    pending: 'text',
    available: 'text',
    reserved: 'text',
    disputed: 'text',
  },
  key: ['seller_account', 'currency', 'partition'],
  sums: ['pending', 'available', 'reserved', 'disputed'],
  indexes: { seller: ['seller_account', 'currency'], name: ['seller_account'] },
};

/** How far the wallet has followed the seller's own stream: what a payout is decided against. */
const sellers: Table = {
  name: 'sellers',
  columns: { seller_account: 'text', revision: 'integer' },
  key: ['seller_account'],
  writeOnly: true,
};

export const walletParts = ['pending', 'available', 'reserved', 'disputed'] as const;
export type WalletPart = (typeof walletParts)[number];

/** The accounts of the ledger that make a wallet. */
export const walletAccounts: { readonly [kind: string]: WalletPart } = {
  seller_pending: 'pending',
  seller_available: 'available',
  seller_reserve: 'reserved',
  seller_disputed: 'disputed',
};

interface WalletChange {
  readonly seller: string;
  readonly part: WalletPart;
  readonly amount: bigint;
}

/** What a journal entry changes in the wallets of sellers. */
export function walletChangesOf(event: { readonly type: string; readonly data: unknown }): {
  readonly currency: string;
  readonly changes: readonly WalletChange[];
} {
  const entry = journalOf(event);
  const changes: WalletChange[] = [];
  for (const posting of entry?.postings ?? []) {
    const { account, balance } = posting;
    const [part, seller] = [walletAccounts[kindOf(account)], sellerOfAccount(account)];
    if (!part || seller === undefined || balance !== 'posted') continue;
    changes.push({ seller, part, amount: -signed(posting) });
  }
  return { currency: entry?.currency ?? '', changes };
}

interface Changed extends RowAddress {
  /** What is added to each part. */
  readonly addends: Addend[];
}

function touchedBy(event: RecordedPaymentsEvent): readonly Changed[] {
  const { currency, changes } = walletChangesOf(event);
  const { partition } = event;
  const changed: Changed[] = [];
  for (const { seller, part, amount } of changes) {
    let row = changed.find(({ key }) => key[0] === seller);
    if (!row) {
      row = { table: 'wallets', key: [seller, currency, partition], addends: [0, 0, 0, 0] };
      changed.push(row);
    }
    const place = walletParts.indexOf(part);
    row.addends[place] = exactSum(row.addends[place] as Addend, asAddend(amount));
  }
  return changed;
}

function apply(event: RecordedPaymentsEvent, rows: Rows, touched: readonly Changed[]): void {
  for (const { table, key, addends } of touched) rows.add(table, key, addends);
  const { stream, revision } = event;
  if (!stream.startsWith(`${sellerCategory}-`)) return;
  rows.put('sellers', { seller_account: stream.slice(sellerCategory.length + 1), revision });
}

const sellerTypes: ReadonlySet<string> = new Set(sellerEvents.names);

export const walletsProjection = defineProjection({
  name: 'wallets',
  version: 5,
  categories: [checkoutCategory, sellerCategory, settlementCategory, financeCategory],
  tables: [wallets, sellers],
  split: 'partition',
  onFailure: 'halt',
  types: paymentsEvents,
  handlers: forEveryType((name) =>
    postingTable[name] || sellerTypes.has(name) ? { touches: touchedBy, apply } : 'ignored',
  ),
});
