import { buyerOf } from './erasing.ts';
import type { Command, Heard, KeyedCommand } from './front-desk.ts';
import type { Answered, HttpDoor } from './http-door.ts';
import { shownCard } from './witness.ts';

/** The way of one request over HTTP, and what its answer says to a client that knows the documented errors. */
export async function askOverHttp(
  door: HttpDoor,
  { caller, key, command }: Omit<KeyedCommand, 'key'> & { readonly key: string | undefined },
): Promise<Heard> {
  const answered = await door.ask({ caller, key, ...requestOf(command) });
  const { status, type: contentType, body, isReplayed } = answered;
  const answer = { kind: 'answer', answer: { status, contentType, body } } as const;
  if (isReplayed || status < 300) return { ...answer, replayed: isReplayed };
  const code = codeOf(answered);
  if (code === 'idempotency-key-reused') {
    return { kind: 'refused', reason: 'key-reused', detail: body };
  }
  if (code === 'subject-erased') return { kind: 'refused', reason: code, detail: body };
  // A decision about how things stood stays the answer of its key; what passes, or is wrong with the request, does not.
  if (status === 409 && !passing.has(code)) return { ...answer, replayed: false };
  return { kind: 'not-kept', value: code };
}

type Payment = Extract<Command, { readonly kind: 'pay' }>;
type KeyedPayment = KeyedCommand & { readonly command: Payment };

/**
 * The same payment from somebody who writes the number of a card into a text, under a key and a name of its own. What was
 * answered, unless that was a refusal; whether anything of it is kept or shown is for the witness to see.
 */
export async function askCarelessly(
  door: HttpDoor,
  { caller, key, command }: KeyedPayment,
): Promise<string | undefined> {
  const { orders, checkout } = command;
  const body = paymentOf({ ...command, checkout: `${checkout}-told` });
  const payment_orders = body.payment_orders.map((order) => {
    return { ...order, description: `paid by ${shownCard}` };
  });
  const route = requestOf(command).route;
  const asked = { caller, key: `${key}-told`, route, body: { ...body, payment_orders } };
  const { status, body: said } = await door.ask(asked);
  if (status === 400) return undefined;
  return `a card in the text of ${checkout} (${orders.length} orders) was answered ${status} ${said}`;
}

/** Codes of 409 after which the same request is decided anew. */
const passing: ReadonlySet<string> = new Set(['in-progress', 'request-in-flight']);

function codeOf({ status, body }: Answered): string {
  const { code } = JSON.parse(body) as { readonly code?: unknown };
  return typeof code === 'string' ? code : String(status);
}

function requestOf(command: Command): {
  readonly route: string;
  readonly body: object | undefined;
} {
  if (command.kind === 'pay') {
    const route = command.method === undefined ? '/v1/payment_pages' : '/v1/payments';
    return { route: `POST ${route}`, body: paymentOf(command) };
  }
  if (command.kind === 'payout') {
    const { seller: seller_account, payout: payout_id, currency, amount } = command;
    const body = { seller_account, payout_id, currency, amount };
    return { route: 'POST /v1/payouts', body };
  }
  const order = `POST /v1/payment_orders/${command.checkout}/${command.order}`;
  switch (command.kind) {
    case 'capture':
      return { route: `${order}/capture`, body: { amount: command.amount } };
    case 'refund': {
      const { refund: refund_id, amount } = command;
      return { route: `${order}/refunds`, body: { refund_id, amount } };
    }
    case 'cancel':
    case 'delivered':
      return { route: `${order}/${command.kind}`, body: undefined };
  }
}

function paymentOf(command: Payment) {
  const { checkout: checkout_id, currency, orders, method, capture } = command;
  return {
    ...{ checkout_id, capture, return_url: 'http://shop.test/back' },
    ...(method === undefined ? {} : { credit_card_info: method }),
    buyer_info: { name: buyerOf(checkout_id) },
    payment_orders: orders.map(({ id, seller: seller_account, amount }) => {
      return { payment_order_id: id, seller_account, amount, currency };
    }),
  };
}
