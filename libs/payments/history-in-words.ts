import type { SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { changeLimits } from './change.ts';
import { type CheckoutEvent, checkoutEvents, type SellerEvent, sellerEvents } from './events.ts';
import { money, shownMoney } from './money.ts';
import { checkoutStream, sellerStream } from './streams.ts';

/**
 * What has happened to a payment, for people: one sentence for each event. Nothing of it is personal data: a history
 * reads the same after its buyer was erased.
 */

type TellableEvent = CheckoutEvent | SellerEvent;
type DataOf<Type extends TellableEvent['type']> = Extract<TellableEvent, { type: Type }>['data'];

interface Amount {
  readonly amount: string;
  readonly currency: string;
}

function sum({ amount, currency }: Amount): string {
  return shownMoney(money(amount, currency));
}

function part(amount: string, { currency }: Amount): string {
  return sum({ amount, currency });
}

function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** `insufficient_funds` as people write it. */
function words(code: string): string {
  return code.replaceAll(/[_-]+/g, ' ');
}

function orderOf({ payment_order_id }: { readonly payment_order_id: string }): string {
  return `order ${payment_order_id}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function opened({ currency, orders, capture, expires_at }: DataOf<'checkout-opened'>): string {
  const total = orders.reduce((all, { amount }) => all + BigInt(amount), 0n);
  const sellers = new Set(orders.map(({ seller_account }) => seller_account)).size;
  const when = capture === 'automatic' ? 'as soon as it is authorized' : 'when that is asked for';
  return (
    `The checkout was opened: ${counted(orders.length, 'order')} of ${counted(sellers, 'seller')}, ` +
    `${sum({ amount: String(total), currency })} in all, to be charged ${when}; ` +
    `it expires at ${time(expires_at)}.`
  );
}

function assessed(data: DataOf<'order-risk-assessed'>): string {
  const rules = data.rules.length === 0 ? '' : ` (${data.rules.map(words).join(', ')})`;
  const verdict = {
    accepted: `Risk let ${orderOf(data)} through`,
    review: `Risk asked for a person to look at ${orderOf(data)}`,
    rejected: `Risk turned ${orderOf(data)} down`,
  }[data.verdict];
  return `${verdict}${rules}.`;
}

function captured(data: DataOf<'order-captured'>): string {
  const { seller_account, platform_fee, net, psp_fee, release_at } = data;
  return (
    `The buyer paid ${sum(data)} for ${orderOf(data)}: ${part(net, data)} for seller ${seller_account}, ` +
    `${part(platform_fee, data)} for the platform, which pays the provider ${part(psp_fee, data)}; ` +
    `the seller's part is released on delivery, or at ${time(release_at)}.`
  );
}

function released(data: DataOf<'order-released'>): string {
  const because =
    data.because === 'delivered' ? 'the goods were delivered' : 'the days of waiting were over';
  const reserve =
    data.reserve === '0' ? '' : `, of which ${part(data.reserve, data)} stays in reserve`;
  return `The seller's part of ${orderOf(data)}, ${sum(data)}, was released to seller ${data.seller_account}${reserve}, as ${because}.`;
}

/** Where the money of a refund or a dispute is taken from. */
function takenFrom(
  data: Amount & { readonly pending: string; readonly available: string },
): string {
  return `${part(data.pending, data)} from what was not released yet, ${part(data.available, data)} from what was`;
}

function payoutOf(data: Amount & { readonly payout_id: string; readonly seller_account: string }) {
  return `payout ${data.payout_id} of ${sum(data)} to seller ${data.seller_account}`;
}

