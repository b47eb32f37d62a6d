import { idFromKey, type SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { paymentsEvents, type RecordedPaymentsEvent } from '../events.ts';
import { type Refused, refused } from '../outcome.ts';
import {
  callRetryRequested,
  deadLetterCategory,
  deadLetterEvents,
  deadLetterStream,
} from './dead-letter-events.ts';
import { payoutStillAsked, stillAsked } from './payments-outcomes.ts';
import { NotAppendedError, paymentsFolds } from './stream-folds.ts';

/** A call that nobody could bring to an end, as it stands now. */
export interface DeadCall {
  readonly key: string;
  readonly stream: string;
  readonly revision: number;
  readonly call: string;
  readonly psp: string;
  readonly reason: string;
  readonly detail: string;
  readonly tries: readonly {
    readonly at: number;
    readonly what: 'call' | 'look';
    readonly came: string;
  }[];
  readonly buriedAt: number;
  /** It was asked to be tried again since. */
  readonly retried: boolean;
}

export interface DeadLetterMeans {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
}

/**
 * The dead letters of all calls, the oldest first; reads their streams from the beginning. One that was tried again and has
 * come to something is none any more.
 */
export async function listDeadCalls({
  log,
  cipher,
}: DeadLetterMeans): Promise<readonly DeadCall[]> {
  const calls = new Map<string, DeadCall>();
  let checkpoint: Parameters<EventLog['read']>[0] = 'start';
  for (;;) {
    const page = await log.read(checkpoint, { categories: [deadLetterCategory] });
    for (const event of await deadLetterEvents.decode(page.events, cipher)) {
      const known = calls.get(event.data.key);
      if (event.type === 'call-dead-lettered') {
        calls.set(event.data.key, { ...event.data, buriedAt: event.recordedAt, retried: false });
      } else if (known) {
        calls.set(event.data.key, { ...known, retried: true });
      }
    }
    if (page.end) break;
    checkpoint = page.checkpoint;
  }
  const dead: DeadCall[] = [];
  for (const call of calls.values()) {
    if (!call.retried || (await isStillAsked({ log, cipher }, call))) dead.push(call);
  }
  return dead;
}

/** Whether the outcome of a call is still to come, as the stream that asked for it says. */
async function isStillAsked(
  { log, cipher }: DeadLetterMeans,
  { stream, revision }: DeadCall,
): Promise<boolean> {
  const { events } = await log.readStream(stream, { from: revision, limit: 1 });
  const [asked] = (await paymentsEvents.decode(events, cipher)) as RecordedPaymentsEvent[];
  if (!asked) return true;
  const { checkouts, sellers } = paymentsFolds(log, cipher);
  if (asked.type === 'payout-requested') {
    return payoutStillAsked((await sellers.load(stream)).state, asked);
  }
  return stillAsked((await checkouts.load(stream)).state, asked);
}

/** Asks for one more try. It is looked for first, and the key stays what it was. */
export async function retryDeadCall(
  { log, cipher }: DeadLetterMeans,
  {
    key,
    requestedBy,
    at,
  }: { readonly key: string; readonly requestedBy: string; readonly at: number },
): Promise<{ readonly kind: 'requested' } | Refused<'unknown-call' | 'under-way'>> {
  const name = deadLetterStream(key);
  const { events, head } = await log.readStream(name, { direction: 'backward', limit: 1 });
  const [last] = await deadLetterEvents.decode(events, cipher);
  if (!last) return refused('unknown-call', `there is no dead letter ${key}`);
  if (last.type !== 'call-dead-lettered') {
    return refused('under-way', `${key} was asked to be tried again already`);
  }
  const { stream, revision } = last.data;
  const encoded = await deadLetterEvents.encode(
    [
      {
        type: callRetryRequested.name,
        id: idFromKey(callRetryRequested.name, key, String(head)),
        occurredAt: at,
        data: { key, stream, revision, requested_by: requestedBy },
      },
    ],
    cipher,
  );
  if (encoded.kind !== 'encoded') throw new TypeError('a retry names a subject');
  const result = await log.append(name, encoded.events, { expected: head });
  if (result.kind === 'stored') return { kind: 'requested' };
  throw new NotAppendedError(name, result.kind);
}
