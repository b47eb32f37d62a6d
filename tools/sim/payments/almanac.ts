import { InvariantError } from '../trace.ts';
import { dayMs, dayOf, startOf } from './days.ts';
import type { Fact } from './naive-market.ts';
import type { World } from './world.ts';

/** Our clocks may be off by so much when something falls due. */
const clockOffMsMax = 5 * 60_000;

/** How sellers are paid in seeds with a schedule: each by another one. */
export const schedules = [
  { payout_schedule: 'daily' },
  { payout_schedule: 'weekly', payout_day: 1 },
  // In November that is the 30th.
  { payout_schedule: 'monthly', payout_day: 31 },
] as const;
/** Days after a capture at which money becomes available, by seller; and how long their reserve is held. */
export const releaseAfterDays = [0, 1, 2] as const;
export const reserveDays = 1;

/** Days of months by hand: November has 30, December 31. */
const paidOn: { readonly [schedule: string]: (day: Date) => boolean } = {
  daily: () => true,
  weekly: (day) => day.getUTCDay() === 1,
  monthly: (day) => day.getUTCDate() === (day.getUTCMonth() === 10 ? 30 : 31),
};

/** Of what amounts are multiples at the providers. */
const stepsByHand: { readonly [currency: string]: bigint } = { KWD: 10n };

function must(holds: boolean, detail: string): void {
  if (!holds) throw new InvariantError('schedule', detail);
}

/** What falls due, by hand: on which days, once each, and not before its time. */
export class Almanac {
  readonly #world: World;
  readonly #sellers: readonly string[];

  constructor(world: World, sellers: readonly string[]) {
    this.#world = world;
    this.#sellers = sellers;
  }

  check(): void {
    const { facts, market } = this.#world.witness;
    const captured = new Map<string, number>();
    for (const fact of facts) {
      const { type, data, recordedAt } = fact;
      const order = `${data.checkout_id} ${data.payment_order_id}`;
      if (type === 'order-captured') captured.set(order, recordedAt);
      if (type === 'order-released' && data.because === 'days') {
        const seller = this.#sellers.indexOf(market.orders.get(order)?.seller ?? '');
        const waits = (releaseAfterDays[seller] ?? Number.POSITIVE_INFINITY) * dayMs;
        const due = (captured.get(order) ?? Number.POSITIVE_INFINITY) + waits;
        must(recordedAt > due - clockOffMsMax, `${order} was released before its day`);
      }
      if (type === 'payout-requested' && data.because === 'schedule') this.#payout(fact);
    }
    this.#marks();
  }

  /** The day it is for stands in its name: it is one of the seller, it has begun, and there is one payout for it at most. */
  #payout({ data, recordedAt }: Fact): void {
    const [seller, id] = [String(data.seller_account), String(data.payout_id)];
    const [day = ''] = /\d{4}-\d\d-\d\d/.exec(id) ?? [];
    const schedule = schedules[this.#sellers.indexOf(seller)]?.payout_schedule ?? '';
    const isPayday = paidOn[schedule]?.(new Date(startOf(day))) ?? false;
    must(isPayday, `${seller} is paid ${schedule}, and not on ${day}`);
    must(recordedAt > startOf(day) - clockOffMsMax, `${id} of ${seller} before its day`);
    must(recordedAt < startOf(day) + 31 * dayMs, `${id} of ${seller} long after its day`);
  }

  /** Days are worked off in their order, each once; those of payouts without a gap. */
  #marks(): void {
    const last = new Map<string, string>();
    for (const { type, data, recordedAt } of this.#world.witness.facts) {
      if (type !== 'day-worked-off') continue;
      const [work, day] = [String(data.work), String(data.day)];
      const before = last.get(work);
      last.set(work, day);
      // A day is reconciled when it is over, the others' work is done as it begins.
      const due = startOf(day) + (work === 'reconcile' ? dayMs : 0);
      must(recordedAt > due - clockOffMsMax, `${work} of ${day} before its time`);
      if (before === undefined) continue;
      const ahead = (startOf(day) - startOf(before)) / dayMs;
      must(ahead > 0, `${work} of ${day} after that of ${before}`);
      must(ahead === 1 || work === 'reserve', `${work} went from ${before} to ${day}`);
    }
  }

  /**
   * When a day has begun with everything at rest, who is paid daily was paid what can be paid, unless that has failed; or a payout
   * of a day before, which nobody knew the end of, came back after that: it is paid with the next day's.
   */
  checkDay(): void {
    const { witness, clock } = this.#world;
    const today = dayOf(clock.now());
    const [daily = ''] = this.#sellers;
    for (const [account, balance] of witness.market.balances) {
      const [name, currency] = account.split(' ');
      if (name !== `seller_available:${daily}`) continue;
      const paid = witness.market.payouts.get(`${daily} scheduled~${currency}~${today}`);
      const isPaid = -balance < (stepsByHand[currency ?? ''] ?? 1n);
      must(
        isPaid || paid?.state === 'failed' || this.#cameBackSince(today, daily, currency),
        `${daily} is paid daily, and ${-balance} ${currency} is left`,
      );
    }
  }

  /** Whether a payout of the seller has failed since those of the day were sent. */
  #cameBackSince(today: string, seller: string, currency: string | undefined): boolean {
    const { facts } = this.#world.witness;
    const sent = facts.findIndex(
      ({ type, data }) =>
        type === 'day-worked-off' && data.work === 'payouts' && data.day === today,
    );
    return facts.some(
      ({ type, data }, at) =>
        sent >= 0 &&
        at > sent &&
        type === 'payout-failed' &&
        data.seller_account === seller &&
        data.currency === currency,
    );
  }

  /** What is not worked off yet of today, or of yesterday, in words. */
  due(): readonly string[] {
    const { witness, clock } = this.#world;
    const dayBefore = (ms: number) => dayOf(clock.now() - ms);
    const days = { payouts: dayBefore(0), reserve: dayBefore(0), reconcile: dayBefore(dayMs) };
    return Object.entries(days).flatMap(([work, day]) => {
      const isDone = witness.facts.some(
        ({ type, data }) => type === 'day-worked-off' && data.work === work && data.day === day,
      );
      return isDone ? [] : [`${work} of ${day}`];
    });
  }
}
