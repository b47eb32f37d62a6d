import { idFromKey } from '@annals/core';
import { type Refused, refused } from '../outcome.ts';
import type { IdempotencyEvent } from './events.ts';
import type { Answer, KeyState } from './state.ts';

/** A request under a key: what the state says is the fingerprint under the subject the key is bound to. */
export interface BeginRequest {
  readonly stream: string;
  readonly subject: string;
  /** Undefined where the subject the key is bound to was erased. */
  readonly fingerprint: string | undefined;
  readonly holder: string;
  readonly holdMs: number;
  readonly now: number;
}

export type BeginDecision =
  /** The operation is to be run, once the events are stored. */
  | { readonly kind: 'run'; readonly event: IdempotencyEvent; readonly begunAt: number }
  | { readonly kind: 'replay'; readonly answer: Answer & { readonly body: string } }
  | InFlight
  | Refused<'key-reused' | 'subject-erased'>;

/** Somebody works on it. */
export interface InFlight {
  readonly kind: 'in-flight';
  /** Milliseconds after which it may be taken over. */
  readonly retryAfterMs: number;
}

export function decideBegin(state: KeyState, request: BeginRequest): BeginDecision {
  const { stream, subject, fingerprint, holder, holdMs, now } = request;
  if (fingerprint === undefined) return erased();
  const held_until = now + holdMs;
  const id = idFromKey('idempotency', stream, String(state.events));
  if (state.kind === 'free') {
    const data = { subject, fingerprint, holder, held_until };
    return {
      kind: 'run',
      event: { type: 'request-begun', id, occurredAt: now, data },
      begunAt: now,
    };
  }
  if (state.fingerprint !== fingerprint) {
    return refused('key-reused', 'this idempotency key was sent with another request before');
  }
  if (state.kind === 'answered') {
    const { answer } = state;
    const { body } = answer;
    return body === undefined ? erased() : { kind: 'replay', answer: { ...answer, body } };
  }
  if (now < state.heldUntil) return { kind: 'in-flight', retryAfterMs: state.heldUntil - now };
  return {
    kind: 'run',
    event: { type: 'request-resumed', id, occurredAt: now, data: { holder, held_until } },
    begunAt: state.begunAt,
  };
}

/** The identity of the one effect of a key in its present life. */
export function requestIdOf(stream: string, { life }: KeyState): string {
  return idFromKey('request', stream, String(life));
}

/** Whether all the key's events are old enough to be forgotten; `lastRecordedAt` is the time of the newest. */
export function decidePrune(
  state: KeyState,
  stream: string,
  lastRecordedAt: number,
  keptUntil: number,
  now: number,
): IdempotencyEvent | undefined {
  if (state.kind === 'free' || lastRecordedAt >= keptUntil) return undefined;
  const id = idFromKey('idempotency', stream, String(state.events));
  return { type: 'request-pruned', id, occurredAt: now, data: { kept_until: keptUntil } };
}

function erased(): Refused<'subject-erased'> {
  return refused('subject-erased', 'whom the stored answer was about was erased, and it with them');
}
