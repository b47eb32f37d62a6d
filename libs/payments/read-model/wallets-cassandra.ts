import type { Row } from '@annals/projection';
import type { CassandraReads } from '@annals/store-cassandra';
import { answerFrom, type LiveCassandraGeneration, loaded, rowsOf } from './live-cassandra.ts';
import {
  type SellerWallets,
  summedWallets,
  type WalletRow,
  type WalletsReadModel,
} from './wallets.ts';

/**
 * Wallets in Cassandra. Whoever decides a payout has waited for the seller's last event before: then what is read
 * covers it, whatever else comes meanwhile.
 */
export function cassandraWalletsReadModel(live: LiveCassandraGeneration): WalletsReadModel {
  return {
    wallets: (seller) => answerFrom(live, (reads) => walletsOf(reads, seller)),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

async function walletsOf(reads: CassandraReads, seller: string): Promise<SellerWallets> {
  const order = reads.order('wallets', 'seller', [seller]);
  const places: Row[] = [];
  for await (const place of rowsOf(order, ['currency', 'partition'])) places.push(place);
  const key = ['seller_account', 'currency', 'partition'];
  const [rows, [own]] = await Promise.all([
    loaded(reads, 'wallets', key, places),
    reads.load([{ table: 'sellers', key: [seller] }]),
  ]);
  const wallets = summedWallets(rows as unknown as readonly WalletRow[]);
  return { wallets, sellerRevision: (own?.revision as number | undefined) ?? -1 };
}
