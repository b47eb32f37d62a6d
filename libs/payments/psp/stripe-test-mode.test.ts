import { newId, systemClock } from '@annals/core';
import { describe, expect, test } from 'vitest';
import type { PspAnswer } from './port.ts';
import { stripePsp } from './stripe.ts';

/**
 * The adapter against Stripe itself, in test mode: what the sandbox says of Stripe is held against Stripe. Faults
 * can't be asked for there, so they are not in here. With ENGINES=required these are still skipped: the key is a
 * secret of whoever has a contract.
 */
const key = process.env.ANNALS_TEST_STRIPE_KEY;

if (!key?.startsWith('sk_test_')) {
  describe(`Stripe in test mode (skipped: ANNALS_TEST_STRIPE_KEY holds no sk_test_ key)`, () => {
    test.skipIf(true)('is not asked', () => undefined);
  });
} else {
  describe('Stripe in test mode', () => describeStripe(key));
}

function describeStripe(secretKey: string): void {
  const psp = stripePsp({
    ...{ name: 'stripe', url: 'https://api.stripe.com', key: secretKey, webhookSecrets: [] },
    ...{ returnUrl: 'https://example.com/back', clock: systemClock },
  });
  const amount = { amount: 1_999n, currency: 'USD' };
  const answeredValue = <T>(answer: PspAnswer<T>): T => {
    if ('value' in answer) return answer.value;
    throw new Error(JSON.stringify(answer));
  };
  const create = async (method: string, capture: 'automatic' | 'manual' = 'automatic') => {
    const request = { key: newId(), reference: newId(), amount, method, capture };
    return { request, payment: answeredValue(await psp.createPayment(request)) };
  };
  const confirm = (paymentId: string) => psp.confirmPayment({ key: newId(), paymentId });

  test('authorize, capture a part, refund a part', async () => {
    const { request, payment } = await create('pm_card_visa', 'manual');
    expect(payment).toMatchObject({ status: 'created', reference: request.reference, amount });
    expect(answeredValue(await confirm(payment.id)).status).toBe('authorized');
    const capture = { key: newId(), paymentId: payment.id, amount: { ...amount, amount: 1_500n } };
    const captured = answeredValue(await psp.capturePayment(capture));
    expect(captured).toMatchObject({ status: 'captured', captured: capture.amount });
    expect(captured.refunded.amount).toBe(0n);
    const part = { ...amount, amount: 500n };
    const refund = { key: newId(), reference: newId(), paymentId: payment.id, amount: part };
    const refunded = answeredValue(await psp.createRefund(refund));
    const query = { reference: refund.reference, since: Date.now(), paymentId: payment.id };
    expect(await psp.find('refund', query)).toEqual({ kind: 'found', value: refunded });
    expect(answeredValue(await psp.retrieve('payment', payment.id)).refunded).toEqual(part);
  });

  test('a key is answered once', async () => {
    const { request, payment } = await create('pm_card_visa', 'manual');
    expect(answeredValue(await psp.createPayment(request))).toEqual(payment);
    const other = { ...request, amount: { ...amount, amount: 1n } };
    expect(await psp.createPayment(other)).toMatchObject({ reason: 'key_reused' });
    const voided = await psp.voidPayment({ key: newId(), paymentId: payment.id });
    expect(answeredValue(voided).status).toBe('voided');
  });

  test('declines and 3-D Secure', async () => {
    const lost = await create('pm_card_visa_chargeDeclinedLostCard');
    expect(await confirm(lost.payment.id)).toMatchObject({ kind: 'declined', reason: 'lost_card' });
    const asked = await create('pm_card_threeDSecure2Required');
    expect((await confirm(asked.payment.id)).kind).toBe('requires_action');
  });
}
