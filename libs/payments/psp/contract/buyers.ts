import { describe, expect, test } from 'vitest';
import type { PspPaymentStatus } from '../port.ts';
import { answeredValue, confirmed, created, fresh, type OpenSite, sitePace, usd } from './site.ts';

/** Every test card: what its confirmation comes to, and how its payment stands then. */
const confirmations: readonly (readonly [string, object, PspPaymentStatus])[] = [
  ['pm_card_visa', { kind: 'answered' }, 'captured'],
  ['pm_card_mastercard', { kind: 'answered' }, 'captured'],
  ['pm_card_amex', { kind: 'answered' }, 'captured'],
  ['pm_card_createDispute', { kind: 'answered' }, 'captured'],
  ['pm_card_createDisputeProductNotReceived', { kind: 'answered' }, 'captured'],
  ['pm_card_pendingRefund', { kind: 'answered' }, 'captured'],
  ['pm_card_refundFail', { kind: 'answered' }, 'captured'],
  ['pm_sandbox_processing', { kind: 'answered' }, 'processing'],
  ['pm_sandbox_processingDeclined', { kind: 'answered' }, 'processing'],
  ['pm_card_threeDSecure2Required', { kind: 'requires_action' }, 'requires_action'],
  ['pm_card_authenticationRequired', { kind: 'requires_action' }, 'requires_action'],
  [
    'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds',
    { kind: 'requires_action' },
    'requires_action',
  ],
  ...declines([
    ['pm_card_visa_chargeDeclined', 'do_not_honor', 'ask_buyer'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'insufficient_funds', 'ask_buyer'],
    ['pm_card_visa_chargeDeclinedLostCard', 'lost_card', 'fail'],
    ['pm_card_visa_chargeDeclinedStolenCard', 'stolen_card', 'fail'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'ask_buyer'],
    ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_details', 'ask_buyer'],
    ['pm_card_chargeDeclinedProcessingError', 'processing_error', 'retry'],
    ['pm_card_visa_chargeDeclinedVelocityLimitExceeded', 'limit_exceeded', 'ask_buyer'],
    ['pm_card_radarBlock', 'suspected_fraud', 'fail'],
  ]),
];

function declines(rows: readonly (readonly [string, string, string])[]) {
  return rows.map(([token, reason, next]) => {
    return [token, { kind: 'declined', reason, next }, 'declined'] as const;
  });
}

/** The tokens that the contract tries; a test of the sandbox compares them with its list. */
export const triedTokens: readonly string[] = confirmations.map(([token]) => token);

