import { EventLogError, type Revision } from '@annals/event-log/port';
import {
  AccessDeniedError,
  type EventData,
  type EventStoreDBClient,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';

export type Sent =
  /** It is stored, by this or an earlier sending of the same. */
  | { readonly kind: 'stored' }
  /** Somebody else has appended to the stream: nothing is stored. */
  | { readonly kind: 'overtaken' }
  | { readonly kind: 'too-large' }
  /** It may be stored, or still arrive. */
  | { readonly kind: 'in-doubt'; readonly detail: string };

/**
 * Sends one append at an exact revision, which makes a resend of the same ids at the same place a
 * success. The client's own promise may never settle when its stream breaks: after `msMax` it is in doubt, and
 * `onAnswered` is called when the client says something of it. Throws
 * EventLogError for what no resend can mend.
 */
export async function sendAppend(
  client: EventStoreDBClient,
  stream: string,
  events: EventData[],
  head: Revision | 'no-stream',
  msMax: number,
  onAnswered: () => void = () => undefined,
): Promise<Sent> {
  const expectedRevision = head === 'no-stream' ? 'no_stream' : BigInt(head);
  const timeout = Promise.withResolvers<Sent>();
  const detail = `no answer within ${Math.ceil(msMax)} ms`;
  const timer = setTimeout(() => timeout.resolve({ kind: 'in-doubt', detail }), msMax);
  try {
    const options = { expectedRevision, deadline: msMax } as const;
    const answered = client.appendToStream(stream, events, options).then(
      (): Sent => ({ kind: 'stored' }),
      (error: unknown) => sentOf(stream, error),
    );
    // A failure after the timeout is nobody's any more.
    answered.catch(() => undefined).finally(onAnswered);
    return await Promise.race([answered, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function sentOf(stream: string, error: unknown): Sent {
  if (error instanceof WrongExpectedVersionError) return { kind: 'overtaken' };
  if (error instanceof MaxAppendSizeExceededError) return { kind: 'too-large' };
  if (error instanceof StreamDeletedError) {
    throw new EventLogError('corrupt', `${stream} was deleted on the server`, { cause: error });
  }
  if (error instanceof AccessDeniedError) {
    const message = `the server does not let this user append to ${stream}`;
    throw new EventLogError('refused', message, { cause: error });
  }
  return { kind: 'in-doubt', detail: error instanceof Error ? error.message : String(error) };
}
