import type { StreamKind } from '../change.ts';
import { type Refused, refused } from '../outcome.ts';
import { move } from '../transitions.ts';
import {
  type FinanceAsks,
  type FinanceEvent,
  type FinanceEventType,
  financeEvents,
} from './events.ts';

export const financeStates = ['requested', 'approved', 'rejected', 'expired', 'refused'] as const;
export type FinanceState = (typeof financeStates)[number];

/** `refused`: approved, but the payout could not be asked for any more. */
export const financeMoves: { readonly [From in FinanceState]: readonly FinanceState[] } = {
  requested: ['approved', 'rejected', 'expired'],
  approved: ['refused'],
  rejected: [],
  expired: [],
  refused: [],
};

export interface FinanceRequest {
  readonly id: string;
  readonly asks: FinanceAsks;
  readonly requestedBy: string;
  readonly reason: string;
  readonly expiresAt: number;
  readonly state: FinanceState;
  /** The second person. */
  readonly decidedBy: string | undefined;
  /** Why it was rejected or refused. */
  readonly because: string | undefined;
}

export const financeStreams: StreamKind<FinanceRequest, FinanceEventType> = {
  types: financeEvents,
  evolve: (state, event) => evolveFinance(state, event),
};

export function evolveFinance(
  state: FinanceRequest | undefined,
  event: Pick<FinanceEvent, 'type' | 'data'>,
): FinanceRequest {
  const { type, data } = event as FinanceEvent;
  if (type === 'finance-requested') {
    const { request_id: id, requested_by: requestedBy, reason, expires_at, asks } = data;
    const open = { state: 'requested', decidedBy: undefined, because: undefined } as const;
    return { id, asks, requestedBy, reason, expiresAt: expires_at, ...open };
  }
  if (!state) throw new TypeError(`${type} before finance-requested`);
  const to = (next: FinanceState): FinanceRequest => {
    return { ...state, state: move(financeMoves, 'a finance request', state.state, next) };
  };
  switch (type) {
    case 'payout-release-approved':
    case 'manual-entry-booked':
      return { ...to('approved'), decidedBy: data.approved_by };
    case 'payout-release-refused':
      return { ...to('refused'), because: data.reason };
    case 'finance-rejected':
      return { ...to('rejected'), decidedBy: data.rejected_by, because: data.reason };
    case 'finance-expired':
      return to('expired');
  }
}

/** What became of a release that nobody waits for any more: the payout needs a new request, under another id. */
export function releaseClosed(request: FinanceRequest): Refused<'release-closed'> | undefined {
  const { state, requestedBy, decidedBy, because } = request;
  const why = because === undefined ? '' : `: ${because}`;
  const again = 'a new payout needs another payout_id';
  const closed = (how: string) => refused('release-closed', `its release ${how}; ${again}`);
  switch (state) {
    case 'requested':
    case 'approved':
      return undefined;
    case 'rejected':
      return closed(`was ${decidedBy === requestedBy ? 'taken back' : 'rejected'}${why}`);
    case 'expired':
      return closed('has expired');
    case 'refused':
      return closed(`was approved, and could not be paid${why}`);
  }
}