/** One sentence for each event of a checkout and of a seller. */
export const sentences: {
  readonly [Type in TellableEvent['type']]: (data: DataOf<Type>) => string;
} = {
  'checkout-opened': opened,
  'payment-page-requested': ({ psp, expires_at }) =>
    `The provider ${psp} was asked for a page where the buyer gives a card until ${time(expires_at)}.`,
  'payment-page-opened': ({ page_id }) => `The page is there, as ${page_id}.`,
  'payment-page-completed': ({ psp }) =>
    `The buyer gave a card on the page of ${psp}, and was authenticated.`,
  'payment-page-close-requested': ({ psp, because }) =>
    `The provider ${psp} was asked to close the page, as ${because === 'orders-ended' ? 'no order is left to pay' : 'the buyer was erased'}.`,
  'payment-page-closed': () => 'The page was closed: no card was given.',
  'payment-page-expired': () => 'The page expired: nobody gave a card in time.',
  'payment-page-refused': ({ reason }) => `The provider made no page: ${words(reason)}.`,
  'card-identified': ({ psp }) => `The provider ${psp} said which card it is.`,
  'order-risk-assessed': assessed,
  'order-review-decided': (data) =>
    `After a look at ${orderOf(data)} ${data.decided_by} has ${data.verdict} it.`,
  'authentication-requested': ({ psp }) =>
    `The provider ${psp} was asked to authenticate the buyer.`,
  'authentication-action-required': () => 'The buyer was asked to prove who they are.',
  'checkout-authenticated': ({ psp }) => `The buyer was authenticated by ${psp}.`,
  'authentication-failed': ({ reason }) => `The buyer was not authenticated: ${words(reason)}.`,
  'attempt-requested': (data) =>
    `Attempt ${data.attempt} to charge ${sum(data)} for ${orderOf(data)} was begun at ${data.psp}.`,
  'attempt-created': (data) =>
    `The provider ${data.psp} knows attempt ${data.attempt} for ${orderOf(data)} as ${data.psp_payment_id}.`,
  'attempt-confirm-requested': (data) =>
    `The provider ${data.psp} was asked to carry out attempt ${data.attempt} for ${orderOf(data)}.`,
  'attempt-action-required': (data) =>
    `The buyer was asked to confirm attempt ${data.attempt} for ${orderOf(data)}.`,
  'attempt-authorized': (data) =>
    `An amount of ${sum(data)} was authorized for ${orderOf(data)} by attempt ${data.attempt}.`,
  'attempt-declined': (data) =>
    `Attempt ${data.attempt} for ${orderOf(data)} was declined: ${words(data.reason)}; ` +
    `${data.final ? 'the order has failed' : 'another attempt may follow'}.`,
  'call-in-doubt': (data) =>
    `Nobody knows yet what became of the ${data.call} of attempt ${data.attempt} for ${orderOf(data)}; it is looked up.`,
  'call-dead-lettered': (data) =>
    `A person has to find out what became of the ${data.call} for ${orderOf(data)}: ${words(data.reason)}.`,
  'capture-requested': (data) =>
    `The provider ${data.psp} was asked to take ${sum(data)} for ${orderOf(data)}.`,
  'capture-refused': (data) =>
    `The provider ${data.psp} did not take ${sum(data)} for ${orderOf(data)}: ${words(data.reason)}; ` +
    'it may be asked for again.',
  'order-captured': captured,
  'void-requested': (data) =>
    `The provider ${data.psp} was asked to let go of attempt ${data.attempt}, as ${orderOf(data)} was ${data.reason}.`,
  'void-refused': (data) => {
    const after = {
      canceled: 'it stands where it stood',
      expired:
        data.again_at === undefined
          ? 'a person has to look'
          : `it is tried again at ${time(data.again_at)}`,
    }[data.as];
    return `The provider ${data.psp} did not let go of attempt ${data.attempt} for ${orderOf(data)}: ${words(data.reason)}; ${after}.`;
  },
  'attempt-voided': (data) => {
    const held =
      data.authorized === '0'
        ? ''
        : ` and ${part(data.authorized, { amount: '0', ...data })} set free`;
    return `Attempt ${data.attempt} was let go${held}: ${orderOf(data)} was ${data.reason}.`;
  },
  'order-ended': (data) =>
    `${orderOf(data).replace('o', 'O')} has ${data.as === 'canceled' ? 'been canceled' : data.as}: ${words(data.reason)}.`,
  'order-released': released,
  'refund-requested': (data) =>
    `Refund ${data.refund_id} of ${sum(data)} for ${orderOf(data)} was asked for: ${takenFrom(data)}.`,
  'refund-pending': (data) =>
    `The provider has taken refund ${data.refund_id} for ${orderOf(data)} on (${data.psp_refund_id}); it is not through yet.`,
  'refund-succeeded': (data) =>
    `Refund ${data.refund_id} gave ${sum(data)} for ${orderOf(data)} back to the buyer.`,
  'refund-failed': (data) =>
    `Refund ${data.refund_id} of ${sum(data)} for ${orderOf(data)} failed` +
    `${data.after_succeeded ? ' after it had succeeded' : ''}: ${words(data.reason)}; the seller has the money back.`,
  'refund-in-doubt': (data) =>
    `Nobody knows yet what became of refund ${data.refund_id} for ${orderOf(data)}; it is looked up.`,
  'dispute-opened': (data) =>
    `The buyer disputed ${sum(data)} of ${orderOf(data)} (${words(data.reason)}): ${takenFrom(data)}; ` +
    `the provider took a fee of ${part(data.psp_fee, data)}.`,
  'dispute-evidence-requested': (data) =>
    `Evidence in dispute ${data.dispute_id} about ${orderOf(data)}, given by ${data.given_by}, is being sent to the provider.`,
  'dispute-evidence-refused': (data) =>
    `The provider did not take the evidence in dispute ${data.dispute_id} about ${orderOf(data)} (${words(data.reason)}).`,
  'dispute-evidence-given': (data) =>
    `Evidence in dispute ${data.dispute_id} about ${orderOf(data)} was given by ${data.given_by}.`,
  'dispute-won': (data) =>
    `Dispute ${data.dispute_id} about ${orderOf(data)} was won: ${sum(data)} went back to seller ${data.seller_account}.`,
  'dispute-lost': (data) =>
    `Dispute ${data.dispute_id} about ${orderOf(data)} was lost: ${sum(data)} stays with the buyer.`,
  'seller-registered': (data) => `Seller ${data.seller_account} was registered.`,
  'seller-terms-changed': (data) => `The terms of seller ${data.seller_account} were changed.`,
  'seller-bank-set': (data) => `Seller ${data.seller_account} named its bank account.`,
  'payout-requested': (data) =>
    `${payoutOf(data).replace('p', 'P')} was asked for at ${data.psp}, ` +
    `${data.because === 'schedule' ? "by the seller's schedule" : 'on demand'}.`,
  'payout-sent': (data) => `${payoutOf(data).replace('p', 'P')} is on its way.`,
  'payout-paid': (data) => `${payoutOf(data).replace('p', 'P')} was paid.`,
  'payout-failed': (data) =>
    `${payoutOf(data).replace('p', 'P')} failed${data.after_paid ? ' after it was paid' : ''}: ` +
    `${words(data.reason)}; the money is available again.`,
  'payout-in-doubt': (data) =>
    `Nobody knows yet what became of payout ${data.payout_id} to seller ${data.seller_account}; it is looked up.`,
  'reserve-released': (data) =>
    `The reserve of seller ${data.seller_account} was released by ${sum(data)}.`,
};

