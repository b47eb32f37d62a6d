import { observePayment, requestAttempt } from '../decide/attempts.ts';
import { assessRisk, type OpenCheckout, openCheckout } from '../decide/checkout.ts';
import { registerSeller } from '../decide/seller.ts';
import type { CheckoutEvent, SellerEvent } from '../events.ts';
import type { Decided, Refused } from '../outcome.ts';
import type { PspPayment, PspPaymentStatus } from '../psp/port.ts';
import { evolveSeller, type Seller, type SellerTerms } from '../seller-state.ts';
import type { Payments } from '../service.ts';
import { type Checkout, evolve } from '../state.ts';

const noon = Date.parse('2026-11-24T12:00:00Z');

export const shopTerms: SellerTerms = {
  currencies: [
    { currency: 'USD', fee_basis_points: 250, fee_fixed: '0', payout_minimum: '1' },
    { currency: 'JPY', fee_basis_points: 250, fee_fixed: '0', payout_minimum: '1' },
  ],
  reserve_basis_points: 0,
  release_after_days: 7,
  payout_schedule: 'daily',
};

/** One order of 100 dollars. */
export const openCommand: Omit<OpenCheckout, 'at'> = {
  checkoutId: 'c-1',
  currency: 'USD',
  capture: 'automatic',
  orders: [{ paymentOrderId: 'o-1', sellerAccount: 'shop', amount: 10_000n }],
  buyerInfo: { email: 'ann@example.org' },
  method: 'tok_1',
  expiresAt: noon + 3_600_000,
};

const at = noon;
const callBefore = noon + 60_000;

/** Risk lets the order of `openCommand` through, and its first attempt is asked for. */
export async function assess(payments: Payments): Promise<void> {
  await settled(() =>
    payments.changeCheckout('c-1', (checkout) =>
      assessRisk(checkout, 'o-1', { verdict: 'accepted', rules: [], at }),
    ),
  );
  await settled(() =>
    payments.changeCheckout('c-1', (checkout) =>
      checkout?.orders.get('o-1')?.attempts.length
        ? { kind: 'decided', events: [] }
        : requestAttempt(checkout, 'o-1', { psp: 'one', method: 'tok_1', at, callBefore }),
    ),
  );
}

export async function authorize(payments: Payments): Promise<void> {
  await told(payments, 'authorized');
}

/** The order of `openCommand` is paid. */
export async function paid(payments: Payments): Promise<void> {
  await assess(payments);
  await told(payments, 'captured');
}

/** What the provider of `openCommand`'s order says of its payment. */
export function paymentTold(status: PspPaymentStatus): PspPayment {
  const usd = (amount: bigint) => ({ amount, currency: 'USD' });
  return {
    ...{ psp: 'one', id: 'pi_1', reference: 'c-1/o-1/1', status, disputed: false },
    amount: usd(10_000n),
    captured: usd(status === 'captured' ? 10_000n : 0n),
    refunded: usd(0n),
    fee: usd(300n),
  };
}

/** The checkout of `openCommand`, to be captured by hand, with its order authorized. */
export function authorizedCheckout(): Checkout {
  const registered = { account: 'shop', terms: shopTerms, at };
  const shop = registerSeller(undefined, registered).events.reduce<Seller | undefined>(
    (seller, event) => evolveSeller(seller, event as SellerEvent),
    undefined,
  );
  const sellers = new Map(shop ? [['shop', shop]] : []);
  const steps: ((one: Checkout | undefined) => Decided<CheckoutEvent> | Refused)[] = [
    (one) => openCheckout(one, sellers, { ...openCommand, capture: 'manual', at }),
    (one) => assessRisk(one, 'o-1', { verdict: 'accepted', rules: [], at }),
    (one) => requestAttempt(one, 'o-1', { psp: 'one', method: 'tok_1', at, callBefore }),
    (one) => observePayment(one, 'o-1', 1, paymentTold('authorized'), at),
  ];
  let checkout: Checkout | undefined;
  for (const step of steps) {
    const made = step(checkout);
    if (made.kind === 'refused') throw new Error(made.detail);
    checkout = made.events.reduce(evolve, checkout);
  }
  if (!checkout) throw new Error('nothing was opened');
  return checkout;
}

async function told(payments: Payments, status: 'authorized' | 'captured'): Promise<void> {
  const payment = paymentTold(status);
  await settled(() =>
    payments.changeCheckout('c-1', (checkout) => observePayment(checkout, 'o-1', 1, payment, at)),
  );
}

/** Asks again as long as nobody knows. */
async function settled(command: () => Promise<{ readonly kind: string }>): Promise<void> {
  for (let sent = 0; sent < 10; sent += 1) {
    const { kind } = await command();
    if (kind === 'changed') return;
    if (kind !== 'unknown') throw new Error(kind);
  }
  throw new Error('nobody ever knew');
}
