import {
  assessRisk,
  type CheckoutChanged,
  checkoutStatus,
  type SellerChanged,
} from '@annals/payments';
import type { Once, Ran, RequestIdentity } from '@annals/payments/idempotency';
import { buyerOf } from './erasing.ts';
import { askOverHttp } from './http-desk.ts';
import type { ApiProcess } from './processes.ts';

/** What callers ask for. Amounts are texts, as in JSON. */
export type Command =
  | {
      readonly kind: 'pay';
      readonly checkout: string;
      readonly currency: string;
      readonly capture: 'automatic' | 'manual';
      /** Without one the buyer gives a card on a page. */
      readonly method: string | undefined;
      readonly expiresAt: number;
      readonly orders: readonly {
        readonly id: string;
        readonly seller: string;
        readonly amount: string;
      }[];
    }
  | {
      readonly kind: 'capture';
      readonly checkout: string;
      readonly order: string;
      readonly amount: string | undefined;
    }
  | {
      readonly kind: 'cancel' | 'delivered';
      readonly checkout: string;
      readonly order: string;
    }
  | {
      readonly kind: 'refund';
      readonly checkout: string;
      readonly order: string;
      readonly refund: string;
      readonly amount: string;
    }
  | {
      readonly kind: 'payout';
      readonly seller: string;
      readonly payout: string;
      readonly currency: string;
      readonly amount: string | undefined;
      readonly psp: string;
    };

export interface KeyedCommand {
  readonly caller: string;
  readonly key: string;
  readonly command: Command;
}

/** What a caller hears: an answer for good, or that it has to ask again. */
export type Heard = Once<string>;

/** What is no answer for good: the same may be sent again. */
const passing: ReadonlySet<string> = new Set(['in-progress', 'wallet-behind', 'wallet-lost']);

/** The way of one request: its key, its command, its answer. */
export async function ask(api: ApiProcess, keyed: KeyedCommand): Promise<Heard> {
  if (api.door) return askOverHttp(api.door, keyed);
  const { caller, key, command } = keyed;
  const subject = subjectOf(command);
  const content = JSON.stringify(command);
  return api.idempotency.once({ caller, key, subject, content }, (identity) =>
    perform(api, command, identity),
  );
}

/**
 * A request without a key, as it is sent about a buyer who was erased: no answer can be kept of it. Orders that are there
 * are captured, delivered, paid back; nothing new is taken.
 */
export async function askWithoutKey(api: ApiProcess, caller: string, command: Command) {
  if (command.kind === 'pay') return;
  if (api.door) await askOverHttp(api.door, { caller, key: undefined, command });
  else await perform(api, command, { requestId: 'none', begunAt: api.clock.now() });
}

/** Whom a command is about. */
export function subjectOf(command: Command): string {
  return 'checkout' in command ? `buyer:${command.checkout}` : `seller:${command.seller}`;
}

async function perform(
  api: ApiProcess,
  command: Command,
  { begunAt: at, requestId }: RequestIdentity,
): Promise<Ran<string>> {
  const done = await carriedOut(api, command, at);
  switch (done.kind) {
    case 'changed': {
      const state = done.state && 'checkout' in done.state ? statusOf(done.state) : 'accepted';
      return answered(201, { request: requestId, kind: command.kind, state });
    }
    case 'refused':
      if (passing.has(done.reason)) return { kind: 'not-kept', effect: 'none', value: done.reason };
      return answered(409, { request: requestId, reason: done.reason, detail: done.detail });
    case 'overloaded':
    case 'unreachable':
      return { kind: 'not-kept', effect: 'none', value: 'overloaded' };
    case 'unknown':
      return { kind: 'not-kept', effect: 'unknown', value: done.detail };
  }
}

type OpenedState = Extract<CheckoutChanged, { readonly kind: 'changed' }>['state'];

function statusOf(opened: NonNullable<OpenedState>): string {
  return checkoutStatus([...opened.checkout.orders.values()].map(({ state }) => state));
}

function answered(status: number, body: object): Ran<string> {
  const answer = { status, contentType: 'application/json', body: JSON.stringify(body) };
  return { kind: 'answer', answer };
}

async function carriedOut(
  { payments, ...api }: ApiProcess,
  command: Command,
  at: number,
): Promise<CheckoutChanged | SellerChanged> {
  switch (command.kind) {
    case 'pay':
      return pay({ payments, ...api }, command, at);
    case 'capture': {
      const amount = command.amount === undefined ? {} : { amount: BigInt(command.amount) };
      return payments.capture(command.checkout, command.order, { ...amount, at });
    }
    case 'cancel':
      return payments.cancel(command.checkout, command.order, { at });
    case 'delivered':
      return payments.delivered(command.checkout, command.order, { at });
    case 'refund': {
      const { refund: refundId, amount } = command;
      const refund = { refundId, amount: BigInt(amount), at };
      return payments.refund(command.checkout, command.order, refund);
    }
    case 'payout': {
      const { seller, payout: payoutId, currency, psp } = command;
      const amount = command.amount === undefined ? {} : { amount: BigInt(command.amount) };
      const asked = { seller, payoutId, currency, psp, because: 'on_demand', at } as const;
      return payments.payOut({ ...asked, ...amount });
    }
  }
}

/** Opens a checkout, and says of each order whether it may go on. */
async function pay(
  { payments }: ApiProcess,
  command: Extract<Command, { readonly kind: 'pay' }>,
  at: number,
): Promise<CheckoutChanged> {
  const { checkout: checkoutId, currency, capture, method, expiresAt } = command;
  const [first] = command.orders;
  const page = { psp: pagePspOf(BigInt(first?.amount ?? 0)), pageExpiresAt: expiresAt - pageMs };
  let last = await payments.open({
    ...{ checkoutId, currency, capture, expiresAt, at },
    ...(method === undefined ? { page } : { method }),
    buyerInfo: { name: buyerOf(checkoutId) },
    returnUrl: 'http://shop.test/back',
    orders: command.orders.map(({ id, seller, amount }) => {
      return { paymentOrderId: id, sellerAccount: seller, amount: BigInt(amount) };
    }),
  });
  // On a page risk is assessed when there is a card.
  for (const { id, amount } of method === undefined ? [] : command.orders) {
    if (last.kind !== 'changed') return last;
    last = await payments.changeCheckout(checkoutId, (checkout) =>
      assessRisk(checkout, id, { verdict: verdictOf(BigInt(amount)), rules: ['by-hand'], at }),
    );
  }
  return last;
}

/** So long before its checkout a page expires. */
const pageMs = 20 * 60_000;

/** Whose page it is: by the amount of the first order. */
export function pagePspOf(amount: bigint): string {
  return (amount / 10n) % 4n === 0n ? 'two' : 'one';
}

/** Some are looked at by a person, few are rejected: by the amount, so that every process says the same. */
export function verdictOf(amount: bigint): 'accepted' | 'review' | 'rejected' {
  if (amount % 13n === 0n) return 'review';
  return amount % 29n === 0n ? 'rejected' : 'accepted';
}
