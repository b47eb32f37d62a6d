import type { Clock } from '@annals/core';
import type { Wallet, WalletsReadModel } from '@annals/payments';
import type {
  GenerationDirectory,
  GenerationSnapshot,
  ProjectionStore,
  Row,
} from '@annals/projection';
import { liveTwin } from '../live-twin.ts';
import type { Witness } from './witness.ts';

export const currencies = ['USD', 'JPY', 'KWD'] as const;

/** Wallets over the store twin's live generation. The witness is told how old each answer is. */
export function twinWallets(
  store: ProjectionStore,
  directory: GenerationDirectory,
  clock: Clock,
  witness: Witness,
): WalletsReadModel {
  const live = liveTwin(store, directory, 'wallets', clock);
  return {
    wallets: async (seller) => {
      const generation = await live.open();
      if (generation === 'lost') return { kind: 'lost' };
      const snapshot = await generation.snapshot();
      const [rows, sellers] = [
        await rowsOf(snapshot, 'wallets'),
        await rowsOf(snapshot, 'sellers'),
      ];
      const { checkpoint: asOf } = snapshot;
      await snapshot.close();
      witness.sawWallet({ seller, asOf });
      const own = rows.filter((row) => row.seller_account === seller);
      const wallets = currencies.map((currency) => summed(currency, own));
      const known = sellers.find((row) => row.seller_account === seller);
      return { kind: 'answer', asOf, wallets, sellerRevision: Number(known?.revision ?? -1) };
    },
    waitFor: live.waitFor,
  };
}

/** All rows of a table, in the order of their keys. */
export async function rowsOf(snapshot: GenerationSnapshot, table: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for await (const page of snapshot.rows(table)) rows.push(...page);
  return rows;
}

function summed(currency: string, rows: readonly Row[]): Wallet {
  const own = rows.filter((row) => row.currency === currency);
  const sum = (part: string) => own.reduce((total, row) => total + BigInt(String(row[part])), 0n);
  return {
    currency,
    pending: sum('pending'),
    available: sum('available'),
    reserved: sum('reserved'),
    disputed: sum('disputed'),
  };
}
