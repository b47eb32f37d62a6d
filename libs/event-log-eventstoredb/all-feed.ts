import { setTimeout as delay } from 'node:timers/promises';
import {
  type AllStreamSubscription,
  type EventStoreDBClient,
  type Position,
  type ResolvedEvent,
  streamNameFilter,
} from '@eventstore/db-client';
import { type FollowedEvent, followedEvent } from './event-envelope.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import { FollowError } from './follow-error.ts';
import type { LogIndex } from './log-index.ts';

export interface FeedOptions {
  readonly client: EventStoreDBClient;
  readonly index: LogIndex;
  readonly prefix: string;
  /** Events were stored in the index. */
  readonly onApplied: (events: readonly FollowedEvent[]) => void;
  /** All that was there has been stored. */
  readonly onCaughtUp: () => void;
  /** It is over: the server does not hold what it should, or the index cannot be written. */
  readonly onFailed: (error: Error) => void;
  /** The connection was lost; the feed goes on by itself. */
  readonly onLost: (error: Error) => void;
}

/**
 * Follows `$all` into the index through a filter of the server, and begins again where the index ends
 * whenever the subscription breaks.
 */
export class AllFeed {
  readonly #options: FeedOptions;
  readonly #stop = new AbortController();
  #subscription: AllStreamSubscription | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  start(): void {
    this.#done = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#subscription?.unsubscribe().catch(() => undefined);
    await this.#done;
  }

  async #run(): Promise<void> {
    let pauseMs: number = limits.pauseMsMin;
    while (!this.#stop.signal.aborted) {
      const before = this.#options.index.progress.place;
      try {
        await mustBeSameDatabase(this.#options.client, this.#options.index);
        await this.#follow();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!isTransient(error)) return this.#options.onFailed(error as Error);
        this.#options.onLost(error as Error);
      }
      // Where it got on, it was not a server that is away.
      const moved = this.#options.index.progress.place > before;
      pauseMs = moved ? limits.pauseMsMin : Math.min(pauseMs * 2, limits.pauseMsMax);
      await delay(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  /** Until the subscription ends. Throws what ended it. */
  #follow(): Promise<void> {
    const { client, index, prefix } = this.#options;
    const { place } = index.progress;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const intake = new Intake(this.#options, reject);
    const window = {
      maxSearchWindow: limits.searchWindowEvents,
      checkpointReached: async (from: AllStreamSubscription, { commit }: Position) => {
        intake.said(from, { kind: 'passed', place: Number(commit) });
      },
    };
    // Without a prefix, all but what the server writes for itself.
    const filter =
      prefix === ''
        ? streamNameFilter({ regex: '^[^$]', ...window })
        : streamNameFilter({ prefixes: [prefix], ...window });
    const from = BigInt(Math.max(place, 0));
    const subscription = client.subscribeToAll({
      fromPosition: place < 0 ? 'start' : { commit: from, prepare: from },
      filter,
    });
    this.#subscription = subscription;
    subscription.on('caughtUp', () => intake.said(subscription, { kind: 'caught-up' }));
    subscription.on('data', (resolved: ResolvedEvent) => intake.take(resolved, subscription));
    subscription.on('error', reject);
    subscription.on('end', resolve);
    subscription.on('close', resolve);
    // A subscription that is cancelled here tells nobody.
    this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    return promise.finally(() => {
      intake.end();
      // Errors of a stream that is not listened to any more would end the process.
      subscription.on('error', () => undefined);
      return subscription.unsubscribe().catch(() => undefined);
    });
  }
}

type Said = { readonly kind: 'caught-up' } | { readonly kind: 'passed'; readonly place: number };

/**
 * Stores what arrives, many events in one transaction. What the server says between two events is heard
 * before the events in the client's buffer are given out, so it counts once those are stored.
 */
class Intake {
  readonly #options: FeedOptions;
  readonly #fail: (error: unknown) => void;
  readonly #said: { readonly behind: number; readonly what: Said }[] = [];
  readonly #waiting: FollowedEvent[] = [];
  #received = 0;
  #applied = 0;
  #scheduled = false;
  #ended = false;

  constructor(options: FeedOptions, fail: (error: unknown) => void) {
    this.#options = options;
    this.#fail = fail;
  }

  take(resolved: ResolvedEvent, subscription: AllStreamSubscription): void {
    this.#received += 1;
    const event = followedEvent(resolved);
    if (event) this.#waiting.push(event);
    if (this.#waiting.length >= limits.heldEventsMax) subscription.pause();
    this.#schedule(subscription);
  }

  said(subscription: AllStreamSubscription, what: Said): void {
    this.#said.push({ behind: this.#received + subscription.readableLength, what });
    this.#schedule(subscription);
  }

  end(): void {
    this.#ended = true;
  }

  #schedule(subscription: AllStreamSubscription): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#ended) return;
      try {
        this.#apply();
        subscription.resume();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #apply(): void {
    const { index, onApplied, onCaughtUp } = this.#options;
    const events = this.#waiting.splice(0, wholeAppends(this.#waiting));
    if (events.length > 0) {
      index.apply(events);
      onApplied(events);
    }
    this.#applied = this.#received - this.#waiting.length;
    while (this.#said[0] && this.#said[0].behind <= this.#applied) {
      const { what } = this.#said.shift() ?? { what: { kind: 'caught-up' } };
      if (what.kind === 'passed') index.passed(what.place);
      else onCaughtUp();
    }
  }
}

/** How many of the events belong to appends that have arrived whole: nobody may read half of one. */
export function wholeAppends(events: readonly FollowedEvent[]): number {
  let whole = 0;
  while (whole < events.length) {
    const next = whole + (events[whole]?.ours?.head?.events ?? 1);
    if (next > events.length) break;
    whole = next;
  }
  return whole;
}

/** The last event of the index must stand where it stood. Throws FollowError. */
async function mustBeSameDatabase(client: EventStoreDBClient, index: LogIndex): Promise<void> {
  const { last } = index.progress;
  if (!last) return;
  const at = BigInt(last.place);
  const read = client.readAll({ fromPosition: { commit: at, prepare: at }, maxCount: 1 });
  let found: string | undefined;
  for await (const { event } of read) found = event?.id;
  if (found === last.id) return;
  throw new FollowError(
    'other-database',
    `the server has ${found === undefined ? 'nothing' : 'another event'} at position ${last.place}, where the index read ${last.id}: ` +
      'it is another database, or one that was restored. To follow what is there now, remove the index',
  );
}

/** Errors of the connection pass by themselves; those of the index do not. */
function isTransient(error: unknown): boolean {
  return error instanceof Error && error.name !== 'FollowError' && error.name !== 'EventLogError';
}
