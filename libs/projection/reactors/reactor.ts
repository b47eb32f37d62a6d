import type { JsonObject, SubjectCipher } from '@annals/core';
import type { StoredEvent } from '@annals/event-log';
import type { AnyRecordedEvent } from '../projection.ts';

/** What became of one attempt at an effect, as far as the performer surely knows. */
export type Performed =
  | { readonly kind: 'done'; readonly result: JsonObject }
  /** Surely not done, and worth another attempt. */
  | { readonly kind: 'retry'; readonly reason: string }
  /** Surely not done, and no attempt will do it: recorded, and never attempted again. */
  | { readonly kind: 'failed'; readonly reason: string };

/** What the other side knows of an effect that may or may not have been done. */
export type LookedUp =
  | { readonly kind: 'done'; readonly result: JsonObject }
  | { readonly kind: 'not-done' }
  /** The other side can't tell yet: asked again later. */
  | { readonly kind: 'unclear'; readonly reason: string };

export interface EffectCall {
  /** The same for every attempt, on every process: the key of idempotence to give to the other side. */
  readonly effectId: string;
  readonly event: AnyRecordedEvent;
  readonly signal: AbortSignal;
}

/**
 * Does one side effect for an event: calls a payment provider, sends a mail, pushes a message.
 * Its whole progress is events in the log, so it is never part of a rebuild: replaying sends nothing.
 */
export interface Reactor {
  /** Lower-case words joined by `-`. */
  readonly name: string;
  readonly categories: readonly string[];
  /** The types of events that it may want, so that nothing else is read for it; all unless told. */
  readonly types?: readonly string[];
  /** Effects under way at once, over all streams; within a stream there is one at a time. */
  readonly concurrencyMax: number;
  /** How long after its intent an effect may still be started (milliseconds); a later process looks it up instead. */
  readonly callWithinMs: number;
  decode(
    events: readonly StoredEvent[],
    cipher: SubjectCipher,
  ): Promise<readonly AnyRecordedEvent[]>;
  /** Whether this event calls for the effect. Pure. */
  wants(event: AnyRecordedEvent): boolean;
  /** An error thrown here means the outcome is unknown: the effect is looked up before anything else. */
  perform(call: EffectCall): Promise<Performed>;
  /**
   * Asks the other side what became of an effect. `repeats`: there is no other side, the effect only decides anew on what
   * the log holds, so it may be performed at any time again, also after it was done and by two processes at once. Then
   * neither its intent nor its end is written, only how far all is done (decision 034).
   */
  readonly lookUp: 'repeats' | ((call: EffectCall) => Promise<LookedUp>);
}
