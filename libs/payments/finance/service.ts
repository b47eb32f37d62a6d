import { type Clock, idFromKey, type SubjectCipher } from '@annals/core';
import type { Checkpoint, EventLog } from '@annals/event-log';
import { type Changed, changeAndLoad, loadStream } from '../change.ts';
import { paymentsEvents } from '../events.ts';
import { journalOf, sellerOfAccount } from '../journal.ts';
import { type Decided, type Refused, refused } from '../outcome.ts';
import { sellerStream } from '../streams.ts';
import {
  approveFinance,
  askFinance,
  entryProblem,
  expireFinance,
  refuseRelease,
  rejectFinance,
} from './decide.ts';
import {
  type FinanceAsks,
  type FinanceEvent,
  financeCategory,
  financeEvents,
  financeStream,
  type ManualEntry,
} from './events.ts';
import { financeLimits } from './limits.ts';
import { evolveFinance, type FinanceRequest, type FinanceState, financeStreams } from './state.ts';

export interface FinanceMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'read'>;
  readonly cipher: SubjectCipher;
  readonly clock: Pick<Clock, 'now'>;
  /** How long a request waits for its second person, in milliseconds; a week unless told. */
  readonly expiresAfterMs?: number;
}

export type FinanceChanged = Changed<FinanceRequest>;

/** The payout that waits for a release. */
export interface HeldPayout {
  readonly seller: string;
  readonly payoutId: string;
  readonly currency: string;
  readonly amount: bigint;
  readonly psp: string;
  readonly because: 'schedule' | 'on_demand';
  /** Undefined for what nobody asked for: a schedule. */
  readonly by: string | undefined;
}

/** Where a request stands in the list. */
export type FinancePlace = Pick<FinanceRequest, 'expiresAt' | 'id'>;

/** Where an entry is that is to be corrected. */
export interface CorrectedEntry {
  readonly stream: string;
  readonly revision: number;
}

/** What is wrong with an entry, and with which member of it. */
export type WrongMember = Refused & { readonly member: string };

/** Who asks where no key did. */
export const scheduleRequester = 'payout-schedule';

/** What needs two persons: one key asks, another one approves. */
export class Finance {
  readonly #means: FinanceMeans;

  constructor(means: FinanceMeans) {
    this.#means = means;
  }

  async request(id: string): Promise<FinanceRequest | undefined> {
    return (await loadStream(this.#means, financeStreams, financeStream(id))).state;
  }

  /** A page of the requests in a state, the oldest first. */
  async page(
    state: FinanceState,
    { limit, after }: { readonly limit: number; readonly after?: FinancePlace },
  ): Promise<{ readonly requests: readonly FinanceRequest[]; readonly next?: FinancePlace }> {
    const all = await this.requests(state);
    const rest = after === undefined ? all : all.filter((one) => inOrder(after, one) < 0);
    const requests = rest.slice(0, limit);
    const last = requests.at(-1);
    return last && rest.length > limit ? { requests, next: placeOf(last) } : { requests };
  }

  /** All requests in a state, the oldest first. Reads the streams of finance: there is one for each thing people ask. */
  async requests(state: FinanceState): Promise<readonly FinanceRequest[]> {
    const { log, cipher } = this.#means;
    const all = new Map<string, FinanceRequest>();
    let from: Checkpoint | 'start' = 'start';
    for (;;) {
      const page: Awaited<ReturnType<EventLog['read']>> = await log.read(from, {
        categories: [financeCategory],
      });
      for (const event of await financeEvents.decode(page.events, cipher)) {
        all.set(event.stream, evolveFinance(all.get(event.stream), event));
      }
      if (page.end) break;
      from = page.checkpoint;
    }
    const inState = [...all.values()].filter((request) => request.state === state);
    return inState.toSorted(inOrder);
  }

  /**
   * Asks for an entry that corrects another one: in its currency, over the accounts of sellers that there are. A refusal
   * may name the member of the entry that is wrong.
   */
  async requestEntry(command: {
    readonly id: string;
    readonly entry: ManualEntry;
    readonly corrects: CorrectedEntry;
    readonly reason: string;
    readonly by: string;
  }): Promise<FinanceChanged | WrongMember> {
    const { id, entry, corrects, reason, by } = command;
    const wrong = entryProblem(entry);
    if (wrong) return wrong;
    const corrected = await this.#corrected(corrects);
    if ('kind' in corrected) return corrected;
    if (corrected.currency !== entry.currency) {
      const detail = `the entry that it corrects is in ${corrected.currency}`;
      return { ...refused('wrong-currency', detail), member: 'currency' };
    }
    const stranger = await this.#stranger(entry);
    if (stranger) return stranger;
    const asks = { kind: 'manual-entry', entry, corrects: corrected.id } as const;
    return this.#ask({ id, asks, reason, by });
  }

  /** Asks for the release of a payout, once for each payout. */
  async requestRelease(payout: HeldPayout): Promise<FinanceChanged> {
    const { seller, payoutId, currency, amount, psp, because, by = scheduleRequester } = payout;
    const id = releaseRequestId(seller, payoutId);
    const named = { seller_account: seller, payout_id: payoutId, currency };
    const asks: FinanceAsks = {
      ...{ kind: 'payout-release', ...named, amount: String(amount), psp, because },
    };
    return this.#ask({ id, asks, by, reason: 'above the limit of its currency' });
  }

  /** By another key than the one that asked. */
  async approve(id: string, by: string): Promise<FinanceChanged> {
    const at = this.#means.clock.now();
    return this.#change(id, by, (request) => approveFinance(request, { by, at }));
  }

  async reject(id: string, by: string, reason: string): Promise<FinanceChanged> {
    const at = this.#means.clock.now();
    return this.#change(id, by, (request) => rejectFinance(request, { by, reason, at }));
  }

  /** An approved payout could not be asked for. */
  async refuse(id: string, reason: string): Promise<FinanceChanged> {
    const at = this.#means.clock.now();
    return this.#change(id, undefined, (request) => refuseRelease(request, { reason, at }));
  }

  /** Ends what has waited too long; tells how many. For a scheduler. */
  async expire(): Promise<number> {
    const at = this.#means.clock.now();
    let expired = 0;
    for (const { id, expiresAt } of await this.requests('requested')) {
      if (at < expiresAt) continue;
      const changed = await this.#change(id, undefined, (one) => expireFinance(one, { at }));
      if (changed.kind === 'changed') expired += changed.events;
    }
    return expired;
  }

  #ask({
    id,
    asks,
    reason,
    by,
  }: {
    readonly id: string;
    readonly asks: FinanceAsks;
    readonly reason: string;
    readonly by: string;
  }): Promise<FinanceChanged> {
    const at = this.#means.clock.now();
    const expiresAt = at + (this.#means.expiresAfterMs ?? financeLimits.expiresAfterMs);
    return this.#change(id, by, (request) =>
      askFinance(request, { id, asks, by, reason, expiresAt, at }),
    );
  }

