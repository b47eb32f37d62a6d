import { sha256 } from '@annals/core';
import { type DomainEvent, EventTypes, eventType, type RecordedEvent } from '@annals/event-log';
import { z } from 'zod';

/**
 * The stored formats of requests that have one effect and one answer however often they are sent: version them
 * with care. One stream for each caller and key. Times are milliseconds since 1970.
 */

export const idempotencyCategory = 'idempotency';

/** The stream of one key of one caller. Neither can be read from its name. */
export function idempotencyStream(caller: string, key: string): string {
  return `${idempotencyCategory}-${sha256(`${caller.length}:${caller}${key}`)}`;
}

/** The key is bound to a request, and a process works on it until `held_until`. */
export const requestBegun = eventType({
  name: 'request-begun',
  schemaVersion: 1,
  schema: z.strictObject({
    /** Whose key seals the answer: the buyer or seller the request is about. */
    subject: z.string(),
    /** Keyed hash of what was asked: equal for equal requests, and tells nothing without the subject's key. */
    fingerprint: z.string(),
    /** Which process. */
    holder: z.string(),
    held_until: z.int(),
  }),
});

/** Another process goes on with a request whose holder was not heard of in time. */
export const requestResumed = eventType({
  name: 'request-resumed',
  schemaVersion: 1,
  schema: z.strictObject({ holder: z.string(), held_until: z.int() }),
});

/** What is answered from now on, byte for byte. */
export const requestAnswered = eventType({
  name: 'request-answered',
  schemaVersion: 1,
  schema: z.strictObject({
    subject: z.string(),
    status: z.int().min(100).max(599),
    content_type: z.string(),
    body: z.string(),
  }),
  personal: { subject: ({ subject }) => subject, fields: ['body'] },
});

/**
 * The holder gave up without an answer that is kept. `none`: surely nothing was done, and the key is free for any
 * request. `unknown`: something may have been done, so only the same request may go on with it.
 */
export const requestReleased = eventType({
  name: 'request-released',
  schemaVersion: 1,
  schema: z.strictObject({ effect: z.enum(['none', 'unknown']) }),
});

/** The key was kept long enough: from now on it is a new one. */
export const requestPruned = eventType({
  name: 'request-pruned',
  schemaVersion: 1,
  schema: z.strictObject({ kept_until: z.int() }),
});

export type IdempotencyEventType =
  | typeof requestBegun
  | typeof requestResumed
  | typeof requestAnswered
  | typeof requestReleased
  | typeof requestPruned;

export const idempotencyEvents = new EventTypes<IdempotencyEventType>([
  requestBegun,
  requestResumed,
  requestAnswered,
  requestReleased,
  requestPruned,
]);

export type IdempotencyEvent = DomainEvent<IdempotencyEventType>;
export type RecordedIdempotencyEvent = RecordedEvent<IdempotencyEventType>;
