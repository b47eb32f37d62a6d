import type { SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { type Changed, changeAndLoad, loadStream, type StreamKind } from '../change.ts';
import type { checkoutEventTypes } from '../checkout-events.ts';
import { checkoutEvents } from '../events.ts';
import { decided } from '../outcome.ts';
import { checkoutStream } from '../streams.ts';
import {
  type DenyListChange,
  type DenyListEvent,
  type DenyListName,
  DenyListScreen,
  decideDenyList,
  denyListEvents,
  type denyListEventTypes,
  denyListStream,
} from './deny-list.ts';
import { type CheckoutOpened, type KnownCard, riskRequestsOf } from './risk-requests.ts';

export interface DenyListsMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
  /** Asks the provider which card a token stands for; undefined where it does not say. */
  readonly cardOf?: (opened: CheckoutOpened['data'], token: string) => Promise<string | undefined>;
}

/** What a checkout can tell: a seller is named by its account. */
export type ToldByCheckout = Exclude<DenyListName, 'seller'>;

/** Somebody was put on a list, or taken off it. */
export interface DenyListEntry {
  readonly what: 'listed' | 'lifted';
  readonly list: DenyListName;
  readonly valueHash: string;
  readonly reason: string;
  readonly decidedBy: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly revision: number;
}

const lists: StreamKind<DenyListScreen, (typeof denyListEventTypes)[number]> = {
  types: denyListEvents,
  evolve: (screen = new DenyListScreen(), event) => {
    screen.apply(event);
    return screen;
  },
};

/** The deny lists, as people keep them. Every process that assesses orders follows the stream. */
export class DenyLists {
  readonly #means: DenyListsMeans;

  constructor(means: DenyListsMeans) {
    this.#means = means;
  }

  /** What is so already stores nothing, and is `changed` all the same. */
  change(what: DenyListEntry['what'], change: DenyListChange): Promise<Changed<DenyListScreen>> {
    return changeAndLoad(this.#means, lists, denyListStream, ({ state = new DenyListScreen() }) => {
      const event = decideDenyList(state, what, change);
      return event ? decided<DenyListEvent>(event) : decided();
    });
  }

  /** The newest first, from `before` (a revision) on. */
  async entries(page: {
    readonly before?: number;
    readonly limit: number;
  }): Promise<readonly DenyListEntry[]> {
    const { before, limit } = page;
    if (before === 0) return [];
    const { log, cipher } = this.#means;
    const from = before === undefined ? {} : { from: before - 1 };
    const read = await log.readStream(denyListStream, { direction: 'backward', limit, ...from });
    const events = await denyListEvents.decode(read.events, cipher);
    return events.flatMap(({ type, data, occurredAt: at, revision }) => {
      const { list, value_hash: valueHash, reason, decided_by: decidedBy } = data;
      // The key of the lists was destroyed: nobody is on them any more.
      if (valueHash === undefined) return [];
      const what = type === 'deny-listed' ? 'listed' : 'lifted';
      return [{ what, list, valueHash, reason, decidedBy, at, revision }];
    });
  }

  /**
   * What a list would know the buyer of a checkout by. Undefined where nothing is known: there is no such checkout, its
   * buyer was erased, it says no country, or the provider does not say which card it was.
   */
  async valueOf(list: ToldByCheckout, checkoutId: string): Promise<string | undefined> {
    const { state: told } = await loadStream(this.#means, tellings, checkoutStream(checkoutId));
    if (!told?.opened) return undefined;
    const { opened } = told;
    if (list === 'card') return this.#cardOf(told, opened.data);
    // Whoever is asked about is the same with any card, and none is known before a page is filled in.
    const [request] = riskRequestsOf(opened, { fingerprint: checkoutId }) ?? [];
    return request?.[list];
  }

  async #cardOf({ card }: Telling, opened: CheckoutOpened['data']): Promise<string | undefined> {
    if (card || opened.method === undefined) return card?.fingerprint;
    return this.#means.cardOf?.(opened, opened.method);
  }
}

/** What the events of a checkout say of who pays. */
interface Telling {
  readonly opened?: CheckoutOpened;
  readonly card?: KnownCard;
}

const tellings: StreamKind<Telling, (typeof checkoutEventTypes)[number]> = {
  types: checkoutEvents,
  evolve: (told = {}, event) => {
    if (event.type === 'checkout-opened') return { ...told, opened: event };
    const fingerprint =
      event.type === 'card-identified' || event.type === 'payment-page-completed'
        ? event.data.fingerprint
        : undefined;
    return fingerprint === undefined ? told : { ...told, card: { fingerprint } };
  },
};
