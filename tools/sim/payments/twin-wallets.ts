import type { Wallet, WalletsReadModel } from '@annals/payments';
import type { Row } from '@annals/projection';
import type { TwinReads } from './twin-reads.ts';
import type { Witness } from './witness.ts';

export const currencies = ['USD', 'JPY', 'KWD'] as const;

/** Wallets over the store twin's live generation. The witness is told how old each answer is. */
export function twinWallets(
  reads: TwinReads,
  witness: Pick<Witness, 'sawWallet'>,
): WalletsReadModel {
  return {
    wallets: async (seller) => {
      const answer = await reads.answer(async (rows) => {
        const own = (await rows('wallets')).filter((row) => row.seller_account === seller);
        const known = (await rows('sellers')).find((row) => row.seller_account === seller);
        const held = new Set(own.map((row) => String(row.currency)));
        const wallets = [...held].sort().map((currency) => summed(currency, own));
        return { wallets, sellerRevision: Number(known?.revision ?? -1) };
      });
      if (answer.kind === 'answer') witness.sawWallet({ seller, asOf: answer.asOf });
      return answer;
    },
    waitFor: reads.waitFor,
  };
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