/** Buyers and their banks: every test card, and 3-D Secure. */
export function describeBuyers(open: OpenSite): void {
  describe('every test card', () => {
    test.each(confirmations)('%s: %o, then %s', async (method, said, status) => {
      const site = await open();
      const made = await created(site, { method });
      const confirm = { key: fresh('k'), paymentId: made.id };
      expect(await site.psp.confirmPayment(confirm)).toMatchObject(said);
      const payment = answeredValue(await site.psp.retrieve('payment', made.id));
      expect(payment.status).toBe(status);
      expect(payment.captured).toEqual(usd(status === 'captured' ? 1_999n : 0n));
    });

    test('a payment that was declined says why, and can be voided', async () => {
      const site = await open();
      const made = await created(site, { method: 'pm_card_visa_chargeDeclinedLostCard' });
      await site.psp.confirmPayment({ key: fresh('k'), paymentId: made.id });
      expect(answeredValue(await site.psp.retrieve('payment', made.id)).declined).toEqual({
        ...{ reason: 'lost_card', code: 'lost_card', next: 'fail' },
      });
      const voided = await site.psp.voidPayment({ key: fresh('k'), paymentId: made.id });
      expect(answeredValue(voided).status).toBe('voided');
    });

    test.each([
      ['pm_sandbox_processing', 'captured'],
      ['pm_sandbox_processingDeclined', 'declined'],
    ])('%s is %s in the end', async (method, status) => {
      const site = await open();
      const { id } = await confirmed(site, await created(site, { method }));
      await site.pass(sitePace.processingMs);
      expect(answeredValue(await site.psp.retrieve('payment', id)).status).toBe(status);
    });
  });

  describe('3-D Secure', () => {
    test.each([
      ['pm_card_threeDSecure2Required', 'succeeded', 'captured', undefined],
      ['pm_card_authenticationRequired', 'succeeded', 'captured', undefined],
      ['pm_card_threeDSecure2Required', 'failed', 'declined', 'authentication_failed'],
      [
        'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds',
        ...(['succeeded', 'declined', 'insufficient_funds'] as const),
      ],
    ] as const)('%s, the holder says %s: %s %s', async (method, outcome, status, reason) => {
      const site = await open();
      const made = await created(site, { method });
      const returnUrl = 'http://127.0.0.1:9/back?order=7';
      const confirm = { key: fresh('k'), paymentId: made.id, returnUrl };
      const asked = await site.psp.confirmPayment(confirm);
      if (asked.kind !== 'requires_action') throw new Error(asked.kind);
      const back = new URL(await site.answerAction(asked.actionUrl, outcome));
      expect(back.searchParams.get('order')).toBe('7');
      expect(back.searchParams.get('payment_intent')).toBe(made.id);
      const payment = answeredValue(await site.psp.retrieve('payment', made.id));
      expect(payment.status).toBe(status);
      expect(payment.declined?.reason).toBe(reason);
    });
  });

  describe('one authentication for several payments', () => {
    async function authenticated(method: string) {
      const site = await open();
      const reference = fresh('checkout');
      const request = { key: fresh('k'), reference, method };
      const answer = await site.psp.authenticate(request);
      const pay = async (authentication: string) => {
        const amount = usd(700n);
        const key = fresh('k');
        const payment = { key, reference: fresh('payment'), amount, method, authentication };
        const made = answeredValue(
          await site.psp.createPayment({ ...payment, capture: 'automatic' }),
        );
        return site.psp.confirmPayment({ key: fresh('k'), paymentId: made.id, authentication });
      };
      return { site, answer, pay };
    }

    test('the holder is asked once, and every payment is captured', async () => {
      const { site, answer, pay } = await authenticated('pm_card_threeDSecure2Required');
      if (answer.kind !== 'requires_action') throw new Error(answer.kind);
      const { id } = answer.value;
      await site.answerAction(answer.actionUrl, 'succeeded');
      const [plain = ''] = id.split('.');
      for (const name of [id, plain]) {
        const proven = answeredValue(await site.psp.retrieve('authentication', name));
        expect(proven).toMatchObject({ id, status: 'authenticated' });
      }
      for (let order = 0; order < 3; order += 1) {
        expect(answeredValue(await pay(id)).status).toBe('captured');
      }
    });

    test('where the holder says no, nothing can be paid by it', async () => {
      const { site, answer } = await authenticated('pm_card_threeDSecure2Required');
      if (answer.kind !== 'requires_action') throw new Error(answer.kind);
      await site.answerAction(answer.actionUrl, 'failed');
      const after = answeredValue(await site.psp.retrieve('authentication', answer.value.id));
      expect(after.status).toBe('failed');
    });

    test('a card that needs none is authenticated at once', async () => {
      const { answer, pay } = await authenticated('pm_card_visa');
      expect(answeredValue(answer).status).toBe('authenticated');
      expect(answeredValue(await pay(answeredValue(answer).id)).status).toBe('captured');
    });

    test('a bank that wants to ask at every payment declines one without the buyer', async () => {
      const { site, answer, pay } = await authenticated('pm_card_authenticationRequired');
      if (answer.kind !== 'requires_action') throw new Error(answer.kind);
      await site.answerAction(answer.actionUrl, 'succeeded');
      expect(await pay(answer.value.id)).toMatchObject({
        ...{ kind: 'declined', reason: 'authentication_required', next: 'ask_buyer' },
      });
    });
  });
}
