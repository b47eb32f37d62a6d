import type { CheckoutEvent } from '../events.ts';
import { decided, refused } from '../outcome.ts';
import type { PspPage } from '../psp/port.ts';
import type { Checkout } from '../state.ts';
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

export type ObservedPage = Omit<PspPage, 'psp' | 'reference'>;

/**
 * What the provider says of the page, whoever brought it. The first card that was given counts: a page that was completed, or
 * has expired, stays so.
 */
export function observePage(checkout: Checkout | undefined, observed: ObservedPage, at: number) {
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
    events.push(checkoutEvent('payment-page-expired', [], at, { ...ids, page_id: id }));
    events.push(...ended(checkout, 'expired', 'page-expired', at));
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
  return decided(...events);
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
