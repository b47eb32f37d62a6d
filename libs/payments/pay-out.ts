import { type AmountSteps, payoutStep } from './amount-steps.ts';
import {
  changeWithWallet,
  loadSeller,
  type SellerChanged,
  type WalletMeans,
} from './change-seller.ts';
import { type At, type CallMeans, calledAt } from './command-time.ts';
import { payoutAmount, requestPayout } from './decide/seller.ts';
import type { PayoutLimits } from './finance/payout-limits.ts';
import { type Finance, releaseRequestId } from './finance/service.ts';
import { releaseClosed } from './finance/state.ts';
import { refused } from './outcome.ts';
import { isPayoutDay, scheduledPayoutId } from './payout-schedule.ts';

/** Where payouts above a limit wait: `Finance` of `@annals/payments/finance` asks for their release. */
export interface PayoutReleaseMeans {
  /** Above which amount, by currency. */
  readonly above: PayoutLimits;
  readonly finance: Pick<Finance, 'requestRelease' | 'request'>;
}

export interface PayoutCommand extends At {
  readonly seller: string;
  readonly payoutId: string;
  readonly currency: string;
  /** All that is available unless told. */
  readonly amount?: bigint;
  readonly psp: string;
  readonly because: 'schedule' | 'on_demand';
}

export interface PayoutMeans extends WalletMeans, CallMeans {
  /** Payouts that need a second person. Without it there is no limit. */
  readonly releases?: PayoutReleaseMeans;
  /** Which amounts providers take. Without it any. */
  readonly steps?: AmountSteps;
}

/** Above the limit of its currency nothing is paid: its release is asked for. */
export async function payOut(means: PayoutMeans, command: PayoutCommand): Promise<SellerChanged> {
  const { releases } = means;
  const releaseAbove = releases?.above.get(command.currency);
  if (!releases || releaseAbove === undefined) return request(means, command);
  let amount = 0n;
  const changed = await request(means, command, {
    releaseAbove,
    onAmount: (one) => (amount = one),
  });
  if (changed.kind !== 'refused' || changed.reason !== 'needs-release') return changed;
  const { seller, payoutId, currency, psp, because } = command;
  const held = { seller, payoutId, currency, amount, psp, because, by: means.actor };
  const asked = await releases.finance.requestRelease(held);
  if (asked.kind !== 'changed' && asked.kind !== 'refused') return asked;
  const id = releaseRequestId(seller, payoutId);
  const release = asked.kind === 'changed' ? asked.state : await releases.finance.request(id);
  return (release && releaseClosed(release)) ?? changed;
}

/** A payout that a second person has released: no limit counts any more. */
export async function payOutReleased(
  means: PayoutMeans,
  command: PayoutCommand & { readonly amount: bigint },
): Promise<SellerChanged> {
  return request(means, { ...command, released: true });
}

/** One payout for each currency of the seller's terms, where that day is one of its schedule. */
export async function payOutOn(
  means: PayoutMeans,
  account: string,
  day: string,
  command: { readonly psp: string } & At,
): Promise<ReadonlyMap<string, SellerChanged>> {
  const { state } = await loadSeller(means, account);
  const terms = state?.seller.terms;
  const outcomes = new Map<string, SellerChanged>();
  if (!terms || !isPayoutDay(terms, day)) return outcomes;
  for (const { currency } of terms.currencies) {
    const payoutId = scheduledPayoutId(currency, day);
    const payout = { seller: account, payoutId, currency, because: 'schedule' } as const;
    outcomes.set(currency, await payOut(means, { ...payout, ...command }));
  }
  return outcomes;
}

async function request(
  means: PayoutMeans,
  command: PayoutCommand & { readonly released?: boolean },
  limit?: { readonly releaseAbove: bigint; readonly onAmount: (amount: bigint) => void },
): Promise<SellerChanged> {
  const { seller: account, ...payout } = command;
  return changeWithWallet(means, account, command.currency, (loaded, wallet) => {
    const { state, revision } = loaded;
    const bankToken = state?.bankToken;
    if (state?.seller.hasBank && bankToken === undefined) {
      return refused('subject-erased', 'the seller was erased, and the bank account with it');
    }
    const step = payoutStep(means.steps, command.psp, command.currency);
    limit?.onAmount(payoutAmount({ ...payout, wallet, step }));
    return requestPayout(state?.seller, {
      ...{ ...payout, step },
      ...calledAt(command, means),
      ...(limit ? { releaseAbove: limit.releaseAbove } : {}),
      ...{ wallet, revision, bankToken: bankToken ?? '' },
    });
  });
}
