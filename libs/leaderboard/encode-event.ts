import type { SubjectCipher } from '@annals/core';
import type { NewEvent } from '@annals/event-log';
import { leaderboardEvents } from './events.ts';

type EncodableEvent = Parameters<typeof leaderboardEvents.encode>[0][number];

/** One event as the log takes it. Only one that holds personal data comes to `subject-erased`. */
export async function encodeEvent(
  event: EncodableEvent,
  cipher: SubjectCipher,
): Promise<
  { readonly kind: 'encoded'; readonly event: NewEvent } | { readonly kind: 'subject-erased' }
> {
  const encoded = await leaderboardEvents.encode([event], cipher);
  const [one] = encoded.kind === 'encoded' ? encoded.events : [];
  return one ? { kind: 'encoded', event: one } : { kind: 'subject-erased' };
}
