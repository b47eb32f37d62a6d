import { idFromKey } from '@annals/core';
import { isAccount } from '../journal.ts';
import { isCurrency, moneyLimits } from '../money.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import { holdsPan } from '../pan.ts';
import type { FinanceAsks, FinanceEvent, ManualEntry } from './events.ts';
import { financeLimits as limits } from './limits.ts';
import type { FinanceRequest } from './state.ts';

type Decision = Decided<FinanceEvent> | Refused;

export interface AskFinance {
  readonly id: string;
  readonly asks: FinanceAsks;
  /** The id of the key that asks. */
  readonly by: string;
  readonly reason: string;
  readonly expiresAt: number;
  readonly at: number;
}

/** Asks; nothing is done before another one approves. The same again changes nothing. */
export function askFinance(existing: FinanceRequest | undefined, command: AskFinance): Decision {
  const { id, asks, by, reason, expiresAt, at } = command;
  if (existing) {
    const isSame = JSON.stringify(existing.asks) === JSON.stringify(asks);
    return isSame ? decided() : refused('request-exists', `request ${id} asks for something else`);
  }
  const problem =
    reasonProblem(reason) ?? (asks.kind === 'manual-entry' ? entryProblem(asks.entry) : undefined);
  if (problem) return problem;
  const data = { request_id: id, requested_by: by, reason, expires_at: expiresAt, asks };
  return decided(event('finance-requested', at, data));
}

function reasonProblem(reason: string): Refused | undefined {
  if (reason.trim() === '' || reason.length > limits.reasonCharsMax) {
    return refused('reason-missing', `a reason has 1 to ${limits.reasonCharsMax} characters`);
  }
  return holdsPan(reason)
    ? refused('reason-missing', 'a reason must not hold a card number')
    : undefined;
}

/** Every line debits as much as it credits: an entry cannot be out of balance. */
export function entryProblem({ currency, lines }: ManualEntry): Refused | undefined {
  const wrong = (detail: string) => refused('wrong-entry', detail);
  if (!isCurrency(currency)) return wrong(`${currency} is no ISO 4217 currency`);
  if (lines.length === 0 || lines.length > limits.linesMax) {
    return wrong(`an entry has 1 to ${limits.linesMax} lines`);
  }
  for (const { debit, credit, amount } of lines) {
    const unknown = [debit, credit].find((name) => !isAccount(name));
    if (unknown !== undefined) return wrong(`there is no account ${unknown.slice(0, 100)}`);
    if (debit === credit) return wrong('a line debits one account and credits another');
    if (BigInt(amount) <= 0n || amount.length > moneyLimits.digitsMax) {
      return wrong(`amounts are above zero and have at most ${moneyLimits.digitsMax} digits`);
    }
  }
  return undefined;
}

export interface DecideFinance {
  readonly by: string;
  readonly at: number;
}

/** By another key than the one that asked. A manual entry is booked by this very event. */
export function approveFinance(
  request: FinanceRequest | undefined,
  { by, at }: DecideFinance,
): Decision {
  if (!request) return unknownRequest();
  if (request.state === 'approved' && request.decidedBy === by) return decided();
  const closed = closedAt(request, at);
  if (closed) return closed;
  if (request.requestedBy === by) {
    return refused('same-person', 'who asked for it cannot approve it: another key has to');
  }
  const { kind, ...asked } = request.asks;
  const of = { request_id: request.id, requested_by: request.requestedBy, approved_by: by };
  return kind === 'payout-release'
    ? decided(event('payout-release-approved', at, { ...of, ...asked }))
    : decided(event('manual-entry-booked', at, { ...of, reason: request.reason, ...asked }));
}

/** By anybody, also by who asked: that takes it back. */
export function rejectFinance(
  request: FinanceRequest | undefined,
  { by, reason, at }: DecideFinance & { readonly reason: string },
): Decision {
  if (!request) return unknownRequest();
  if (request.state === 'rejected' && request.decidedBy === by) return decided();
  const problem = closedAt(request, at) ?? reasonProblem(reason);
  if (problem) return problem;
  const data = { request_id: request.id, rejected_by: by, reason };
  return decided(event('finance-rejected', at, data));
}

export function expireFinance(
  request: FinanceRequest | undefined,
  { at }: { readonly at: number },
): Decision {
  if (!request) return unknownRequest();
  if (request.state !== 'requested' || at < request.expiresAt) return decided();
  return decided(event('finance-expired', at, { request_id: request.id }));
}

/** Approved, and the money is not there any more, or the seller. */
export function refuseRelease(
  request: FinanceRequest | undefined,
  { reason, at }: { readonly reason: string; readonly at: number },
): Decision {
  if (!request) return unknownRequest();
  if (request.state !== 'approved' || request.asks.kind !== 'payout-release') return decided();
  return decided(event('payout-release-refused', at, { request_id: request.id, reason }));
}

function closedAt({ state, expiresAt }: FinanceRequest, at: number): Refused | undefined {
  if (state !== 'requested') return refused('request-closed', `the request is ${state}`);
  if (at >= expiresAt) return refused('request-expired', 'it has waited too long: ask again');
  return undefined;
}

function unknownRequest(): Refused {
  return refused('unknown-request', 'there is no such request');
}

/** Each type comes once in its stream. */
function event(
  type: FinanceEvent['type'],
  at: number,
  data: { readonly request_id: string; readonly [member: string]: unknown },
): FinanceEvent {
  const id = idFromKey(type, data.request_id);
  return { type, id, occurredAt: at, data } as FinanceEvent;
}