  /** The event whose entry is meant, and the currency of that. */
  async #corrected({
    stream,
    revision,
  }: CorrectedEntry): Promise<{ readonly id: string; readonly currency: string } | Refused> {
    const { log, cipher } = this.#means;
    const none = refused('unknown-entry', `${stream}@${revision} has booked nothing`);
    const { events } = await log.readStream(stream, { from: revision, limit: 1 });
    const [stored] = events;
    if (!stored || stored.revision !== revision || !paymentsEvents.names.includes(stored.type)) {
      return none;
    }
    const [event] = await paymentsEvents.decode([stored], cipher);
    const booked = event && journalOf(event);
    return booked ? { id: event.id, currency: booked.currency } : none;
  }

  /** The first line over an account of a seller that was never registered. */
  async #stranger({ lines }: ManualEntry): Promise<WrongMember | undefined> {
    const known = new Set<string>();
    for (const [index, line] of lines.entries()) {
      for (const side of ['debit', 'credit'] as const) {
        const seller = sellerOfAccount(line[side]);
        if (seller === undefined || known.has(seller)) continue;
        const { events } = await this.#means.log.readStream(sellerStream(seller), { limit: 1 });
        if (events.length === 0) {
          const problem = refused('unknown-seller', `there is no seller ${seller}`);
          return { ...problem, member: `lines.${index}.${side}` };
        }
        known.add(seller);
      }
    }
    return undefined;
  }

  #change(
    id: string,
    actor: string | undefined,
    decide: (request: FinanceRequest | undefined) => Decided<FinanceEvent> | Refused,
  ): Promise<FinanceChanged> {
    const { log, cipher } = this.#means;
    const means = { log, cipher, ...(actor === undefined ? {} : { actor }) };
    return changeAndLoad(means, financeStreams, financeStream(id), ({ state }) => decide(state));
  }
}

/** The request that stands for a payout. */
export function releaseRequestId(seller: string, payoutId: string): string {
  return idFromKey('payout-release', seller, payoutId);
}

/** All wait equally long, so the first to expire is the oldest. */
function inOrder(a: FinancePlace, b: FinancePlace): number {
  if (a.expiresAt !== b.expiresAt) return a.expiresAt - b.expiresAt;
  return a.id === b.id ? 0 : a.id < b.id ? -1 : 1;
}

function placeOf({ expiresAt, id }: FinanceRequest): FinancePlace {
  return { expiresAt, id };
}
