import type { Checkpoint } from '@annals/event-log';
import type { Posting } from '../journal.ts';
import type { Answer, Followed } from './live.ts';

/** What is asked of the books. Amounts are minor units; times milliseconds since 1970. */
export interface LedgerReadModel extends Followed {
  /** Accounts with their sums, by name and currency; `after` is the last one of an earlier page. */
  accounts(query: AccountsQuery): Promise<Answer<{ readonly accounts: readonly AccountSums[] }>>;
  /** One account in every currency it holds. */
  account(name: string): Promise<Answer<{ readonly accounts: readonly AccountSums[] }>>;
  /** Entries in the order they were recorded in. Throws UnbalancedEntryError for one that is not balanced. */
  entries(query: EntriesQuery): Promise<Answer<EntriesPage>>;
  /**
   * Sums by kind of account. `before`: of what was recorded before that time. `checkpoint`: of what it covers;
   * `ahead` where the read model has not come that far. Throws UnbalancedBooksError where debits and credits differ.
   */
  trialBalance(
    query: TrialBalanceQuery,
  ): Promise<Answer<TrialBalance> | { readonly kind: 'ahead' }>;
  /** Gross, fees and refunds of the days from `from` to `to` (`2026-11-24`, both inclusive, as recorded, UTC). */
  summary(query: SummaryQuery): Promise<Answer<{ readonly rows: readonly SummaryRow[] }>>;
}

export interface Sums {
  readonly postedDebit: bigint;
  readonly postedCredit: bigint;
  readonly pendingDebit: bigint;
  readonly pendingCredit: bigint;
}

export interface AccountSums extends Sums {
  readonly account: string;
  readonly currency: string;
}

export interface AccountsQuery {
  readonly after?: { readonly account: string; readonly currency: string };
  readonly limit: number;
}

export interface EntriesQuery {
  /** Only entries with a posting to this account; all their postings are shown. */
  readonly account?: string;
  /** Recorded at or after, and before. */
  readonly from?: number;
  readonly before?: number;
  /** What an earlier page gave as `next`. */
  readonly after?: EntryPlace;
  readonly limit: number;
}

/** Orders entries across streams, the same on every log. */
export interface EntryPlace {
  readonly recordedAt: number;
  readonly eventId: string;
  readonly stream: string;
}

export interface LedgerEntry extends EntryPlace {
  readonly revision: number;
  readonly type: string;
  readonly occurredAt: number;
  readonly currency: string;
  /** The id of the event whose entry this one corrects. */
  readonly corrects?: string;
  readonly postings: readonly Posting[];
}

export interface EntriesPage {
  readonly entries: readonly LedgerEntry[];
  /** Undefined at the end. */
  readonly next: EntryPlace | undefined;
}

export type TrialBalanceQuery =
  | { readonly at: 'now' }
  | { readonly at: 'time'; readonly before: number }
  | { readonly at: 'checkpoint'; readonly checkpoint: Checkpoint };

export interface TrialBalance {
  readonly rows: readonly (Sums & { readonly kind: string; readonly currency: string })[];
}

export interface SummaryQuery {
  readonly from: string;
  readonly to: string;
  readonly currency?: string;
  readonly seller?: string;
  /** What rows are kept apart by, beside the currency; nothing: one row for each currency. */
  readonly by: readonly ('day' | 'seller')[];
}

export interface SummaryRow {
  readonly day?: string;
  readonly seller?: string;
  readonly currency: string;
  readonly captures: number;
  readonly gross: bigint;
  readonly platformFees: bigint;
  readonly pspFees: bigint;
  readonly refunds: bigint;
  /** Platform fees less what the provider took. */
  readonly netRevenue: bigint;
}

/** Debits and credits of the books differ: they must not be used. */
export class UnbalancedBooksError extends Error {
  readonly code = 'unbalanced-books';
  constructor(currency: string, balance: 'posted' | 'pending', off: bigint) {
    super(`the ${balance} debits and credits in ${currency} differ by ${off}`);
    this.name = 'UnbalancedBooksError';
  }
}

/** Throws UnbalancedBooksError unless debits and credits are equal in each currency, posted and pending each. */
export function assertBooksBalance(rows: readonly (Sums & { readonly currency: string })[]): void {
  const off = new Map<string, { posted: bigint; pending: bigint }>();
  for (const row of rows) {
    const sum = off.get(row.currency) ?? { posted: 0n, pending: 0n };
    sum.posted += row.postedDebit - row.postedCredit;
    sum.pending += row.pendingDebit - row.pendingCredit;
    off.set(row.currency, sum);
  }
  for (const [currency, { posted, pending }] of off) {
    if (posted !== 0n) throw new UnbalancedBooksError(currency, 'posted', posted);
    if (pending !== 0n) throw new UnbalancedBooksError(currency, 'pending', pending);
  }
}
