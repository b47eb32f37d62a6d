import { OrderedMap } from 'immutable';
import type { SellerEvent } from './events.ts';
import { move, type PayoutState, payoutMoves } from './transitions.ts';

type Data<Type extends SellerEvent['type']> = Extract<SellerEvent, { type: Type }>['data'];
export type SellerTerms = Data<'seller-registered'>['terms'];

export interface Payout {
  readonly id: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly psp: string;
  readonly pspPayoutId: string | undefined;
  readonly state: PayoutState;
}

/** What was paid on demand and nobody else has released. */
export interface OnDemand {
  readonly currency: string;
  readonly amount: bigint;
  /** When it was asked for. */
  readonly at: number;
}

/** The fold of a seller's stream. */
export interface Seller {
  readonly account: string;
  readonly terms: SellerTerms;
  readonly hasBank: boolean;
  /** In the order in which they were asked for. A seller may have thousands: versions share what is the same. */
  readonly payouts: OrderedMap<string, Payout>;
  /** Times terms were changed, and bank accounts set: what tells the next such event from the last. */
  readonly changes: number;
  /** Amounts of releases of the reserve, by their ids. */
  readonly releases: OrderedMap<string, bigint>;
  /** By the id of the payout; without those that came back. */
  readonly onDemand: OrderedMap<string, OnDemand>;
}

/** A seller with what is told of it, and nothing else. */
export function sellerWith({
  payouts = [],
  ...told
}: Pick<Seller, 'account' | 'terms'> &
  Partial<Pick<Seller, 'hasBank' | 'changes'>> & { readonly payouts?: readonly Payout[] }): Seller {
  return {
    ...{ hasBank: false, changes: 0, ...told },
    payouts: OrderedMap(payouts.map((one) => [one.id, one])),
    releases: OrderedMap(),
    onDemand: OrderedMap(),
  };
}

export type SellerFact = Pick<SellerEvent, 'type' | 'data' | 'occurredAt'>;

/** The seller after `event`; undefined before it was registered. */
export function evolveSeller(
  state: Seller | undefined,
  { type, data, occurredAt: at }: SellerFact,
): Seller | undefined {
  if (type === 'seller-registered') {
    const { seller_account: account, terms } = data as Data<typeof type>;
    return sellerWith({ account, terms });
  }
  if (!state) throw new TypeError(`${type} before seller-registered`);
  switch (type) {
    case 'seller-terms-changed':
      return { ...state, terms: (data as Data<typeof type>).terms, changes: state.changes + 1 };
    case 'seller-bank-set':
      return { ...state, hasBank: true, changes: state.changes + 1 };
    case 'reserve-released': {
      const { release_id: id, amount } = data as Data<typeof type>;
      const changes = state.changes + 1;
      if (id === undefined) return { ...state, changes };
      return { ...state, changes, releases: state.releases.set(id, BigInt(amount)) };
    }
    case 'payout-requested': {
      const { payout_id: id, amount, currency, psp, because } = data as Data<typeof type>;
      const { released = false } = data as Data<typeof type>;
      const asked = { currency, amount: BigInt(amount) };
      const payout: Payout = { id, ...asked, psp, pspPayoutId: undefined, state: 'requested' };
      const payouts = state.payouts.set(id, payout);
      if (because === 'schedule' || released) return { ...state, payouts };
      return { ...state, payouts, onDemand: state.onDemand.set(id, { ...asked, at }) };
    }
    case 'payout-sent': {
      const { payout_id, psp_payout_id: pspPayoutId } = data as Data<typeof type>;
      return withPayout(state, payout_id, 'sent', { pspPayoutId });
    }
    case 'payout-paid':
      return withPayout(state, (data as Data<typeof type>).payout_id, 'paid');
    case 'payout-failed': {
      const { payout_id: id } = data as Data<typeof type>;
      const onDemand = state.onDemand.delete(id);
      return { ...withPayout(state, id, 'failed'), onDemand };
    }
    case 'payout-in-doubt':
      return withPayout(state, (data as Data<typeof type>).payout_id, 'unknown');
  }
}

function withPayout(
  seller: Seller,
  id: string,
  state: PayoutState,
  more: Partial<Payout> = {},
): Seller {
  const payout = seller.payouts.get(id);
  if (!payout) throw new TypeError(`seller ${seller.account} has no payout ${id}`);
  const after = { ...payout, ...more, state: move(payoutMoves, 'a payout', payout.state, state) };
  return { ...seller, payouts: seller.payouts.set(id, after) };
}
