import { type Clock, idFromKey } from '@annals/core';
import { EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';
import type { PspHint } from '../psp/port.ts';
import type { PspRouting } from '../psp/routing.ts';
import { followHint, HintFilter, type ObserverMeans } from '../reactors/psp-hints.ts';
import { type MarkMeans, Marks } from './marks.ts';
import type { ScheduledStep } from './schedule.ts';

/** Up to which time the events of a provider were followed, as an event. */
const providerEventsFollowed = eventType({
  name: 'provider-events-followed',
  schemaVersion: 1,
  schema: z.strictObject({ psp: z.string(), until: z.int() }),
});

export const providerMarkEvents = new EventTypes([providerEventsFollowed]);
export const providerMarkCategory = 'pspevents';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** A buyer who gave a card waits for the shop: a webhook that is lost is made up for a minute later at most. */
export const providerEventsLimits = {
  everyMs: 45_000,
  /** After a provider that did not answer: doubled each time in a row, up to `laterMsMax`. */
  laterMs: minuteMs,
  laterMsMax: 5 * minuteMs,
  /** What happened so lately may still be told of by a webhook. */
  quietMs: 15_000,
  /** Between two marks: what happened since the last one is asked for again after a restart. */
  markEveryMs: 10 * minuteMs,
  /** What is asked for at once: a mark is put behind each. */
  windowMs: dayMs,
  /** How long Stripe keeps its events. */
  keptMs: 30 * dayMs,
  /** How far a provider's clock may be off: so much is asked for twice. */
  skewMs: 5 * minuteMs,
} as const;

export interface ProviderEventsMeans extends MarkMeans {
  readonly clock: Pick<Clock, 'now'>;
  readonly routing: Pick<PspRouting, 'names' | 'psp'>;
  readonly observer: ObserverMeans;
}

/**
 * Asks every provider what has happened since it was asked last, because a webhook may be lost: a dispute, or a payout that
 * the bank sends back, is nothing that anybody here waits for. What a webhook has brought already changes nothing.
 */
export function providerEventsStep(means: ProviderEventsMeans): ScheduledStep {
  const { everyMs } = providerEventsLimits;
  const followed = new HintFilter();
  const followers = means.routing.names.map((psp) => new Follower(means, psp, followed));
  return {
    ...{ name: 'provider-events', everyMs, laterMs: everyMs },
    run: async (signal) => {
      const faults: unknown[] = [];
      let all = true;
      for (const follower of followers) {
        // One that is broken is not in the way of the others.
        const came = await follower.followDue(signal).catch((error: unknown) => {
          faults.push(error);
          return 'later' as const;
        });
        if (came === 'later') all = false;
      }
      if (faults.length > 0) throw faults[0];
      return all ? 'done' : 'later';
    },
  };
}

/** `left`: not all could be followed. `silent`: the provider did not say what there is. */
type Came = 'done' | 'left' | 'silent';

/** How long a provider is left alone that did not answer so often in a row. */
function waitAfter(silences: number): number {
  const { laterMs, laterMsMax } = providerEventsLimits;
  return silences === 0 ? 0 : Math.min(laterMs * 2 ** (silences - 1), laterMsMax);
}

class Follower {
  readonly #means: ProviderEventsMeans;
  readonly #psp: string;
  readonly #followed: HintFilter;
  readonly #marks: Marks<typeof providerEventsFollowed>;
  /** Up to when this process has followed all: further than the mark, mostly. */
  #until = 0;
  /** How often in a row the provider did not answer, and when it is asked again. */
  #silences = 0;
  #dueAt = 0;

  constructor(means: ProviderEventsMeans, psp: string, followed: HintFilter) {
    this.#means = means;
    this.#psp = psp;
    this.#followed = followed;
    this.#marks = new Marks(means, providerMarkEvents, `${providerMarkCategory}-${psp}`);
  }

  /** `later`: some are left, and asked for again. A provider that does not answer is left alone for a while. */
  async followDue(signal: AbortSignal): Promise<'done' | 'later'> {
    const now = this.#means.clock.now();
    // A clock that was set back must not stop it for as long.
    this.#dueAt = Math.min(this.#dueAt, now + waitAfter(this.#silences));
    if (now < this.#dueAt) return 'later';
    const came = await this.#followAll(signal);
    this.#silences = came === 'silent' ? this.#silences + 1 : 0;
    this.#dueAt = this.#means.clock.now() + waitAfter(this.#silences);
    return came === 'done' ? 'done' : 'later';
  }

  async #followAll(signal: AbortSignal): Promise<Came> {
    const { quietMs, windowMs, keptMs, skewMs, markEveryMs } = providerEventsLimits;
    const until = this.#means.clock.now() - quietMs;
    const mark = await this.#marks.last();
    let marked = mark?.data.until ?? 0;
    let from = Math.max(marked, this.#until, until - keptMs);
    while (from < until) {
      const to = Math.min(from + windowMs, until);
      const came = await this.#followWindow(from - skewMs, to, signal);
      if (came !== 'done') return came;
      from = to;
      this.#until = to;
      if (to - marked < markEveryMs) continue;
      const { name: type } = providerEventsFollowed;
      const data = { psp: this.#psp, until: to };
      const id = idFromKey(type, this.#psp, String(to));
      await this.#marks.put({ type, id, occurredAt: this.#means.clock.now(), data });
      marked = to;
    }
    return 'done';
  }

  /** Throws what went wrong with one of them, after all the others were followed. */
  async #followWindow(from: number, to: number, signal: AbortSignal): Promise<Came> {
    const seen = new Map<string, boolean>();
    const faults: unknown[] = [];
    let all = true;
    for (let after: string | undefined; ; ) {
      if (signal.aborted) return 'left';
      const query = { from, to, ...(after === undefined ? {} : { after }) };
      const page = await this.#means.routing.psp(this.#psp)?.hints(query);
      if (page?.kind !== 'answered') return 'silent';
      for (const hint of page.value.hints) {
        if (signal.aborted) return 'left';
        if (!this.#followed.isNew(hint)) continue;
        // An object is fetched as it is now: once is enough, whatever has happened to it.
        const object = `${hint.object.kind} ${hint.object.id}`;
        if (seen.get(object)) this.#followed.remember(hint);
        if (seen.has(object)) continue;
        const isFollowed = await this.#follow(hint).catch((error: unknown) => {
          faults.push(error);
          return false;
        });
        seen.set(object, isFollowed);
        if (!isFollowed) all = false;
      }
      after = page.value.next;
      if (after === undefined) break;
    }
    if (faults.length > 0) throw faults[0];
    return all ? 'done' : 'left';
  }

  async #follow(hint: PspHint): Promise<boolean> {
    if ((await followHint(this.#means.observer, hint)) === 'later') return false;
    this.#followed.remember(hint);
    return true;
  }
}
