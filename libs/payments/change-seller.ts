import {
  type Changed,
  type ChangeMeans,
  changeAndLoad,
  type Loaded,
  loadStream,
} from './change.ts';
import type { WalletBalance } from './decide/seller.ts';
import type { SellerEvent } from './events.ts';
import { type RegisteredSeller, sellerStreams } from './known-streams.ts';
import { type Decided, type Refused, refused } from './outcome.ts';
import type { WalletsReadModel } from './read-model/wallets.ts';
import type { Seller } from './seller-state.ts';
import { sellerStream } from './streams.ts';

export type SellerChanged = Changed<RegisteredSeller>;
type SellerDecision = Decided<SellerEvent> | Refused;

export interface WalletMeans extends ChangeMeans {
  readonly wallets: WalletsReadModel;
  /** How long a decision waits for the wallet to see the seller's last event, in milliseconds. */
  readonly walletMsMax: number;
}

export async function loadSeller(
  means: ChangeMeans,
  account: string,
): Promise<Loaded<RegisteredSeller>> {
  return loadStream(means, sellerStreams, sellerStream(account));
}

/** Makes a decision in the stream of a seller. */
export async function changeSeller(
  means: ChangeMeans,
  account: string,
  decide: (seller: Seller | undefined, bankToken: string | undefined) => SellerDecision,
): Promise<SellerChanged> {
  return changeAndLoad(means, sellerStreams, sellerStream(account), ({ state }) =>
    decide(state?.seller, state?.bankToken),
  );
}

/** Decides against the wallet, once it has seen the seller's last event. */
export async function changeWithWallet(
  means: WalletMeans,
  account: string,
  currency: string,
  decide: (loaded: Loaded<RegisteredSeller>, wallet: WalletBalance) => SellerDecision,
): Promise<SellerChanged> {
  const { wallets, walletMsMax } = means;
  return changeAndLoad(means, sellerStreams, sellerStream(account), async (loaded) => {
    const reached = await wallets.waitFor(loaded.checkpoint, walletMsMax);
    if (reached !== 'reached') return walletBehind(reached);
    const read = await wallets.wallets(account);
    if (read.kind === 'lost') return walletBehind('lost');
    const { sellerRevision } = read;
    const { available, reserved } = read.wallets.find((one) => one.currency === currency) ?? {
      available: 0n,
      reserved: 0n,
    };
    return decide(loaded, { available, reserved, sellerRevision });
  });
}

function walletBehind(why: 'late' | 'lost'): Refused<'wallet-behind' | 'wallet-lost'> {
  return why === 'late'
    ? refused('wallet-behind', 'the wallet has not seen the last payout yet: ask again')
    : refused('wallet-lost', 'the wallets are lost: rebuild them with annals rebuild wallets');
}
