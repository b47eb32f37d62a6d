import { type Route, route } from '@annals/http';
import { buyerSubject } from '@annals/payments';
import type { Routable } from '@annals/payments/psp';
import { paymentsErrors } from './errors.ts';
import { keyProblems, type PaymentPageInput, paymentPageInput } from './fields.ts';
import { keyed } from './keyed.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { openCommand, opening, openPayment, sizeProblem } from './payment-routes.ts';
import { amountsProblem, sellersProblem } from './sellers-of-payment.ts';

/** The page of a provider where the buyer gives a card: `pagePsp` says whose. */
export function paymentPageRoutes(
  means: PaymentsApiMeans,
  pagePsp: NonNullable<PaymentsApiMeans['pagePsp']>,
): readonly Route[] {
  return [
    route({
      ...opening,
      url: '/v1/payment_pages',
      summary: 'Register a payment that is paid on a page of the provider',
      description:
        'Opens a checkout without a card, and has the provider make a page that asks the buyer for one. 201: the page is ' +
        'there, send the buyer to `next_action`; 202: not yet, look at GET /v1/payments/{checkout_id}. The page leads back to ' +
        '`return_url`; the payment goes on by itself. It takes a card for 23 hours, and then the orders expire. ' +
        '`wait_seconds` waits that long for the page, 10 unless told. The Idempotency-Key is the checkout_id unless told.',
      body: paymentPageInput,
      problems: [
        ...['checkout-too-large', 'amount-step'],
        'unknown-seller',
        'currency-not-sold',
        'no-provider',
        'checkout-exists',
        ...keyProblems,
      ],
      handler: async (request, reply) => {
        const { body } = request;
        const tooLarge = sizeProblem(body);
        if (tooLarge) return tooLarge;
        const psp = pagePsp(routableOf(body));
        return keyed(means, request, reply, {
          subject: buyerSubject(body.checkout_id),
          defaultKey: body.checkout_id,
          check: async () =>
            amountsProblem(means, body) ??
            (await sellersProblem(means, body)) ??
            providerProblem(psp),
          run: async ({ begunAt }) => {
            if (psp === undefined) throw new TypeError('a provider was found before');
            const command = {
              ...{ ...openCommand(body, begunAt), returnUrl: body.return_url },
              page: { psp, pageExpiresAt: begunAt + limits.pageExpiresAfterMs },
            };
            const { wait_seconds: waitSeconds = limits.pageWaitSecondsDefault } = request.query;
            return openPayment(means, command, { by: request.caller.keyId, waitSeconds });
          },
        });
      },
    }),
  ];
}

/** All orders are paid where the page is: the first one says where. */
function routableOf({ payment_orders: [first] }: PaymentPageInput): Routable {
  if (!first) throw new TypeError('a payment has an order');
  const { amount, currency, seller_account: seller } = first;
  return { amount: { amount: BigInt(amount), currency }, seller };
}

function providerProblem(psp: string | undefined) {
  if (psp !== undefined) return undefined;
  return paymentsErrors.problem('no-provider', { what: 'no provider takes the first order' });
}