/** The sentence of an event. */
export function sentenceOf({
  type,
  data,
}: {
  readonly type: TellableEvent['type'];
  readonly data: object;
}): string {
  // The table has the function of just this type for each type.
  return (sentences[type] as (data: object) => string)(data);
}

export interface HistoryLine {
  /** When it was recorded: milliseconds since 1970. */
  readonly at: number;
  readonly eventId: string;
  readonly type: TellableEvent['type'];
  readonly text: string;
  /** Who did it or asked for it: a person's name in the event, else the id of the key. */
  readonly by: string | undefined;
}

interface Told {
  readonly id: string;
  readonly type: TellableEvent['type'];
  readonly recordedAt: number;
  readonly metadata: { readonly actor?: string };
  readonly data: object;
}

export interface HistoryMeans {
  readonly log: Pick<EventLog, 'readStream'>;
  readonly cipher: SubjectCipher;
}

/**
 * The whole history of a checkout, the oldest first: all of its stream, and of each seller the first payout in its currency
 * after an order was released, which is the one that paid it out unless it asked for less. Undefined for a checkout
 * that is not there.
 */
export async function historyOf(
  means: HistoryMeans,
  checkoutId: string,
): Promise<readonly HistoryLine[] | undefined> {
  const own: readonly Told[] = await allOf(means, checkoutStream(checkoutId), checkoutEvents);
  if (own.length === 0) return undefined;
  const payouts: Told[] = [];
  for (const [account, releases] of releasesBySeller(own)) {
    const events = await allOf(means, sellerStream(account), sellerEvents);
    payouts.push(...firstPayoutsAfter(releases, events));
  }
  return [...own, ...payouts].toSorted(inTime).map((event) => ({
    ...{ at: event.recordedAt, eventId: event.id, type: event.type },
    ...{ text: sentenceOf(event), by: byWhom(event) },
  }));
}

function byWhom({ data, metadata }: Told): string | undefined {
  const { decided_by, given_by } = data as { decided_by?: string; given_by?: string };
  return decided_by ?? given_by ?? metadata.actor;
}

/** Events of one stream stay in its order: they are recorded in it, and a sort is stable. */
function inTime(a: Told, b: Told): number {
  return a.recordedAt - b.recordedAt;
}

interface Release {
  readonly at: number;
  readonly currency: string;
}

function releasesBySeller(events: readonly Told[]): ReadonlyMap<string, readonly Release[]> {
  const releases = new Map<string, Release[]>();
  for (const { type, data, recordedAt: at } of events) {
    if (type !== 'order-released') continue;
    const { seller_account, currency } = data as DataOf<'order-released'>;
    releases.set(seller_account, [...(releases.get(seller_account) ?? []), { at, currency }]);
  }
  return releases;
}

function firstPayoutsAfter(releases: readonly Release[], events: readonly Told[]): Told[] {
  const ids = releases.flatMap(({ at, currency }) => {
    const first = events.find(({ type, recordedAt, data }) => {
      const isLater = type === 'payout-requested' && recordedAt >= at;
      return isLater && (data as Amount).currency === currency;
    });
    return first ? [(first.data as DataOf<'payout-requested'>).payout_id] : [];
  });
  return events.filter(({ data }) => {
    const { payout_id } = data as { readonly payout_id?: string };
    return payout_id !== undefined && ids.includes(payout_id);
  });
}

async function allOf<Event extends Told>(
  { log, cipher }: HistoryMeans,
  stream: string,
  types: {
    decode(
      events: Awaited<ReturnType<EventLog['readStream']>>['events'],
      cipher: SubjectCipher,
    ): Promise<Event[]>;
  },
): Promise<Event[]> {
  const all: Event[] = [];
  for (;;) {
    const { pageEvents: limit } = changeLimits;
    const page = await log.readStream(stream, { from: all.length, limit });
    all.push(...(await types.decode(page.events, cipher)));
    if (page.events.length < limit) return all;
  }
}
