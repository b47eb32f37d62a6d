import type { SellerEvent } from '../events.ts';
import { stepProblem } from '../money.ts';
import { decided, type Refused, refused } from '../outcome.ts';
import type { PspPayout } from '../psp/port.ts';
import type { Payout, Seller, SellerTerms } from '../seller-state.ts';
import { dayMs } from '../utc-days.ts';
import { sellerEvent } from './decide.ts';

/** Registers a seller; the same terms again change nothing. */
export function registerSeller(
  existing: Seller | undefined,
  command: { readonly account: string; readonly terms: SellerTerms; readonly at: number },
) {
  const { account, terms, at } = command;
  const data = { seller_account: account, terms };
  if (!existing) return decided(sellerEvent('seller-registered', [], at, data));
  if (JSON.stringify(existing.terms) === JSON.stringify(terms)) return decided<SellerEvent>();
  return decided(sellerEvent('seller-terms-changed', [existing.changes + 1], at, data));
}

export function setBank(
  seller: Seller | undefined,
  { bankToken, at }: { readonly bankToken: string; readonly at: number },
) {
  if (!seller) return refused('unknown-seller', 'there is no such seller');
  const data = { seller_account: seller.account, bank_token: bankToken };
  return decided(sellerEvent('seller-bank-set', [seller.changes + 1], at, data));
}

/** A seller's money in one currency, as the wallet holds it. */
export interface WalletBalance {
  readonly available: bigint;
  readonly reserved: bigint;
  /** The last revision of the seller's stream that the wallet has applied; -1 for none. */
  readonly sellerRevision: number;
}

export interface RequestPayout {
  readonly payoutId: string;
  readonly currency: string;
  /** All that is available unless told, rounded down to the step. */
  readonly amount?: bigint;
  /** Of what an amount must be a multiple at the provider; 1 unless told. */
  readonly step?: bigint;
  readonly wallet: WalletBalance;
  /** Of the seller's stream: the payout is appended at it, so that no two are decided on the same wallet. */
  readonly revision: number;
  readonly psp: string;
  readonly bankToken: string;
  readonly because: 'schedule' | 'on_demand';
  /** More than this needs a second person first. Absent: no limit, or a second person has released it. */
  readonly releaseAbove?: bigint;
  /** A second person has released it: it does not count towards the limit of what comes later. */
  readonly released?: boolean;
  readonly at: number;
  readonly callBefore: number;
}

export type PayoutRefusal =
  | 'unknown-seller'
  | 'no-bank-account'
  | 'currency-not-sold'
  | 'wallet-behind'
  | 'payout-exists'
  | 'invalid-amount'
  | 'amount-step'
  | 'below-minimum'
  | 'insufficient-funds'
  | 'needs-release';

/**
 * Intent: pay a seller what is available. Decided in the seller's stream at its expected revision, against a wallet
 * that has applied all of that stream: payments that the wallet has not seen only make it more, and what it has
 * not seen of refunds and disputes may take it below zero, which stops the next payout.
 */
export function requestPayout(seller: Seller | undefined, command: RequestPayout) {
  const { payoutId, currency, at, callBefore, psp, because, bankToken } = command;
  const { released = false } = command;
  const problem = problemOfPayout(seller, command);
  if (problem) return problem;
  if (!seller) throw new TypeError('the seller was checked');
  if (seller.payouts.has(payoutId)) return decided<SellerEvent>();
  const amount = payoutAmount(command);
  return decided(
    sellerEvent('payout-requested', [payoutId], at, {
      ...{ seller_account: seller.account, payout_id: payoutId, amount: String(amount), currency },
      ...{ psp, bank_token: bankToken, because, call_before: callBefore },
      ...(released ? { released } : {}),
    }),
  );
}

/** What is paid: what was asked for, or as much of what is available as the provider takes. The rest stays available. */
export function payoutAmount({
  amount,
  wallet,
  step = 1n,
}: Pick<RequestPayout, 'amount' | 'wallet' | 'step'>): bigint {
  const { available } = wallet;
  return amount ?? available - (available % step);
}

function problemOfPayout(
  seller: Seller | undefined,
  command: RequestPayout,
): Refused<PayoutRefusal> | undefined {
  const { payoutId, currency, amount: asked, wallet, revision, step = 1n } = command;
  if (!seller) return refused('unknown-seller', 'there is no such seller');
  const known = seller.payouts.get(payoutId);
  if (known) {
    const isSame = known.currency === currency && (asked === undefined || known.amount === asked);
    return isSame ? undefined : refused('payout-exists', `payout ${payoutId} is another one`);
  }
  if (!seller.hasBank) return refused('no-bank-account', 'the seller has no bank account yet');
  const terms = seller.terms.currencies.find((one) => one.currency === currency);
  if (!terms) return refused('currency-not-sold', `the seller does not sell in ${currency}`);
  if (wallet.sellerRevision < revision) {
    return refused('wallet-behind', 'the wallet has not seen the last payout yet: ask again');
  }
  const amount = payoutAmount(command);
  if (asked !== undefined && asked <= 0n) {
    return refused('invalid-amount', 'amount must be above zero');
  }
  const problem = stepProblem(amount, step, currency);
  if (problem !== undefined) return refused('amount-step', problem);
  if (amount > wallet.available || amount <= 0n) {
    return refused('insufficient-funds', `${wallet.available} are available`);
  }
  if (amount < BigInt(terms.payout_minimum)) {
    return refused('below-minimum', `at least ${terms.payout_minimum} are paid out`);
  }
  return aboveLimit(seller, command, amount);
}

/** How long what was paid on demand counts towards the limit, by the times of events. */
const releaseWindowMs = dayMs;

