import { newId } from '@annals/core';
import { stripeClient } from '@annals/payments/psp';
import { ratePerSecond } from '../harness.ts';

/** What a payment of one order asks of a provider: it is made, then confirmed. */
export const callsOfPayment = 2;

const callMsMax = 20_000;
/** More payments than any stretch has time for. */
const numbers = Array.from({ length: 200_000 }, (_, index) => index);

/** The calls of payments through the official client and nothing else. */
export class RawStripe {
  readonly #stripe;

  constructor({ url, key }: { readonly url: string; readonly key: string }) {
    this.#stripe = stripeClient({ url, key, callMsMax });
  }

  /** Payments a second, of as many calls each: made and confirmed with what our adapter sends. */
  load({ clients, stretchMs }: { readonly clients: number; readonly stretchMs: number }) {
    return ratePerSecond(stretchMs, numbers, () => this.#pay(), clients);
  }

  async #pay(): Promise<void> {
    const { paymentIntents } = this.#stripe;
    const reference = newId();
    const expand = ['latest_charge.balance_transaction'];
    const made = await paymentIntents.create(
      {
        ...{ amount: 1_999, currency: 'usd', payment_method: 'pm_card_visa', expand },
        ...{ allowed_payment_method_types: ['card'], capture_method: 'automatic' },
        metadata: { reference },
      },
      { idempotencyKey: `${reference}.create` },
    );
    const confirmed = await paymentIntents.confirm(
      made.id,
      { return_url: 'https://shop.test/back', expand },
      { idempotencyKey: `${reference}.confirm` },
    );
    if (confirmed.status !== 'succeeded') throw new Error(`it is ${confirmed.status}`);
  }
}
