import type { Clock } from '@annals/core';

/** When a command was given: a request that is run again gives the time it was begun at. The clock's unless told. */
export interface At {
  readonly at?: number;
}

export interface CallMeans {
  readonly clock: Pick<Clock, 'now'>;
  /** How long after it was asked for a call to a provider may still be made, in milliseconds. */
  readonly callMsMax: number;
}

export function givenAt({ at }: At, clock: Pick<Clock, 'now'>): number {
  return at ?? clock.now();
}

/** When a command was given that a provider is called for, and until when that may be done. */
export function calledAt(
  command: At,
  { clock, callMsMax }: CallMeans,
): { readonly at: number; readonly callBefore: number } {
  const at = givenAt(command, clock);
  // Counted from now: a request that goes on after a crash may still be carried out.
  return { at, callBefore: clock.now() + callMsMax };
}
