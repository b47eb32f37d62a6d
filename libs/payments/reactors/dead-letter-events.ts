import { EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';

/**
 * Calls that nobody could bring to an end, each in a stream of its own: what was tried, and that somebody wants it
 * tried again. The event that asked for the call is named, not copied: it may hold personal data.
 */
export const deadLetterCategory = 'deadcall';

export function deadLetterStream(key: string): string {
  return `${deadLetterCategory}-${key}`;
}

const asked = {
  /** The id of the event that asked for the call, and its key. */
  key: z.string(),
  stream: z.string(),
  revision: z.int().nonnegative(),
};

export const callDeadLettered = eventType({
  name: 'call-dead-lettered',
  schemaVersion: 1,
  schema: z.strictObject({
    ...asked,
    call: z.string(),
    psp: z.string(),
    /** `ambiguous`, `too_long`, `unknown_provider`, `fault`, `refused`, or `contradiction`. */
    reason: z.string(),
    detail: z.string(),
    tries: z.array(
      z.strictObject({ at: z.int(), what: z.enum(['call', 'look']), came: z.string() }),
    ),
  }),
});

export const callRetryRequested = eventType({
  name: 'call-retry-requested',
  schemaVersion: 1,
  schema: z.strictObject({ ...asked, requested_by: z.string() }),
});

export const deadLetterEvents = new EventTypes([callDeadLettered, callRetryRequested]);
