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

export const providerEventsLimits = {
  everyMs: 10 * minuteMs,
  /** After a provider that did not answer. */
  laterMs: minuteMs,
  /** What happened so lately may still be told of by a webhook. */
  quietMs: minuteMs,
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
  const { everyMs, laterMs } = providerEventsLimits;
  const followed = new HintFilter();
  return {
    ...{ name: 'provider-events', everyMs, laterMs },
    run: async (signal) => {
      let all = true;
      for (const psp of means.routing.names) {
        if (!(await new Follower(means, psp, followed).followAll(signal))) all = false;
      }
      return all ? 'done' : 'later';
    },
  };
}

class Follower {
  readonly #means: ProviderEventsMeans;
  readonly #psp: string;
  readonly #followed: HintFilter;
  readonly #marks: Marks<typeof providerEventsFollowed>;

  constructor(means: ProviderEventsMeans, psp: string, followed: HintFilter) {
    this.#means = means;
    this.#psp = psp;
    this.#followed = followed;
    this.#marks = new Marks(means, providerMarkEvents, `${providerMarkCategory}-${psp}`);
  }

  /** False where some are left: then they are asked for again. */
  async followAll(signal: AbortSignal): Promise<boolean> {
    const { quietMs, windowMs, keptMs, skewMs } = providerEventsLimits;
    const until = this.#means.clock.now() - quietMs;
    const mark = await this.#marks.last();
    let from = Math.max(mark?.data.until ?? 0, until - keptMs);
    while (from < until) {
      const to = Math.min(from + windowMs, until);
      if (!(await this.#followWindow(from - skewMs, to, signal))) return false;
      const { name: type } = providerEventsFollowed;
      const data = { psp: this.#psp, until: to };
      const id = idFromKey(type, this.#psp, String(to));
      await this.#marks.put({ type, id, occurredAt: this.#means.clock.now(), data });
      from = to;
    }
    return true;
  }

  /** Throws what went wrong with one of them, after all the others were followed. */
  async #followWindow(from: number, to: number, signal: AbortSignal): Promise<boolean> {
    const seen = new Set<string>();
    const faults: unknown[] = [];
    let all = true;
    for (let after: string | undefined; ; ) {
      if (signal.aborted) return false;
      const query = { from, to, ...(after === undefined ? {} : { after }) };
      const page = await this.#means.routing.psp(this.#psp)?.hints(query);
      if (page?.kind !== 'answered') return false;
      for (const hint of page.value.hints) {
        if (signal.aborted) return false;
        // An object is fetched as it is now: once is enough, whatever has happened to it.
        const object = `${hint.object.kind} ${hint.object.id}`;
        if (seen.has(object) || !this.#followed.isNew(hint)) continue;
        seen.add(object);
        const isFollowed = await this.#follow(hint).catch((error: unknown) => {
          faults.push(error);
          return false;
        });
        if (!isFollowed) all = false;
      }
      after = page.value.next;
      if (after === undefined) break;
    }
    if (faults.length > 0) throw faults[0];
    return all;
  }

  async #follow(hint: PspHint): Promise<boolean> {
    if ((await followHint(this.#means.observer, hint)) === 'later') return false;
    this.#followed.remember(hint);
    return true;
  }
}
