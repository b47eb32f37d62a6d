import { type Checkpoint, encodeCheckpoint } from '@annals/event-log';
import type { ReadTransaction } from '@annals/store-sqlite';
import { kindOf, sellerOfAccount, signed } from '../journal.ts';
import { readPostings } from '../projections/postings-text.ts';
import { walletAccounts, walletParts } from '../projections/wallets.ts';
import type { BookedRow } from '../read-model/books.ts';
import { ledgerSql } from '../read-model/ledger-sqlite.ts';
import { type Answer, answer, type LiveGeneration } from '../read-model/live.ts';
import { reconciliationLimits as limits } from './limits.ts';

/** One part of a wallet that is not what its account says. Minor units. */
export interface WalletDifference {
  readonly seller: string;
  readonly currency: string;
  readonly part: string;
  readonly wallet: bigint;
  readonly ledger: bigint;
}

export type ComparedBooks =
  | {
      readonly kind: 'compared';
      /** Parts of wallets that were compared. */
      readonly balances: number;
      /** The first ones. */
      readonly differences: readonly WalletDifference[];
      readonly differencesFound: number;
      /** The last checkpoint that both sides were compared at. */
      readonly asOf: string;
    }
  /** A store is gone: rebuild it. */
  | { readonly kind: 'lost' }
  /** The ledger did not come to where the wallets are. */
  | { readonly kind: 'late' };

export interface BooksComparison {
  /** Compares all wallets with their accounts of the ledger, each at one checkpoint of both. Appends may go on. */
  compare(signal?: AbortSignal): Promise<ComparedBooks>;
}

/** Balances by `seller currency part`. */
export type Balances = Map<
  string,
  { readonly of: Omit<WalletDifference, 'wallet' | 'ledger'>; sum: bigint }
>;

/** Wallets of sellers in the order of their names; `last` is undefined where there are no more. */
export interface WalletsPage {
  readonly balances: Balances;
  readonly last: string | undefined;
}

/** Sellers whose names are greater than `from`, up to `until`; at what time of the ledger. */
export interface AccountsAt {
  readonly from: string;
  readonly until: string;
  readonly checkpoint: Checkpoint;
}

/** Both sides, on the store that holds them. */
export interface ComparedSides {
  wallets(from: string, sellersMax: number): Promise<Answer<WalletsPage>>;
  /** The accounts as they were at a checkpoint that the ledger has reached. */
  accounts(at: AccountsAt): Promise<Answer<{ readonly balances: Balances }>>;
  readonly waitForLedger: LiveGeneration['waitFor'];
}

/**
 * Wallets are read as they are, a page of sellers at a time; the ledger, which has come at least as far by then, without
 * what it has booked since. Where a store is written so often that a page is never of one moment, smaller pages are read.
 */
export function booksComparison(sides: ComparedSides): BooksComparison {
  return {
    compare: async (signal) => {
      const found: WalletDifference[] = [];
      let [balances, differencesFound, asOf] = [0, 0, ''];
      let [sellersMax, tries] = [limits.comparedSellers as number, 0];
      for (let after: string | undefined = ''; after !== undefined; ) {
        const from: string = after;
        const page = await sides.wallets(from, sellersMax);
        if (page.kind === 'lost') return page;
        const waited = await sides.waitForLedger(page.asOf, limits.visibleMsMax, signal);
        if (waited !== 'reached') return { kind: waited };
        const until = page.last ?? endOfNames;
        const booked = await sides.accounts({ from, until, checkpoint: page.asOf });
        if (booked.kind === 'lost') return booked;
        if (page.exact === false || booked.exact === false) {
          tries += 1;
          if (tries > limits.comparisonTriesMax || signal?.aborted) return { kind: 'late' };
          sellersMax = Math.ceil(sellersMax / 4);
          continue;
        }
        const differing = differences(page.balances, booked.balances);
        balances += new Set([...page.balances.keys(), ...booked.balances.keys()]).size;
        differencesFound += differing.length;
        found.push(...differing.slice(0, limits.differencesMax - found.length));
        asOf = encodeCheckpoint(page.asOf);
        after = page.last;
        tries = 0;
      }
      return { kind: 'compared', balances, differences: found, differencesFound, asOf };
    },
  };
}

