import { type Clock, idFromKey, type SubjectCipher } from '@annals/core';
import type { EventLog, StoredEvent } from '@annals/event-log';
import type { AnyRecordedEvent, Reactor } from '@annals/projection';
import { deadLetterCall } from '../decide/attempts.ts';
import { needsPerson, requestEnd } from '../decide/captures.ts';
import { paymentsEvents, type RecordedOf, type RecordedPaymentsEvent } from '../events.ts';
import { readEvidenceFile } from '../evidence-files.ts';
import { decided } from '../outcome.ts';
import type { EvidenceFile } from '../psp/evidence.ts';
import type { Psp } from '../psp/port.ts';
import { checkoutCategory, sellerCategory } from '../streams.ts';
import {
  callDeadLettered,
  callRetryRequested,
  deadLetterCategory,
  deadLetterEvents,
  deadLetterStream,
} from './dead-letter-events.ts';
import { askingTypes, intentOfEvent } from './payments-intents.ts';
import {
  checkoutDoubt,
  checkoutOutcome,
  payoutDoubt,
  payoutOutcome,
  payoutStillAsked,
  stillAsked,
} from './payments-outcomes.ts';
import { executorLimits, pspExecutor } from './psp-executor.ts';
import type { PspIntent, PspOutcome, Try } from './psp-intent.ts';
import {
  type Applied,
  NotAppendedError,
  type PaymentsFolds,
  paymentsFolds,
} from './stream-folds.ts';

/**
 * The executor of payments: authentications, attempts, captures, voids, refunds and payouts, as the streams of
 * checkouts and sellers ask for them. Outcomes go back into the same streams; what can't be brought to an end goes
 * into a stream of dead letters, and is tried again when somebody asks for it there.
 */
export interface PaymentsExecutorOptions {
  /** Shared with other reactors of the same log; its own unless told. */
  readonly folds?: PaymentsFolds;
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly psp: (name: string) => Psp | undefined;
  readonly limits?: Partial<Record<keyof typeof executorLimits, number>>;
}

export const paymentsExecutorName = 'payments-executor';
export const executorCategories = [checkoutCategory, sellerCategory, deadLetterCategory];

export function paymentsExecutor(options: PaymentsExecutorOptions): Reactor {
  const { log, cipher, clock } = options;
  const executor = new PaymentsExecutor(options, options.folds ?? paymentsFolds(log, cipher));
  return pspExecutor({
    name: paymentsExecutorName,
    categories: executorCategories,
    types: [...askingTypes, callRetryRequested.name],
    clock,
    psp: options.psp,
    decode: (events) => executor.decode(events),
    intentOf: (event) => intentOfEvent(askedBy(event)),
    stands: (_, event) => executor.stands(askedBy(event), 'asked' in event),
    record: (intent, outcome, event) => executor.record(intent, outcome, askedBy(event)),
    doubt: (_, detail, event) => executor.doubt(askedBy(event), detail),
    complete: (intent) => executor.complete(intent),
    looksFirst: (event) => 'asked' in event,
    ...(options.limits ? { limits: options.limits } : {}),
  });
}

/** A retry carries the event that asked for the call in the first place. */
interface Retried {
  readonly asked: RecordedPaymentsEvent;
}

function askedBy(event: AnyRecordedEvent): RecordedPaymentsEvent {
  return 'asked' in event
    ? (event as unknown as Retried).asked
    : (event as unknown as RecordedPaymentsEvent);
}

class PaymentsExecutor {
  readonly #options: PaymentsExecutorOptions;
  readonly #folds: PaymentsFolds;

  constructor(options: PaymentsExecutorOptions, folds: PaymentsFolds) {
    this.#options = options;
    this.#folds = folds;
  }

  /** Events of the domain as they are; a retry as the event that it names, in its own place in the log. */
  async decode(stored: readonly StoredEvent[]): Promise<readonly AnyRecordedEvent[]> {
    const { cipher } = this.#options;
    const isLetter = ({ stream }: StoredEvent) => stream.startsWith(`${deadLetterCategory}-`);
    // At once, so that the keys are asked for once.
    const asking = stored.filter((event) => !isLetter(event));
    const decoded = (await paymentsEvents.decode(asking, cipher)).values();
    const events: AnyRecordedEvent[] = [];
    for (const event of stored) {
      const next = isLetter(event) ? await this.#letter(event) : decoded.next().value;
      events.push(next as unknown as AnyRecordedEvent);
    }
    return events;
  }

