import { z } from 'zod';
import { makeMethod } from '../core/payment-methods.ts';
import type { Sandbox } from '../core/sandbox.ts';
import { type CardBehaviour, cardOfNumber } from '../core/test-tokens.ts';
import { escaped, type Page } from './page.ts';

/**
 * The hosted payment page: the buyer types the card here, and the shop gets a token. A number is looked up among the
 * test cards and then forgotten: it is neither stored nor shown again.
 */

/** Where the shop wants the buyer back, and what for. */
export const paymentQuery = z.strictObject({
  return_url: z.url({ protocol: /^https?$/ }).max(2_000),
  /** Shown to the buyer. */
  amount: z.string().max(40).default(''),
  reference: z.string().max(200).default(''),
});
export type PaymentQuery = z.output<typeof paymentQuery>;

export const paymentForm = z.object({
  number: z.string().max(40),
  expiry: z.string().max(10).default(''),
  cvc: z.string().max(6).default(''),
});

export function paymentPage(query: PaymentQuery, problem = ''): Page {
  const { amount, reference } = query;
  const what = [amount, reference].filter(Boolean).map(escaped).join(' for ');
  return cardPage(what ? `<p>You pay <strong>${what}</strong>.</p>` : '', problem);
}

/** Asks for a card; `said` is HTML. */
export function cardPage(said: string, problem: string): Page {
  const alert = problem ? `<p class="problem" role="alert">${escaped(problem)}</p>` : '';
  const content = `${said}${alert}
<form method="post">
<label>Card number <input name="number" inputmode="numeric" autocomplete="off" required value=""></label>
<label>Expires (MM/YY) <input name="expiry" autocomplete="off" required value=""></label>
<label>CVC <input name="cvc" inputmode="numeric" autocomplete="off" required value=""></label>
<button type="submit">Pay</button>
</form>
<p>A card that pays: 4242 4242 4242 4242. <a href="/sandbox/tokens">All of them</a>.</p>`;
  return { status: problem ? 400 : 200, title: 'Payment', content };
}

/** The test card that was typed, or what is wrong with it. */
export function typedCard(form: z.output<typeof paymentForm>, now: number): CardBehaviour | string {
  const card = cardOfNumber(form.number.replace(/[\s-]/g, ''));
  if (!card) return 'This is none of the test cards.';
  const [, month, year] = /^(0[1-9]|1[0-2])\s*\/\s*(\d{2})$/.exec(form.expiry.trim()) ?? [];
  // A card is good to the end of its month.
  if (!month || !year || Date.UTC(2_000 + Number(year), Number(month), 1) <= now) {
    return 'The date is not MM/YY, or is over.';
  }
  if (!/^\d{3,4}$/.test(form.cvc.trim())) return 'The CVC has three or four digits.';
  return card;
}

/** Back to the shop with a token, or the page again with what is wrong. */
export function takeCard(
  sandbox: Sandbox,
  query: PaymentQuery,
  form: z.output<typeof paymentForm>,
  now: number,
):
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'page'; readonly page: Page } {
  const card = typedCard(form, now);
  if (typeof card === 'string') return { kind: 'page', page: paymentPage(query, card) };
  const method = sandbox.transact((books) => makeMethod(books, card));
  const to = new URL(query.return_url);
  to.searchParams.set('token', method.id);
  if (query.reference) to.searchParams.set('reference', query.reference);
  return { kind: 'redirect', to: to.href };
}
