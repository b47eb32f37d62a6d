import type { CheckoutEvent } from '../events.ts';
import { decided, refused } from '../outcome.ts';
import type { PspPage } from '../psp/port.ts';
import { type Checkout, evolve, type PaymentPage } from '../state.ts';
import { orderEnds } from '../transitions.ts';
import { checkoutEvent } from './decide.ts';

/** The page where the provider asks the buyer for a card. It moves no money. */

export interface RequestPage {
  readonly psp: string;
  readonly returnUrl: string;
  /** When the page takes no card any more. */
  readonly pageExpiresAt: number;
  readonly callBefore: number;
}

/** Intent: of a checkout that is opened in the same breath. */
export function requestPage(
  { checkoutId, currency }: { readonly checkoutId: string; readonly currency: string },
  { psp, returnUrl, pageExpiresAt, callBefore }: RequestPage,
  at: number,
): CheckoutEvent {
  return checkoutEvent('payment-page-requested', [], at, {
    ...{ checkout_id: checkoutId, psp, currency, return_url: returnUrl },
    ...{ expires_at: pageExpiresAt, call_before: callBefore },
  });
}

export const pageLimits = { closesMax: 5 } as const;

/** When it is decided, and until when a call that comes of it may be started. */
interface Timing {
  readonly at: number;
  readonly callBefore: number;
}

interface Closing extends Timing {
  readonly because: 'orders-ended' | 'buyer-erased';
}

/** Intent: close a page that nobody is to give a card at. One that is not told of yet, or has come to its end, is left. */
export function requestClose(checkout: Checkout | undefined, { because, at, callBefore }: Closing) {
  const page = checkout?.page;
  if (!checkout || page?.state !== 'opened' || page.closing !== undefined) {
    return decided<CheckoutEvent>();
  }
  return decided(closing(checkout.id, page, 1, { because, at, callBefore }));
}

function closing(
  checkout_id: string,
  { psp, id }: PaymentPage,
  attempt: number,
  { because, at, callBefore }: Closing,
): CheckoutEvent {
  if (id === undefined) throw new TypeError(`the page of ${checkout_id} is opened, and has no id`);
  return checkoutEvent('payment-page-close-requested', [attempt], at, {
    ...{ checkout_id, psp, page_id: id, attempt, because, call_before: callBefore },
  });
}

/** The provider keeps a fault for the key, and has not closed it: it is asked with another key, a few times. */
export function requestCloseAnew(
  checkout: Checkout | undefined,
  command: Closing & { readonly attempt: number },
) {
  const page = checkout?.page;
  if (!checkout || page?.state !== 'opened' || page.closing !== command.attempt) {
    return decided<CheckoutEvent>();
  }
  if (command.attempt >= pageLimits.closesMax) {
    return refused('too-many-attempts', `the page was to be closed ${command.attempt} times`);
  }
  return decided(closing(checkout.id, page, command.attempt + 1, command));
}

/** The same where `events` leave no order that could be paid: a card that is given then would be asked for in vain. */
export function closeAfter(
  checkout: Checkout,
  events: readonly CheckoutEvent[],
  { at, callBefore }: Timing,
): readonly CheckoutEvent[] {
  const after = events.reduce<Checkout | undefined>(evolve, checkout);
  const orders = [...(after?.orders.values() ?? [])];
  if (orders.some(({ state }) => !orderEnds.has(state))) return [];
  return requestClose(after, { because: 'orders-ended', at, callBefore }).events;
}

export type ObservedPage = Omit<PspPage, 'psp' | 'reference'>;

/**
 * What the provider says of the page, whoever brought it. The first card that was given counts: a page that was completed, or
 * has expired or was closed, stays so. One that comes when its orders have ended is closed.
 */
export function observePage(
  checkout: Checkout | undefined,
  observed: ObservedPage,
  { at, callBefore }: Timing,
) {
  if (!checkout) return refused('unknown-checkout', 'there is no such checkout');
  const { page } = checkout;
  if (!page) return refused('not-asked', 'nobody has asked for a page');
  if (page.state !== 'requested' && page.state !== 'opened') return decided<CheckoutEvent>();
  const { id, url, status } = observed;
  // One that was made twice, since the answer to the first call was lost: nobody was sent there.
  if (page.state === 'opened' && page.id !== id) return decided<CheckoutEvent>();
  const ids = { checkout_id: checkout.id };
  const events: CheckoutEvent[] = [];
  if (page.state === 'requested') {
    const data = { ...ids, page_id: id, page_url: url ?? '' };
    events.push(checkoutEvent('payment-page-opened', [], at, data));
  }
  if (status === 'expired') {
    const as = page.closing !== undefined ? 'closed' : 'expired';
    events.push(checkoutEvent(`payment-page-${as}`, [], at, { ...ids, page_id: id }));
    events.push(...ended(checkout, 'expired', `page-${as}`, at));
  }
  const { authentication: authentication_id, method, fingerprint } = observed;
  if (status === 'completed' && authentication_id !== undefined && method !== undefined) {
    events.push(
      checkoutEvent('payment-page-completed', [], at, {
        ...{ ...ids, psp: page.psp, page_id: id, authentication_id, method },
        ...(fingerprint === undefined ? {} : { fingerprint }),
      }),
    );
  }
  return decided(...events, ...closeAfter(checkout, events, { at, callBefore }));
}

/** The provider surely makes no page. */
export function refusePage(checkout: Checkout | undefined, reason: string, at: number) {
  if (!checkout) return refused('unknown-checkout', 'there is no such checkout');
  if (checkout.page?.state !== 'requested') return decided<CheckoutEvent>();
  const told = checkoutEvent('payment-page-refused', [], at, { checkout_id: checkout.id, reason });
  return decided(told, ...ended(checkout, 'failed', 'page-refused', at));
}

/** The orders that have not begun, which can't any more. */
function ended(
  { id: checkout_id, orders }: Checkout,
  as: 'failed' | 'expired',
  reason: string,
  at: number,
): CheckoutEvent[] {
  const waiting = [...orders].filter(
    ([, { attempts, state }]) => attempts.length === 0 && state === 'not_started',
  );
  return waiting.map(([payment_order_id]) =>
    checkoutEvent('order-ended', [payment_order_id], at, {
      ...{ checkout_id, payment_order_id, as, reason },
    }),
  );
}