/**
 * The limit is of what is paid without a second person: one payout of a schedule, and on demand all of the last 24 hours, so
 * that it cannot be passed in parts. What came back does not count.
 */
function aboveLimit(
  { onDemand }: Seller,
  { currency, because, at, releaseAbove }: RequestPayout,
  amount: bigint,
): Refused<'needs-release'> | undefined {
  if (releaseAbove === undefined) return undefined;
  let paid = 0n;
  for (const one of because === 'on_demand' ? onDemand.values() : []) {
    if (one.currency === currency && one.at > at - releaseWindowMs) paid += one.amount;
  }
  if (paid + amount <= releaseAbove) return undefined;
  const before = paid === 0n ? '' : `, and ${paid} were paid on demand within 24 hours`;
  const limit = `more than ${releaseAbove} ${currency} need a second person`;
  return refused('needs-release', `${limit}${before}`);
}

function findPayout(
  seller: Seller | undefined,
  payoutId: string,
): { readonly kind: 'payout'; readonly seller: Seller; readonly payout: Payout } | Refused {
  if (!seller) return refused('unknown-seller', 'there is no such seller');
  const payout = seller.payouts.get(payoutId);
  if (!payout) return refused('unknown-payout', `there is no payout ${payoutId}`);
  return { kind: 'payout', seller, payout };
}

/** What the provider says of a payout; it may fail after it was paid. */
export function observePayout(
  seller: Seller | undefined,
  payoutId: string,
  observed: Pick<PspPayout, 'id' | 'status' | 'failure' | 'amount'>,
  at: number,
) {
  const found = findPayout(seller, payoutId);
  if (found.kind === 'refused') return found;
  const { payout } = found;
  const { amount, currency } = observed.amount;
  if (amount !== payout.amount || currency !== payout.currency) {
    return refused('wrong-amount', `payout ${payoutId} is about ${payout.amount} here`);
  }
  const of = payoutData(found.seller, payout);
  // Whatever became of it, it has left the balance at the provider: its id there is told in any case.
  const isNew = payout.state === 'requested' || payout.state === 'unknown';
  const told = { ...of, psp_payout_id: observed.id };
  const sent = isNew ? [sellerEvent('payout-sent', [payoutId], at, told)] : [];
  switch (observed.status) {
    case 'pending':
    case 'in_transit':
      return decided(...sent);
    case 'paid':
      if (payout.state === 'paid') return decided<SellerEvent>();
      if (payout.state === 'failed') {
        // A late hint of what came before the failure, or a fault: the money is back already.
        return decided<SellerEvent>();
      }
      return decided(...sent, sellerEvent('payout-paid', [payoutId], at, of));
    case 'failed':
    case 'canceled': {
      const reason = observed.failure ?? observed.status;
      const failed = failPayout(found.seller, { payoutId, reason, at }, { isTold: true });
      return failed.kind === 'refused' ? failed : decided(...sent, ...failed.events);
    }
  }
}

/**
 * The seller has its money back. Without `isTold` by the provider only where the payout surely never left: one that
 * was paid fails only by the provider's word.
 */
export function failPayout(
  seller: Seller | undefined,
  {
    payoutId,
    reason,
    at,
  }: { readonly payoutId: string; readonly reason: string; readonly at: number },
  { isTold }: { readonly isTold: boolean } = { isTold: false },
) {
  const found = findPayout(seller, payoutId);
  if (found.kind === 'refused') return found;
  const { payout } = found;
  if (payout.state === 'failed') return decided<SellerEvent>();
  if (!isTold && (payout.state === 'paid' || payout.state === 'sent')) {
    return refused('payout-left', `payout ${payoutId} is ${payout.state}`);
  }
  const data = { ...payoutData(found.seller, payout), reason, after_paid: payout.state === 'paid' };
  return decided(sellerEvent('payout-failed', [payoutId], at, data));
}

export function doubtPayout(
  seller: Seller | undefined,
  {
    payoutId,
    reason,
    at,
  }: { readonly payoutId: string; readonly reason: string; readonly at: number },
) {
  const found = findPayout(seller, payoutId);
  if (found.kind === 'refused') return found;
  if (found.payout.state !== 'requested') return decided<SellerEvent>();
  const data = { seller_account: found.seller.account, payout_id: payoutId, reason };
  return decided(sellerEvent('payout-in-doubt', [payoutId], at, data));
}

function payoutData(seller: Seller, { id, amount, currency }: Payout) {
  return { seller_account: seller.account, payout_id: id, amount: String(amount), currency };
}

/** Lets go of (a part of) what is held in reserve. */
export function releaseReserve(
  seller: Seller | undefined,
  command: {
    /** What tells this release from every other one of the seller: sent again it is the same. */
    readonly releaseId: string;
    readonly currency: string;
    readonly amount: bigint;
    readonly wallet: WalletBalance;
    readonly revision: number;
    readonly at: number;
  },
) {
  const { releaseId, currency, amount, wallet, revision, at } = command;
  if (!seller) return refused('unknown-seller', 'there is no such seller');
  const known = seller.releases.get(releaseId);
  if (known !== undefined) {
    return known === amount
      ? decided<SellerEvent>()
      : refused('release-exists', `release ${releaseId} is about ${known}`);
  }
  if (wallet.sellerRevision < revision) {
    return refused('wallet-behind', 'the wallet has not seen all of the seller yet: ask again');
  }
  if (amount <= 0n) return refused('invalid-amount', 'amount must be above zero');
  if (amount > wallet.reserved)
    return refused('insufficient-funds', `${wallet.reserved} are reserved`);
  const named = { seller_account: seller.account, release_id: releaseId };
  const data = { ...named, amount: String(amount), currency };
  return decided(sellerEvent('reserve-released', [releaseId], at, data));
}
