import { type Checkpoint, encodeCheckpoint } from '@annals/event-log';
import type { ReadTransaction } from '@annals/store-sqlite';
import { signed } from '../journal.ts';
import { walletAccounts, walletParts } from '../projections/wallets.ts';
import { ledgerSql } from '../read-model/ledger-sqlite.ts';
import { answer, type LiveGeneration } from '../read-model/live.ts';
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
type Balances = Map<
  string,
  { readonly of: Omit<WalletDifference, 'wallet' | 'ledger'>; sum: bigint }
>;

/**
 * Wallets are read as they are, a page of sellers at a time; the ledger, which has come at least as far by then, without
 * what it has booked since.
 */
export function sqliteBooksComparison(
  ledger: LiveGeneration,
  wallets: LiveGeneration,
): BooksComparison {
  return {
    compare: async (signal) => {
      const found: WalletDifference[] = [];
      let [balances, differencesFound, asOf] = [0, 0, ''];
      for (let after: string | undefined = ''; after !== undefined; ) {
        const from: string = after;
        const page = answer(wallets, (reads) => walletsPage(reads, from));
        if (page.kind === 'lost') return page;
        const waited = await ledger.waitFor(page.asOf, limits.visibleMsMax, signal);
        if (waited !== 'reached') return { kind: waited };
        const until = page.last ?? endOfNames;
        const booked = answer(ledger, (reads) => ({
          balances: accountsAt(reads, { from, until, checkpoint: page.asOf }),
        }));
        if (booked.kind === 'lost') return booked;
        const differing = differences(page.balances, booked.balances);
        balances += new Set([...page.balances.keys(), ...booked.balances.keys()]).size;
        differencesFound += differing.length;
        found.push(...differing.slice(0, limits.differencesMax - found.length));
        asOf = encodeCheckpoint(page.asOf);
        after = page.last;
      }
      return { kind: 'compared', balances, differences: found, differencesFound, asOf };
    },
  };
}

/** Greater than every name. */
const endOfNames = '\u{10ffff}';

/** Every query of this comparison. A test asks SQLite for its plan. */
export const comparisonSql = {
  sellers: `SELECT DISTINCT seller_account FROM wallets WHERE seller_account > ?
    ORDER BY seller_account LIMIT ?`,
  wallets: `SELECT seller_account, currency, pending, available, reserved, disputed FROM wallets
    WHERE seller_account > ? AND seller_account <= ?`,
  accounts: `SELECT account, currency, posted_debit, posted_credit FROM accounts
    WHERE account > ? AND account <= ?`,
} as const;

function walletsPage(
  reads: ReadTransaction,
  after: string,
): { readonly balances: Balances; readonly last: string | undefined } {
  const sellers = reads.all<{ seller_account: string }>(
    comparisonSql.sellers,
    after,
    limits.comparedSellers,
  );
  const last = sellers.length < limits.comparedSellers ? undefined : sellers.at(-1)?.seller_account;
  const balances: Balances = new Map();
  const rows = reads.all<{ readonly [column: string]: string }>(
    comparisonSql.wallets,
    after,
    last ?? endOfNames,
  );
  for (const row of rows) {
    const { seller_account: seller = '', currency = '' } = row;
    for (const part of walletParts)
      add(balances, { seller, currency, part }, BigInt(row[part] ?? '0'));
  }
  return { balances, last };
}

function accountsAt(
  reads: ReadTransaction,
  { from, until, checkpoint }: { from: string; until: string; checkpoint: Checkpoint },
): Balances {
  const balances: Balances = new Map();
  for (const [kind, part] of Object.entries(walletAccounts)) {
    const rows = reads.all<{ readonly [column: string]: string }>(
      comparisonSql.accounts,
      `${kind}:${from}`,
      `${kind}:${until}`,
    );
    for (const { account = '', currency = '', posted_credit = '0', posted_debit = '0' } of rows) {
      const seller = account.slice(kind.length + 1);
      add(balances, { seller, currency, part }, BigInt(posted_credit) - BigInt(posted_debit));
    }
  }
  for (const partition of Object.keys(reads.checkpoint()).map(Number)) {
    const booked = reads.all<{
      readonly currency: string;
      readonly account: string;
      readonly balance: string;
      readonly side: 'debit' | 'credit';
      readonly amount: string;
    }>(ledgerSql.bookedAfter, partition, checkpoint[partition] ?? '');
    for (const { account, currency, balance, side, amount } of booked) {
      const colon = account.indexOf(':');
      const [part, seller] = [walletAccounts[account.slice(0, colon)], account.slice(colon + 1)];
      if (!part || balance !== 'posted' || seller <= from || seller > until) continue;
      add(balances, { seller, currency, part }, signed({ side, amount: BigInt(amount) }));
    }
  }
  return balances;
}

function add(
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
