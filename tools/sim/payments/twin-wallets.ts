import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll } from '@annals/event-log';
import type { Wallet, WalletsReadModel } from '@annals/payments';
import {
  type GenerationDirectory,
  type GenerationSnapshot,
  type GenerationStore,
  openGeneration,
  type ProjectionStore,
  type Row,
} from '@annals/projection';
import type { Witness } from './witness.ts';

export const currencies = ['USD', 'JPY', 'KWD'] as const;

const pollMs = 20;

/** Wallets over the store twin's live generation. The witness is told how old each answer is. */
export function twinWallets(
  store: ProjectionStore,
  directory: GenerationDirectory,
  clock: Clock,
  witness: Witness,
): WalletsReadModel {
  const openLive = async (): Promise<GenerationStore | 'lost'> => {
    const live = directory.live('wallets');
    if (live === undefined) return 'lost';
    const found = await openGeneration(store, 'wallets', live);
    return found.kind === 'open' ? found.opened : 'lost';
  };
  return {
    wallets: async (seller) => {
      const generation = await openLive();
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
    waitFor: (checkpoint, timeoutMs) => waitFor(openLive, clock, checkpoint, timeoutMs),
  };
}

async function waitFor(
  openLive: () => Promise<GenerationStore | 'lost'>,
  clock: Clock,
  checkpoint: Checkpoint,
  timeoutMs: number,
): Promise<'reached' | 'late' | 'lost'> {
  for (let waited = 0; waited <= timeoutMs; waited += pollMs) {
    const generation = await openLive();
    if (generation === 'lost') return 'lost';
    if (coversAll(await generation.checkpoint(), checkpoint)) return 'reached';
    await clock.sleep(pollMs);
  }
  return 'late';
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
