import { integerParameter, Problem, type Route, route } from '@annals/http';
import { buyerSubject, type Checkout, type OpenCommand } from '@annals/payments';
import {
  isSettled,
  openedAnswer,
  orderAnswer,
  paymentAnswer,
  shownOpened,
  shownOrder,
  shownPayment,
} from './answers.ts';
import { paymentsErrors, problemOf } from './errors.ts';
import {
  idSchema,
  keyHeaders,
  keyProblems,
  type PaymentPageInput,
  paymentInput,
  readHeaders,
  readProblems,
  readQuery,
} from './fields.ts';
import { type Answered, keyed } from './keyed.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { findCheckout, findOrder } from './reads.ts';
import { scopes } from './scopes.ts';
import { amountsProblem, sellersProblem } from './sellers-of-payment.ts';

export function paymentRoutes(means: PaymentsApiMeans): readonly Route[] {
  return [openRoute(means), paymentRoute(means), orderRoute(means)];
}

/** What every route that opens a checkout is asked with, and what it answers. */
export const opening = {
  method: 'POST',
  scope: scopes.pay,
  tag: 'payments',
  query: { wait_seconds: integerParameter({ min: 0, max: limits.waitSecondsMax }).optional() },
  headers: keyHeaders,
  bodyBytesMax: limits.checkoutBodyBytesMax,
  response: { 201: openedAnswer, 202: openedAnswer },
} as const;

function openRoute(means: PaymentsApiMeans): Route {
  return route({
    ...opening,
    url: '/v1/payments',
    summary: 'Take a payment',
    description:
      'Opens a checkout with an order for each seller; each is charged by itself, off one authentication. 201: every ' +
      'order has come to something; 202: some are under way, look at GET /v1/payments/{checkout_id}. ' +
      '`wait_seconds` waits that long for it at most. The Idempotency-Key is the checkout_id unless told.',
    body: paymentInput,
    problems: [
      ...['checkout-too-large', 'amount-step'],
      'unknown-seller',
      'currency-not-sold',
      'checkout-exists',
      ...keyProblems,
    ],
    handler: async (request, reply) => {
      const { body } = request;
      const tooLarge = sizeProblem(body);
      if (tooLarge) return tooLarge;
      return keyed(means, request, reply, {
        subject: buyerSubject(body.checkout_id),
        defaultKey: body.checkout_id,
        check: async () => amountsProblem(means, body) ?? (await sellersProblem(means, body)),
        run: ({ begunAt }) => {
          const { credit_card_info: method, return_url } = body;
          const command = {
            ...{ ...openCommand(body, begunAt), method },
            ...(return_url === undefined ? {} : { returnUrl: return_url }),
          };
          const waitSeconds = request.query.wait_seconds ?? 0;
          return openPayment(means, command, { by: request.caller.keyId, waitSeconds });
        },
      });
    },
  });
}

/** Opens a checkout, and waits a while for what comes of it. */
export async function openPayment(
  means: PaymentsApiMeans,
  command: OpenCommand,
  { by, waitSeconds }: { readonly by: string; readonly waitSeconds: number },
): Promise<Answered | Problem> {
  const result = await means.payments.as(by).open(command);
  if (result.kind !== 'changed') return problemOf(result);
  const opened = result.state?.checkout;
  if (!opened) throw new TypeError(`checkout ${command.checkoutId} was opened`);
  const checkout = await settle(means, opened, waitSeconds);
  const answer = { ...shownOpened(checkout), position: result.position };
  return { status: isSettled(checkout) ? 201 : 202, body: answer };
}

type OpenInput = Omit<PaymentPageInput, 'return_url'>;

/** But for how it is paid. */
export function openCommand(body: OpenInput, begunAt: number) {
  const { checkout_id, payment_orders } = body;
  return {
    checkoutId: checkout_id,
    currency: payment_orders[0]?.currency ?? '',
    capture: body.capture ?? 'automatic',
    orders: payment_orders.map(({ payment_order_id, seller_account, amount, description }) => ({
      paymentOrderId: payment_order_id,
      sellerAccount: seller_account,
      amount: BigInt(amount),
      ...(description === undefined ? {} : { description }),
    })),
    buyerInfo: body.buyer_info,
    at: begunAt,
    expiresAt: begunAt + limits.expiresAfterMs,
  } satisfies OpenCommand;
}

/** What the terms of an order add to it in its event at most, where the currency is said once; and all the rest. */
const termsBytes = 96;
const headBytes = 4_096;

/** A checkout is one event, and an event has a limit. */
export function sizeProblem({ payment_orders, buyer_info }: OpenInput): Problem | undefined {
  const ordersBytes =
    Buffer.byteLength(JSON.stringify(payment_orders)) + payment_orders.length * termsBytes;
  // Sealed, as base64, it takes a third more.
  const sealedBytes = Math.ceil((Buffer.byteLength(JSON.stringify(buyer_info)) * 4) / 3);
  const { checkoutBytesMax } = limits;
  const bytes = headBytes + ordersBytes + sealedBytes;
  if (bytes <= checkoutBytesMax) return undefined;
  const what = `the checkout takes ${bytes} bytes, more than ${checkoutBytesMax}`;
  const field = ordersBytes > sealedBytes ? 'payment_orders' : 'buyer_info';
  const errors = [{ in: 'body', field, message: what }] as const;
  return paymentsErrors.problem('checkout-too-large', { what }, { errors });
}

/** The checkout once its orders have come to something, or as it is when the time is over. */
async function settle(
  { payments, clock }: PaymentsApiMeans,
  opened: Checkout,
  waitSeconds: number,
): Promise<Checkout> {
  let checkout = opened;
  const polls = Math.floor((waitSeconds * 1_000) / limits.waitPollMs);
  for (let poll = 0; poll < polls && !isSettled(checkout); poll += 1) {
    await clock.sleep(limits.waitPollMs);
    checkout = (await payments.checkout(opened.id)).state?.checkout ?? checkout;
  }
  return checkout;
}

function paymentRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/payments/:checkout_id',
    scope: scopes.read,
    tag: 'payments',
    summary: 'How a payment stands',
    description:
      'Where `next_action` is a redirect, send the buyer there: the provider asks for what it needs, and leads back to ' +
      'return_url.',
    params: { checkout_id: idSchema },
    query: readQuery,
    headers: readHeaders,
    response: paymentAnswer,
    problems: ['unknown-checkout', ...readProblems],
    handler: async (request) => {
      const found = await findCheckout(means, request, request.params.checkout_id);
      if (found instanceof Problem) return found;
      return { ...shownPayment(found.checkout), as_of: found.asOf };
    },
  });
}

function orderRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/payment_orders/:checkout_id/:payment_order_id',
    scope: scopes.read,
    tag: 'payments',
    summary: 'How a payment order stands',
    params: { checkout_id: idSchema, payment_order_id: idSchema },
    query: readQuery,
    headers: readHeaders,
    response: orderAnswer,
    problems: ['unknown-checkout', 'unknown-order', ...readProblems],
    handler: async (request) => {
      const { checkout_id, payment_order_id } = request.params;
      const found = await findOrder(means, request, checkout_id, payment_order_id);
      if (found instanceof Problem) return found;
      return { ...shownOrder(found.checkout, found.order), as_of: found.asOf };
    },
  });
}
