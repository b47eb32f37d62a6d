import { assertBalanced, kindOf } from '../journal.ts';
import { readPostings } from '../projections/postings-text.ts';
import {
  type AccountSums,
  assertBooksBalance,
  type EntriesPage,
  type LedgerEntry,
  type Sums,
  type TrialBalance,
} from './ledger.ts';
import { compare } from './summary.ts';

/** What the ledgers on every store make of their rows. */

export interface AccountRow {
  readonly account: string;
  readonly currency: string;
  readonly posted_debit: string;
  readonly posted_credit: string;
  readonly pending_debit: string;
  readonly pending_credit: string;
}

/** `postings` as `readPostings` reads them. */
export interface BookedRow {
  readonly currency: string;
  readonly postings: string;
}

export interface PlaceRow {
  readonly recorded_at: number;
  readonly event_id: string;
  readonly stream: string;
  readonly revision: number;
}

export interface EntryRow extends PlaceRow, BookedRow {
  readonly type: string;
  readonly occurred_at: number;
  readonly corrects: string;
}

export function summedAccounts(rows: readonly AccountRow[]): AccountSums[] {
  const books = new Books();
  for (const row of rows) books.add(row.account, row);
  return books.rows();
}

type MutableSums = { -readonly [Name in keyof Sums]: bigint };

const sumNames = {
  posted_debit: 'postedDebit',
  posted_credit: 'postedCredit',
  pending_debit: 'pendingDebit',
  pending_credit: 'pendingCredit',
} as const satisfies { readonly [column: string]: keyof Sums };

/** Sums by account (or kind) and currency, in the order they were met. */
export class Books {
  readonly #sums = new Map<string, MutableSums & { account: string; currency: string }>();

  add(account: string, row: Omit<AccountRow, 'account'>): void {
    const sum = this.#of(account, row.currency);
    sum.postedDebit += BigInt(row.posted_debit);
    sum.postedCredit += BigInt(row.posted_credit);
    sum.pendingDebit += BigInt(row.pending_debit);
    sum.pendingCredit += BigInt(row.pending_credit);
  }

  /** Adds the postings of an entry, or takes them off: those of the kinds of account that are asked for. */
  post(
    { currency, postings }: BookedRow,
    sign: 1n | -1n,
    isAsked: (kind: string) => boolean = () => true,
  ): void {
    for (const { account, balance, side, amount } of readPostings(postings)) {
      const kind = kindOf(account);
      if (isAsked(kind)) this.#of(kind, currency)[sumNames[`${balance}_${side}`]] += sign * amount;
    }
  }

  rows(): AccountSums[] {
    return [...this.#sums.values()];
  }

  /** By currency and kind, without those that nothing was booked on. Throws UnbalancedBooksError. */
  trialBalance(): TrialBalance['rows'] {
    const rows = this.rows()
      .filter((row) => row.postedDebit || row.postedCredit || row.pendingDebit || row.pendingCredit)
      .map(({ account: kind, ...row }) => ({ kind, ...row }))
      .sort((a, b) => compare(a.currency, b.currency) || compare(a.kind, b.kind));
    assertBooksBalance(rows);
    return rows;
  }

  #of(account: string, currency: string) {
    const key = `${currency} ${account}`;
    const held = this.#sums.get(key);
    if (held) return held;
    const none = { postedDebit: 0n, postedCredit: 0n, pendingDebit: 0n, pendingCredit: 0n };
    const sum = { account, currency, ...none };
    this.#sums.set(key, sum);
    return sum;
  }
}

/** Throws UnbalancedEntryError. */
export function entryOf(row: EntryRow): LedgerEntry {
  const { stream, revision, type, currency, corrects } = row;
  const postings = readPostings(row.postings);
  assertBalanced(type, { currency, postings });
  const { recorded_at: recordedAt, occurred_at: occurredAt, event_id: eventId } = row;
  const place = { recordedAt, eventId, stream, revision, type, occurredAt, currency };
  return { ...place, ...(corrects === '' ? {} : { corrects }), postings };
}

/** A page of what was found; one more than its limit says that there is another one. */
export function entriesPageOf(found: readonly LedgerEntry[], limit: number): EntriesPage {
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  if (found.length <= limit || !last) return { entries, next: undefined };
  const { recordedAt, eventId, stream } = last;
  return { entries, next: { recordedAt, eventId, stream } };
}
