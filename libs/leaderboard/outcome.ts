import {
  type AppendResult,
  encodeCheckpoint,
  isPassing,
  type PassingRefusal,
  type StoredEvent,
} from '@annals/event-log';

/** Every operation may come to these beside its own answers. */

/** Nothing was stored; the same may be asked again in a moment. */
export interface Overloaded {
  readonly kind: PassingRefusal;
}

/** It may or may not be stored: safe to ask again, and right to. */
export interface Unknown {
  readonly kind: 'unknown';
  readonly detail: string;
}

/** The read model did not come as far as the asked position in time. */
export interface Late {
  readonly kind: 'late';
}

export interface Refused<Reason extends string> {
  readonly kind: 'refused';
  /** Stable; part of the API. */
  readonly reason: Reason;
  /** A sentence for the caller. */
  readonly detail: string;
}

export function refused<Reason extends string>(reason: Reason, detail: string): Refused<Reason> {
  return { kind: 'refused', reason, detail };
}

/** The log refused an append in a way that the checks before it rule out: a bug. */
export class UnexpectedAppendResultError extends Error {
  readonly code = 'unexpected-append-result';
  constructor(stream: string, result: AppendResult) {
    const said = result.kind === 'refused' ? `${result.reason}: ${result.detail}` : result.kind;
    super(`an append to ${stream} was answered with ${said}`);
    this.name = 'UnexpectedAppendResultError';
  }
}

/** What an append that is not stored comes to, where only load and broken connections may be in the way. */
export function notStored(
  stream: string,
  result: Exclude<AppendResult, { kind: 'stored' }>,
): Overloaded | Unknown {
  if (result.kind === 'unknown') return result;
  if (result.kind === 'refused' && isPassing(result.reason)) return { kind: result.reason };
  throw new UnexpectedAppendResultError(stream, result);
}

/** Where a read sees what was stored, as text. */
export function positionOf({
  partition,
  position,
}: Pick<StoredEvent, 'partition' | 'position'>): string {
  return encodeCheckpoint({ [partition]: position });
}
