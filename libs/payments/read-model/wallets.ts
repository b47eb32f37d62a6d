import type { ReadTransaction } from '@annals/store-sqlite';
import { type Answer, answer, type Followed, type LiveGeneration } from './live.ts';

/** A seller's money in one currency, in minor units. `available` is below zero only after a refund or dispute. */
export interface Wallet {
  readonly currency: string;
  /** Captured and not released yet. */
  readonly pending: bigint;
  readonly available: bigint;
  readonly reserved: bigint;
  /** Held while a dispute is open. */
  readonly disputed: bigint;
}

export interface SellerWallets {
  readonly wallets: readonly Wallet[];
  /** The last revision of the seller's stream that is in them; -1 for none. */
  readonly sellerRevision: number;
}

export interface WalletsReadModel extends Followed {
  wallets(sellerAccount: string): Promise<Answer<SellerWallets>>;
}

export function sqliteWalletsReadModel(live: LiveGeneration): WalletsReadModel {
  return {
    wallets: async (seller) => answer(live, (reads) => walletsOf(reads, seller)),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

/** Every query of this read model. */
export const walletsSql = {
  wallets: `SELECT currency, pending, available, reserved, disputed FROM wallets
    WHERE seller_account = ? ORDER BY currency`,
  seller: 'SELECT revision FROM sellers WHERE seller_account = ?',
} as const;

export interface WalletRow {
  readonly currency: string;
  readonly pending: string;
  readonly available: string;
  readonly reserved: string;
  readonly disputed: string;
}

function walletsOf(reads: ReadTransaction, seller: string): SellerWallets {
  const wallets = summedWallets(reads.all<WalletRow>(walletsSql.wallets, seller));
  const revision = reads.get<{ revision: number }>(walletsSql.seller, seller)?.revision;
  return { wallets, sellerRevision: revision ?? -1 };
}

/** The rows of one seller in all partitions, added up by currency. */
export function summedWallets(rows: readonly WalletRow[]): readonly Wallet[] {
  const byCurrency = new Map<string, Wallet>();
  for (const row of rows) {
    const sum = byCurrency.get(row.currency);
    byCurrency.set(row.currency, {
      currency: row.currency,
      pending: (sum?.pending ?? 0n) + BigInt(row.pending),
      available: (sum?.available ?? 0n) + BigInt(row.available),
      reserved: (sum?.reserved ?? 0n) + BigInt(row.reserved),
      disputed: (sum?.disputed ?? 0n) + BigInt(row.disputed),
    });
  }
  return [...byCurrency.values()];
}
