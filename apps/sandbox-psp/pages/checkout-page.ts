import type { z } from 'zod';
import { setupOfSession } from '../core/checkout-sessions.ts';
import type { CheckoutSession } from '../core/objects.ts';
import { makeMethod } from '../core/payment-methods.ts';
import type { Sandbox } from '../core/sandbox.ts';
import { confirmSetup, newSetup } from '../core/setup-intents.ts';
import { escaped, type Page } from './page.ts';
import { cardPage, type paymentForm, typedCard } from './payment-page.ts';

/**
 * The page of a checkout session: the buyer gives a card, the bank asks where it wants to, and the browser is led back.
 * A card that does not do leaves the page as it was, for another one.
 */

type Led =
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'page'; readonly page: Page };

const notAccepted = 'The card was not accepted: try another one.';
/** The page of a session that takes no card any more: since its time was over, or because the shop closed it. */
function overPage(session: CheckoutSession | undefined, nowMs: number): Page {
  if (!session) return { status: 404, title: 'Payment', content: '<p>There is no such page.</p>' };
  const isClosed = nowMs < session.expires_at * 1_000;
  const why = isClosed
    ? 'closed: the shop takes no card here any more'
    : 'over: its time has run out';
  return { status: 404, title: 'Payment', content: `<p>This page is ${why}.</p>` };
}

/** The page, or where it leads to once it is complete: the bank's page comes back here. */
export function checkoutPage(sandbox: Sandbox, id: string): Led {
  const session = sandbox.storage.get('checkout.session', id);
  if (session?.status === 'complete') return { kind: 'redirect', to: session.success_url };
  if (session?.status !== 'open') return { kind: 'page', page: overPage(session, sandbox.now()) };
  const setup = sandbox.storage.get('setup_intent', setupOfSession(id));
  const problem = setup?.last_setup_error ? notAccepted : '';
  // To look at it is no mistake, whatever became of the card before.
  return { kind: 'page', page: { ...shown(session, problem), status: 200 } };
}

function shown({ success_url }: CheckoutSession, problem = ''): Page {
  const { host } = new URL(success_url);
  return cardPage(`<p>A card for <strong>${escaped(host)}</strong>.</p>`, problem);
}

export function takeCardForSession(
  sandbox: Sandbox,
  id: string,
  form: z.output<typeof paymentForm> | undefined,
): Led {
  const session = sandbox.storage.get('checkout.session', id);
  if (session?.status !== 'open' || !session.url) return checkoutPage(sandbox, id);
  const { url, customer, success_url } = session;
  const card = form ? typedCard(form, sandbox.now()) : 'The card is not complete.';
  if (typeof card === 'string') return { kind: 'page', page: shown(session, card) };
  const setup = sandbox.transact((books) => {
    const setupId = setupOfSession(id);
    const intent =
      books.get('setup_intent', setupId) ??
      newSetup(books, setupId, { customer, usage: 'off_session' });
    return confirmSetup(books, intent, makeMethod(books, card), url);
  });
  if (setup.status === 'succeeded') return { kind: 'redirect', to: success_url };
  const asked = setup.next_action?.redirect_to_url.url;
  if (asked) return { kind: 'redirect', to: asked };
  return { kind: 'page', page: shown(session, notAccepted) };
}
