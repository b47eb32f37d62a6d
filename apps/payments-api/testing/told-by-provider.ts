import {
  assessRisk,
  checkoutEvents,
  checkoutStream,
  observeDispute,
  observePayment,
  type Payments,
  refuseCall,
  requestAttempt,
} from '@annals/payments';
import type { TestApi } from './open-api.ts';

/** Orders of one dollar amount brought to a state by what risk and a provider say, without either. */

const usd = (amount: bigint) => ({ amount, currency: 'USD' });

type Decision = Parameters<Payments['changeCheckout']>[1];

async function decide({ means }: TestApi, checkoutId: string, decision: Decision): Promise<void> {
  const changed = await means.payments.changeCheckout(checkoutId, decision);
  if (changed.kind !== 'changed') throw new Error(JSON.stringify(changed));
}

export async function assess(
  api: TestApi,
  checkoutId: string,
  verdict: 'accepted' | 'review' = 'accepted',
): Promise<void> {
  const at = api.clock.now();
  await decide(api, checkoutId, (one) => assessRisk(one, 'o-1', { verdict, rules: ['test'], at }));
}

/** The first attempt of `o-1` is authorized, captured, or waits for the buyer. */
export async function told(
  api: TestApi,
  checkoutId: string,
  status: 'authorized' | 'captured' | 'requires_action',
): Promise<void> {
  const at = api.clock.now();
  const asked = { psp: 'stripe', method: 'pm_card_visa', at, callBefore: at + 60_000 };
  await assess(api, checkoutId);
  await decide(api, checkoutId, (one) => requestAttempt(one, 'o-1', asked));
  const payment = {
    ...{ psp: 'stripe', id: `pi_${checkoutId}`, reference: '', status, disputed: false },
    ...{ amount: usd(10_000n), captured: usd(status === 'captured' ? 10_000n : 0n) },
    ...{ refunded: usd(0n), fee: usd(300n), actionUrl: 'http://psp.test/3ds' },
  };
  await decide(api, checkoutId, (one) => observePayment(one, 'o-1', 1, payment, at));
}

/** The provider has refused the capture that is under way. */
export async function captureRefused(api: TestApi, checkoutId: string): Promise<void> {
  const asked = await lastEventOf(api, checkoutId);
  if (asked?.type !== 'capture-requested') throw new Error(`${asked?.type} is no capture`);
  const why = { reason: 'invalid_request', detail: 'Too little.', at: api.clock.now() };
  await decide(api, checkoutId, (one) => refuseCall(one, asked, why));
}

async function lastEventOf({ means }: TestApi, checkoutId: string) {
  const query = { direction: 'backward', limit: 1 } as const;
  const { events } = await means.log.readStream(checkoutStream(checkoutId), query);
  const [last] = await checkoutEvents.decode(events, means.cipher);
  return last;
}

export async function disputed(api: TestApi, checkoutId: string, id: string): Promise<void> {
  const at = api.clock.now();
  await decide(api, checkoutId, (one) =>
    observeDispute(
      one,
      'o-1',
      { id, status: 'needs_response', reason: 'fraudulent', amount: usd(1_000n), fee: usd(0n) },
      at,
    ),
  );
}