  async #letter(event: StoredEvent): Promise<unknown> {
    const [letter] = await deadLetterEvents.decode([event], this.#options.cipher);
    if (letter?.type !== 'call-retry-requested') return letter;
    return { ...letter, asked: await this.#eventAt(letter.data) };
  }

  async stands(event: RecordedPaymentsEvent, isRetry: boolean): Promise<boolean> {
    const { stream } = event;
    if (event.type === 'payout-requested') {
      return payoutStillAsked((await this.#folds.sellers.load(stream)).state, event);
    }
    if (stillAsked((await this.#folds.checkouts.load(stream)).state, event)) return true;
    if (isRetry && event.type === 'void-requested') await this.#letGoAgain(event);
    return false;
  }

  /** A void that was refused is over, and keeps its key: who wants it once more asks for another one. */
  async #letGoAgain({ stream, data }: RecordedOf<'void-requested'>): Promise<void> {
    const told = this.#told();
    const { payment_order_id: order, reason: as } = data;
    await this.#folds.checkouts.decide(stream, (checkout) => {
      const attempt = checkout?.orders.get(order)?.attempts.at(-1);
      if (attempt?.number !== data.attempt || !needsPerson(attempt)) return decided();
      return requestEnd(checkout, order, { ...told, as, byHand: true });
    });
  }

  #told(): { readonly at: number; readonly callBefore: number } {
    const at = this.#options.clock.now();
    const { callWithinMs } = { ...executorLimits, ...this.#options.limits };
    return { at, callBefore: at + callWithinMs };
  }

  /** With the files that it names, but for those of a buyer who was erased. */
  async complete(intent: PspIntent): Promise<PspIntent> {
    if (intent.call !== 'evidence' || !intent.kept) return intent;
    const files: EvidenceFile[] = [];
    for (const kept of intent.kept) {
      const file = await readEvidenceFile(this.#options, kept);
      if (file) files.push(file);
    }
    return { ...intent, files };
  }

  async record(
    intent: PspIntent,
    outcome: PspOutcome,
    event: RecordedPaymentsEvent,
  ): Promise<void> {
    if (outcome.kind === 'dead_letter') {
      const { reason, context } = outcome;
      return this.#bury(intent, event, { reason, detail: context.detail, tries: context.tries });
    }
    const told = this.#told();
    if (event.type === 'void-requested') await this.#buryLast(intent, event, outcome, told);
    const applied: Applied =
      event.type === 'payout-requested'
        ? await this.#folds.sellers.decide(event.stream, (seller) =>
            payoutOutcome(seller, event, outcome, told),
          )
        : await this.#folds.checkouts.decide(event.stream, (checkout) =>
            checkoutOutcome(checkout, event, outcome, told),
          );
    // A card was given by somebody who was erased since: nothing is kept of it.
    if (applied.kind !== 'refused' || applied.reason === 'subject-erased') return;
    // What the provider says and what is booked don't fit together: never booked, and never forgotten.
    const { reason, detail } = applied;
    await this.#bury(intent, event, { reason: 'contradiction', detail: `${reason}: ${detail}` });
  }

  /**
   * An expired order that its provider does not let go, and that is not tried again by itself, waits for a person. Before the
   * stream says so: it says it once, and a crash must not be in between.
   */
  async #buryLast(
    intent: PspIntent,
    event: RecordedOf<'void-requested'>,
    outcome: Exclude<PspOutcome, { readonly kind: 'dead_letter' }>,
    told: Parameters<typeof checkoutOutcome>[3],
  ): Promise<void> {
    const { state } = await this.#folds.checkouts.load(event.stream);
    const made = checkoutOutcome(state, event, outcome, told);
    const last = made.kind === 'decided' ? made.events.at(-1) : undefined;
    if (last?.type !== 'void-refused' || last.data.as !== 'expired') return;
    const { reason, detail, again_at } = last.data;
    if (again_at !== undefined) return;
    await this.#bury(intent, event, { reason: 'refused', detail: `${reason}: ${detail}` });
  }

  async doubt(event: RecordedPaymentsEvent, detail: string): Promise<void> {
    const at = this.#options.clock.now();
    if (event.type === 'payout-requested') {
      await this.#folds.sellers.decide(event.stream, (seller) =>
        payoutDoubt(seller, event, detail, at),
      );
      return;
    }
    await this.#folds.checkouts.decide(event.stream, (checkout) =>
      checkoutDoubt(checkout, event, detail, at),
    );
  }

  async #bury(
    { key, call, psp }: PspIntent,
    event: RecordedPaymentsEvent,
    why: { readonly reason: string; readonly detail: string; readonly tries?: readonly Try[] },
  ): Promise<void> {
    const { reason, detail, tries = [] } = why;
    const { stream, revision } = event;
    const { log, cipher, clock } = this.#options;
    const occurredAt = clock.now();
    const name = deadLetterStream(key);
    // One for each time that it was tried: a retry that comes to nothing is another one.
    const { head } = await log.readStream(name, { limit: 1 });
    const encoded = await deadLetterEvents.encode(
      [
        {
          type: callDeadLettered.name,
          id: idFromKey(callDeadLettered.name, key, String(head)),
          occurredAt,
          data: { key, stream, revision, call, psp, reason, detail, tries: [...tries] },
        },
      ],
      cipher,
    );
    if (encoded.kind !== 'encoded') throw new TypeError('a dead letter names a subject');
    const result = await log.append(name, encoded.events, { expected: head });
    if (result.kind !== 'stored') throw new NotAppendedError(name, result.kind);
    await this.#tellOrder(event, { intentId: key, call, reason, context: detail, at: occurredAt });
  }

  /** The order says, too, that a person has to look. */
  async #tellOrder(
    event: RecordedPaymentsEvent,
    letter: Parameters<typeof deadLetterCall>[2],
  ): Promise<void> {
    if (!('payment_order_id' in event.data)) return;
    const { payment_order_id: order } = event.data;
    await this.#folds.checkouts.decide(event.stream, (checkout) =>
      deadLetterCall(checkout, order, letter),
    );
  }

  async #eventAt({ stream, revision }: { readonly stream: string; readonly revision: number }) {
    const { log, cipher } = this.#options;
    const { events } = await log.readStream(stream, { from: revision, limit: 1 });
    const [asked] = await paymentsEvents.decode(events, cipher);
    if (!asked)
      throw new TypeError(`a dead letter names ${stream}@${revision}, which is not there`);
    return asked;
  }
}
