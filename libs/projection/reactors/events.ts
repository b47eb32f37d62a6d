import { idFromKey } from '@annals/core';
import { type DomainEvent, EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';
import type { Performed } from './reactor.ts';

/** The stream that holds all progress of one reactor. */
export function reactorStream(name: string): string {
  return `reactor-${name}`;
}

const openEffect = z.strictObject({
  effect_id: z.uuid(),
  stream: z.string(),
  revision: z.int().nonnegative(),
  partition: z.int().nonnegative(),
  position: z.string(),
  /** Milliseconds since 1970: after this the holder of the intent no longer starts the call. */
  call_before: z.int(),
  /** `settled` = its result is recorded, but an earlier event's is not. */
  state: z.enum(['intended', 'settled']),
});
export type OpenEffect = z.output<typeof openEffect>;

/**
 * Who wrote it. Ids are made from what is natural, so two processes write the same ids; that their content
 * differs is what tells the log, and them, that they are two.
 */
const run = z.string().min(1);

/**
 * An event that the checkpoint covers, and where it stood. A copied log holds the same event at another
 * position: then no position written into this stream means anything any more.
 */
const anchor = z
  .strictObject({
    stream: z.string(),
    revision: z.int().nonnegative(),
    partition: z.int().nonnegative(),
    position: z.string(),
  })
  .nullable();
export type Anchor = z.output<typeof anchor>;

export const reactorStarted = eventType({
  name: 'reactor-started',
  schemaVersion: 1,
  schema: z.strictObject({ reactor: z.string(), from: z.string(), anchor, run }),
});

export const effectIntended = eventType({
  name: 'effect-intended',
  schemaVersion: 1,
  schema: openEffect.omit({ state: true }).extend({ run }),
});

export const effectDone = eventType({
  name: 'effect-done',
  schemaVersion: 1,
  schema: z.strictObject({ effect_id: z.uuid(), result: z.record(z.string(), z.json()) }),
});

export const effectFailed = eventType({
  name: 'effect-failed',
  schemaVersion: 1,
  schema: z.strictObject({ effect_id: z.uuid(), reason: z.string() }),
});

/** Everything up to `checkpoint` is settled; `open` names what is under way or settled beyond it. */
export const reactorProgressed = eventType({
  name: 'reactor-progressed',
  schemaVersion: 1,
  schema: z.strictObject({ checkpoint: z.string(), open: z.array(openEffect), anchor, run }),
});

const reactorEvents = [
  reactorStarted,
  effectIntended,
  effectDone,
  effectFailed,
  reactorProgressed,
] as const;

export type ReactorEventType = (typeof reactorEvents)[number];
export const reactorEventTypes = new EventTypes<ReactorEventType>(reactorEvents);

/** What an effect came to, as its reactor's stream keeps it. */
export function settledEvent(
  effectId: string,
  outcome: Extract<Performed, { kind: 'done' | 'failed' }>,
  occurredAt: number,
): DomainEvent<ReactorEventType> {
  const envelope = { id: idFromKey('effect-settled', effectId), occurredAt };
  if (outcome.kind === 'failed') {
    const data = { effect_id: effectId, reason: outcome.reason };
    return { ...envelope, type: 'effect-failed', data };
  }
  const result = JSON.parse(JSON.stringify(outcome.result));
  return { ...envelope, type: 'effect-done', data: { effect_id: effectId, result } };
}