export function sqliteBooksComparison(
  ledger: LiveGeneration,
  wallets: LiveGeneration,
): BooksComparison {
  return booksComparison({
    wallets: async (from, sellersMax) =>
      answer(wallets, (reads) => walletsPage(reads, from, sellersMax)),
    accounts: async (at) => answer(ledger, (reads) => ({ balances: accountsAt(reads, at) })),
    waitForLedger: (...given) => ledger.waitFor(...given),
  });
}

/** Greater than every name. */
export const endOfNames = '\u{10ffff}';

/** Every query of this comparison. A test asks SQLite for its plan. */
export const comparisonSql = {
  sellers: `SELECT DISTINCT seller_account FROM wallets WHERE seller_account > ?
    ORDER BY seller_account LIMIT ? + 0`,
  wallets: `SELECT seller_account, currency, pending, available, reserved, disputed FROM wallets
    WHERE seller_account > ? AND seller_account <= ?`,
  accounts: `SELECT account, currency, posted_debit, posted_credit FROM accounts
    WHERE account > ? AND account <= ?`,
} as const;

function walletsPage(reads: ReadTransaction, after: string, sellersMax: number): WalletsPage {
  const sellers = reads.all<{ seller_account: string }>(comparisonSql.sellers, after, sellersMax);
  const last = sellers.length < sellersMax ? undefined : sellers.at(-1)?.seller_account;
  const rows = reads.all<WalletCells>(comparisonSql.wallets, after, last ?? endOfNames);
  return { balances: walletBalances(rows), last };
}

export type WalletCells = { readonly [column: string]: string };

/** What rows of wallets add up to. */
export function walletBalances(rows: readonly WalletCells[]): Balances {
  const balances: Balances = new Map();
  for (const row of rows) {
    const { seller_account: seller = '', currency = '' } = row;
    for (const part of walletParts)
      addBalance(balances, { seller, currency, part }, BigInt(row[part] ?? '0'));
  }
  return balances;
}

function accountsAt(reads: ReadTransaction, { from, until, checkpoint }: AccountsAt): Balances {
  const balances: Balances = new Map();
  for (const kind of Object.keys(walletAccounts)) {
    const [first, last] = [`${kind}:${from}`, `${kind}:${until}`];
    addAccounts(balances, kind, reads.all<WalletCells>(comparisonSql.accounts, first, last));
  }
  for (const partition of Object.keys(reads.checkpoint()).map(Number)) {
    const after = checkpoint[partition] ?? '';
    takeBack(balances, { from, until }, reads.all(ledgerSql.bookedAfter, partition, after));
  }
  return balances;
}

/** Adds accounts of one kind, as the ledger has them. */
export function addAccounts(balances: Balances, kind: string, rows: readonly WalletCells[]): void {
  const part = walletAccounts[kind];
  if (!part) throw new TypeError(`${kind} is no part of a wallet`);
  for (const { account = '', currency = '', posted_credit = '0', posted_debit = '0' } of rows) {
    const seller = account.slice(kind.length + 1);
    addBalance(balances, { seller, currency, part }, BigInt(posted_credit) - BigInt(posted_debit));
  }
}

/** Takes off again what was booked for these sellers since. */
export function takeBack(
  balances: Balances,
  { from, until }: Pick<AccountsAt, 'from' | 'until'>,
  booked: readonly BookedRow[],
): void {
  for (const { currency, postings } of booked) {
    for (const posting of readPostings(postings)) {
      const { account, balance } = posting;
      const [part, seller] = [walletAccounts[kindOf(account)], sellerOfAccount(account)];
      if (!part || seller === undefined || balance !== 'posted') continue;
      if (!isAfter(seller, from) || isAfter(seller, until)) continue;
      addBalance(balances, { seller, currency, part }, signed(posting));
    }
  }
}

/** As every store orders names: by their bytes. */
export function isAfter(name: string, other: string): boolean {
  return Buffer.compare(Buffer.from(name), Buffer.from(other)) > 0;
}

function addBalance(
  balances: Balances,
  of: Omit<WalletDifference, 'wallet' | 'ledger'>,
  amount: bigint,
): void {
  const key = JSON.stringify([of.seller, of.currency, of.part]);
  balances.set(key, { of, sum: (balances.get(key)?.sum ?? 0n) + amount });
}

function differences(wallets: Balances, ledger: Balances): WalletDifference[] {
  return [...new Map([...ledger, ...wallets])].flatMap(([key, { of }]) => {
    const [wallet, booked] = [wallets.get(key)?.sum ?? 0n, ledger.get(key)?.sum ?? 0n];
    return wallet === booked ? [] : [{ ...of, wallet, ledger: booked }];
  });
}
