import type { Row } from '@annals/projection';
import type { CassandraReads } from '@annals/store-cassandra';
import { walletAccounts } from '../projections/wallets.ts';
import { bookedAfter } from '../read-model/ledger-cassandra.ts';
import {
  answerFrom,
  type LiveCassandraGeneration,
  loaded,
  rowsOf,
} from '../read-model/live-cassandra.ts';
import {
  type AccountsAt,
  addAccounts,
  type Balances,
  type BooksComparison,
  booksComparison,
  endOfNames,
  isAfter,
  takeBack,
  type WalletCells,
  type WalletsPage,
  walletBalances,
} from './books-comparison.ts';

/** Wallets and accounts in Cassandra, each page of one moment. */
export function cassandraBooksComparison(
  ledger: LiveCassandraGeneration,
  wallets: LiveCassandraGeneration,
): BooksComparison {
  return booksComparison({
    wallets: (from, sellersMax) =>
      answerFrom(wallets, (reads) => walletsPage(reads, from, sellersMax)),
    accounts: async (at) => {
      const current = await ledger.current();
      if (current.kind === 'lost') return current;
      const partitions = Object.keys(await current.reader.checkpoint()).map(Number);
      return answerFrom(ledger, async (reads) => ({
        balances: await accountsAt(reads, at, partitions),
      }));
    },
    waitForLedger: (...given) => ledger.waitFor(...given),
  });
}

async function walletsPage(
  reads: CassandraReads,
  from: string,
  sellersMax: number,
): Promise<WalletsPage> {
  const key = ['seller_account', 'currency', 'partition'];
  const start = from === '' ? {} : { after: [from, endOfNames] };
  const places: Row[] = [];
  const names = new Set<string>();
  for await (const place of rowsOf(reads.order('wallets', 'name', []), key, start)) {
    const name = place.seller_account as string;
    if (names.size === sellersMax && !names.has(name)) break;
    names.add(name);
    places.push(place);
  }
  const rows = (await loaded(reads, 'wallets', key, places)) as unknown as readonly WalletCells[];
  const last = names.size < sellersMax ? undefined : [...names].at(-1);
  return { balances: walletBalances(rows), last };
}

async function accountsAt(
  reads: CassandraReads,
  { from, until, checkpoint }: AccountsAt,
  partitions: readonly number[],
): Promise<Balances> {
  const balances: Balances = new Map();
  const key = ['account', 'currency', 'partition'];
  for (const kind of Object.keys(walletAccounts)) {
    const places: Row[] = [];
    const start = { after: [`${kind}:${from}`, endOfNames] };
    for await (const place of rowsOf(reads.order('accounts', 'name', []), key, start)) {
      if (isAfter(place.account as string, `${kind}:${until}`)) break;
      places.push(place);
    }
    const rows = await loaded(reads, 'accounts', key, places);
    addAccounts(balances, kind, rows as unknown as readonly WalletCells[]);
  }
  for (const partition of partitions) {
    for await (const booked of bookedAfter(reads, partition, checkpoint[partition] ?? '')) {
      takeBack(balances, { from, until }, booked);
    }
  }
  return balances;
}
