import type { Clock, SubjectCipher } from '@annals/core';
import { categoryOf, type EventLog } from '@annals/event-log';
import { checkoutEvents, type RecordedPaymentsEvent } from '../events.ts';
import { checkoutCategory } from '../streams.ts';
import { type AmountLimit, amountScreen } from './amount-limits.ts';
import type { CardLookup } from './card-lookup.ts';
import { DenyListScreen, denyListEvents, denyListStream } from './deny-list.ts';
import { type ExternalScreenOptions, externalScreen } from './external.ts';
import { allScreens, type RiskRequest, type RiskScreen } from './port.ts';
import { type KnownCard, riskRequestsOf } from './risk-requests.ts';
import { SanctionsList, sanctionsScreen } from './sanctions.ts';
import { type VelocityRule, VelocityScreen } from './velocity.ts';

/** Which screens look at an order. The deny list always does: it is in the log. */
export interface RiskRules {
  readonly amounts?: readonly AmountLimit[];
  readonly velocity?: readonly VelocityRule[];
  /** Names of a sanctions list, as it is published. */
  readonly sanctions?: readonly string[];
  readonly external?: readonly ExternalScreenOptions[];
  /** How providers are asked which card a token stands for, where one of the rules looks at cards. */
  readonly card?: CardLookup;
}

export const openRiskLimits = {
  /** Checkouts that are read back, so that velocity counts on after a restart. */
  checkoutsBackMax: 200_000,
  pageEvents: 500,
} as const;

export interface OpenRiskMeans {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly rules: RiskRules;
  readonly onTrouble: (detail: string) => void;
}

/** The screens of these rules, with what the log says: who is on the deny list, and who bought how much lately. */
export async function openRisk(means: OpenRiskMeans): Promise<RiskScreen> {
  const { amounts, velocity, sanctions, external = [] } = means.rules;
  const screens: RiskScreen[] = [await followDenyList(means)];
  if (velocity?.length) screens.push(await recentOrders(means, velocity));
  if (amounts) screens.push(amountScreen(amounts));
  if (sanctions) screens.push(sanctionsScreen(new SanctionsList(sanctions)));
  return allScreens([...screens, ...external.map(externalScreen)]);
}

/** Ready when it has seen all that is there now; follows it until the signal is aborted. */
async function followDenyList(means: OpenRiskMeans): Promise<DenyListScreen> {
  const { signal, clock, onTrouble } = means;
  const screen = new DenyListScreen();
  const caughtUp = Promise.withResolvers<void>();
  const follow = async () => {
    while (!signal.aborted) {
      try {
        await readDenyList(means, screen, () => caughtUp.resolve());
        return;
      } catch (error) {
        onTrouble(`the deny list cannot be read: ${String(error)}`);
        await clock.sleep(retryAfterMs, signal);
      }
    }
  };
  void follow().finally(() => caughtUp.resolve());
  await caughtUp.promise;
  return screen;
}

const retryAfterMs = 1_000;

/** Entries may be applied again: the fold of the list is the same. */
async function readDenyList(
  { log, cipher, signal }: OpenRiskMeans,
  screen: DenyListScreen,
  onCaughtUp: () => void,
): Promise<void> {
  const filter = { categories: [categoryOf(denyListStream)] };
  for await (const delivery of log.subscribe({}, filter, { signal })) {
    if (delivery.kind === 'caught-up') onCaughtUp();
    else {
      const own = delivery.events.filter(({ stream }) => stream === denyListStream);
      for (const event of await denyListEvents.decode(own, cipher)) screen.apply(event);
    }
  }
}

/** Reads back as far as the longest window of the rules, so that a restart forgets nobody. */
async function recentOrders(
  { log, cipher, clock, signal }: OpenRiskMeans,
  rules: readonly VelocityRule[],
): Promise<VelocityScreen> {
  const screen = new VelocityScreen(rules);
  const since = clock.now() - Math.max(...rules.map(({ windowMs }) => windowMs));
  const { checkoutsBackMax, pageEvents: limit } = openRiskLimits;
  const filter = { categories: [checkoutCategory], types: recentTypes };
  const recentCards = new RecentCards();
  let from: Parameters<EventLog['read']>[0] = 'end';
  for (let read = 0; read < checkoutsBackMax && !signal.aborted; read += limit) {
    const page = await log.read(from, filter, { direction: 'backward', limit });
    const recent = page.events.filter(({ recordedAt }) => recordedAt >= since);
    for (const event of await checkoutEvents.decode(recent, cipher)) recentCards.add(event);
    // Between partitions there is no order: only a page that is old as a whole is the end.
    if (page.end || (page.events.length > 0 && recent.length === 0)) break;
    from = page.checkpoint;
  }
  for (const stream of recentCards.givenToOlder) {
    const { events } = await log.readStream(stream, { limit: 1 });
    for (const event of await checkoutEvents.decode(events, cipher)) recentCards.add(event);
  }
  for (const one of recentCards.requests()) screen.observe(one);
  return screen;
}

const recentTypes = ['checkout-opened', 'card-identified', 'payment-page-completed'];

/** What was asked about orders, out of events that come the newest first. */
class RecentCards {
  readonly #cards = new Map<string, KnownCard>();
  readonly #pages = new Set<string>();
  readonly #requests: RiskRequest[] = [];

  add(event: RecordedPaymentsEvent): void {
    const { stream, type, data, recordedAt: at } = event;
    if (type === 'checkout-opened') {
      this.#pages.delete(stream);
      this.#requests.push(...(riskRequestsOf(event, this.#cards.get(stream)) ?? []));
    } else if (type === 'card-identified' && data.fingerprint !== undefined) {
      this.#cards.set(stream, { fingerprint: data.fingerprint });
    } else if (type === 'payment-page-completed' && data.method !== undefined) {
      this.#cards.set(stream, { fingerprint: data.fingerprint ?? data.method, at });
      this.#pages.add(stream);
    }
  }

  /** Streams whose card was given lately, and which are older themselves. */
  get givenToOlder(): ReadonlySet<string> {
    return new Set(this.#pages);
  }

  /** The oldest first, as they came. */
  requests(): readonly RiskRequest[] {
    return this.#requests.toSorted((a, b) => a.at - b.at);
  }
}
