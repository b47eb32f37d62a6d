import { describe, expect, test } from 'vitest';
import {
  answeredValue,
  captured,
  confirmed,
  created,
  fresh,
  type OpenSite,
  siteSearchLagMs,
  siteTerms,
  usd,
} from './site.ts';

/** What every call does where nothing goes wrong. */
export function describeCalls(open: OpenSite): void {
  describe('payments', () => {
    test('a payment that is created moves nothing, and can be retrieved at once', async () => {
      const site = await open();
      const reference = fresh('payment');
      const made = await created(site, { reference });
      expect(made).toMatchObject({
        status: 'created',
        reference,
        amount: usd(1_999n),
        captured: usd(0n),
      });
      expect(made.chargeId).toBeUndefined();
      expect(answeredValue(await site.psp.retrieve('payment', made.id))).toEqual(made);
    });

    test('confirmed with automatic capture it is captured, with the fee that the provider keeps', async () => {
      const site = await open();
      const payment = await captured(site);
      expect(payment).toMatchObject({
        status: 'captured',
        captured: usd(1_999n),
        refunded: usd(0n),
      });
      expect(payment.fee?.amount).toBeGreaterThan(0n);
      expect(payment.chargeId).toBeTruthy();
      expect(payment.fingerprint).toBeTruthy();
    });

    test('with manual capture it is authorized, and captured in part: the rest is let go', async () => {
      const site = await open();
      const held = await confirmed(site, await created(site, { capture: 'manual' }));
      expect(held).toMatchObject({ status: 'authorized', captured: usd(0n) });
      expect(held.fee).toBeUndefined();
      const call = { key: fresh('capture'), paymentId: held.id };
      const taken = answeredValue(await site.psp.capturePayment({ ...call, amount: usd(1_500n) }));
      expect(taken).toMatchObject({ status: 'captured', captured: usd(1_500n), refunded: usd(0n) });
      const again = { ...call, key: fresh('capture'), amount: usd(499n) };
      expect(await site.psp.capturePayment(again)).toMatchObject({
        ...{ kind: 'refused', reason: 'wrong_state' },
      });
    });

    test('more than is authorized is not captured', async () => {
      const site = await open();
      const held = await confirmed(site, await created(site, { capture: 'manual' }));
      const call = { key: fresh('capture'), paymentId: held.id, amount: usd(2_000n) };
      expect(await site.psp.capturePayment(call)).toMatchObject({ kind: 'refused' });
      expect(answeredValue(await site.psp.retrieve('payment', held.id)).status).toBe('authorized');
    });

    test.each(['manual', 'unconfirmed'] as const)('a payment (%s) is voided', async (how) => {
      const site = await open();
      const made = await created(site, { capture: 'manual' });
      if (how === 'manual') await confirmed(site, made);
      const call = () => site.psp.voidPayment({ key: fresh('void'), paymentId: made.id });
      expect(answeredValue(await call())).toMatchObject({ status: 'voided', captured: usd(0n) });
      expect(await call()).toMatchObject({ kind: 'refused', reason: 'wrong_state' });
      expect(
        await site.psp.confirmPayment({ key: fresh('confirm'), paymentId: made.id }),
      ).toMatchObject({ kind: 'refused', reason: 'wrong_state' });
    });

    test('confirmed twice with two keys it is charged once', async () => {
      const site = await open();
      const payment = await captured(site);
      const again = await site.psp.confirmPayment({ key: fresh('k'), paymentId: payment.id });
      expect(again).toMatchObject({ kind: 'refused', reason: 'wrong_state' });
      expect(answeredValue(await site.psp.retrieve('payment', payment.id))).toEqual(payment);
    });

    test.each([
      ['a currency without decimals', { amount: 500n, currency: 'JPY' }],
      ['a currency with three', { amount: 12_340n, currency: 'KWD' }],
      ['a currency that the provider counts otherwise', { amount: 700n, currency: 'ISK' }],
    ])('%s comes back as it was sent', async (_, amount) => {
      const site = await open();
      const payment = await confirmed(site, await created(site, { amount }));
      expect(payment).toMatchObject({ amount, captured: amount });
    });

    test.each([
      ['nothing', usd(0n)],
      ['less than nothing', usd(-1n)],
      ['too much', usd(10n ** 18n)],
      ['an unknown currency', { amount: 1n, currency: 'XXQ' }],
    ])('%s is refused', async (_, amount) => {
      const { psp, count } = await open();
      const request = { key: fresh('k'), reference: fresh('r'), method: 'pm_card_visa' };
      const answer = await psp.createPayment({ ...request, amount, capture: 'manual' });
      expect(answer).toMatchObject({ kind: 'refused', reason: 'invalid_request' });
      expect(await count('payment')).toBe(0);
    });

    test('an unknown method and unknown objects are not found', async () => {
      const { psp } = await open();
      const method = { key: fresh('k'), reference: fresh('r'), method: 'pm_nobody' };
      const notFound = { kind: 'refused', reason: 'not_found' };
      expect(
        await psp.createPayment({ ...method, amount: usd(1n), capture: 'manual' }),
      ).toMatchObject(notFound);
      expect(await psp.confirmPayment({ key: fresh('k'), paymentId: 'pi_1' })).toMatchObject(
        notFound,
      );
      for (const kind of ['payment', 'refund', 'payout', 'dispute'] as const) {
        expect(await psp.retrieve(kind, 'xx_1')).toMatchObject(notFound);
      }
    });
  });

  describe('refunds', () => {
    test('many of them, never more than was captured', async () => {
      const site = await open();
      const payment = await captured(site);
      const refund = (amount: bigint) =>
        site.psp.createRefund({
          ...{ key: fresh('k'), reference: fresh('refund'), paymentId: payment.id },
          amount: usd(amount),
        });
      const first = answeredValue(await refund(500n));
      expect(first).toMatchObject({
        status: 'succeeded',
        paymentId: payment.id,
        amount: usd(500n),
      });
      expect(answeredValue(await site.psp.retrieve('refund', first.id))).toEqual(first);
      expect((await refund(1_500n)).kind).toBe('refused');
      expect((await refund(1_499n)).kind).toBe('answered');
      expect(await refund(1n)).toMatchObject({ kind: 'refused', reason: 'wrong_state' });
      const left = answeredValue(await site.psp.retrieve('payment', payment.id));
      expect(left).toMatchObject({ status: 'captured', refunded: usd(1_999n) });
    });

    test('of a payment that is not captured there is none', async () => {
      const site = await open();
      const held = await confirmed(site, await created(site, { capture: 'manual' }));
      const request = { key: fresh('k'), reference: fresh('r'), paymentId: held.id };
      expect(await site.psp.createRefund({ ...request, amount: usd(1n) })).toMatchObject({
        ...{ kind: 'refused', reason: 'wrong_state' },
      });
    });
  });

  describe('payouts', () => {
    test('go out of the balance, and no further', async () => {
      const site = await open();
      await site.topUp(1_000n, 'USD');
      const payout = (amount: bigint) =>
        site.psp.createPayout({
          ...{ key: fresh('k'), reference: fresh('payout'), destination: 'ba_sandbox' },
          amount: usd(amount),
        });
      const made = answeredValue(await payout(700n));
      expect(made).toMatchObject({ status: 'pending', amount: usd(700n) });
      expect(await payout(301n)).toMatchObject({ kind: 'refused', reason: 'balance_insufficient' });
      expect((await payout(300n)).kind).toBe('answered');
    });
  });

  describe('looking by our reference', () => {
    test('a payment is found after the lag of the search, and before it nothing is said', async () => {
      const site = await open();
      const since = site.now();
      const payment = await captured(site);
      const query = { reference: payment.reference, since };
      const early = await site.psp.find('payment', query);
      const settledMs = siteTerms.inFlightMsMax + siteSearchLagMs;
      expect(early).toEqual({ kind: 'not_found', settledMs });
      await site.pass(settledMs);
      expect(await site.psp.find('payment', query)).toMatchObject({
        kind: 'found',
        value: payment,
      });
      const other = { reference: fresh('nobody'), since };
      expect((await site.psp.find('payment', other)).kind).toBe('not_found');
    });

    test('refunds and payouts are found at once', async () => {
      const site = await open();
      const since = site.now();
      const payment = await captured(site);
      const reference = fresh('refund');
      const request = { key: fresh('k'), reference, paymentId: payment.id, amount: usd(5n) };
      const refund = answeredValue(await site.psp.createRefund(request));
      for (const query of [
        { reference, since },
        { reference, since, paymentId: payment.id },
      ]) {
        expect(await site.psp.find('refund', query)).toEqual({ kind: 'found', value: refund });
      }
      const to = { key: fresh('k'), reference: fresh('payout'), destination: 'ba_sandbox' };
      const payout = answeredValue(await site.psp.createPayout({ ...to, amount: usd(5n) }));
      expect(await site.psp.find('payout', { reference: to.reference, since })).toEqual({
        ...{ kind: 'found', value: payout },
      });
      const nobody = { reference: fresh('nobody'), since };
      const settled = { kind: 'not_found', settledMs: siteTerms.inFlightMsMax };
      expect(await site.psp.find('refund', nobody)).toEqual(settled);
      expect(await site.psp.find('payout', nobody)).toEqual(settled);
    });

    test('a refund is found behind more than a page of others', async () => {
      const site = await open();
      const since = site.now();
      const payment = await captured(site);
      const refund = (reference: string) =>
        site.psp.createRefund({
          ...{ key: fresh('k'), reference, paymentId: payment.id, amount: usd(1n) },
        });
      const reference = fresh('refund');
      const first = answeredValue(await refund(reference));
      for (let number = 0; number < 120; number += 1) answeredValue(await refund(fresh('other')));
      const found = await site.psp.find('refund', { reference, since, paymentId: payment.id });
      expect(found).toEqual({ kind: 'found', value: first });
    });

    test('a reference that was used twice is ambiguous', async () => {
      const site = await open();
      const payment = await captured(site);
      const reference = fresh('refund');
      for (let time = 0; time < 2; time += 1) {
        const request = { key: fresh('k'), reference, paymentId: payment.id };
        answeredValue(await site.psp.createRefund({ ...request, amount: usd(5n) }));
      }
      const found = await site.psp.find('refund', { reference, since: site.now() });
      expect(found).toMatchObject({ kind: 'ambiguous' });
    });

    test('what can be no reference of ours is refused', async () => {
      const { psp } = await open();
      for (const reference of ['', "a' OR status:'succeeded", 'a b', 'x'.repeat(401)]) {
        expect(await psp.find('payment', { reference, since: 0 })).toMatchObject({
          ...{ kind: 'refused', reason: 'invalid_request' },
        });
      }
    });
  });

  describe('keys', () => {
    test('the same key and request come to the same answer and one effect', async () => {
      const site = await open();
      const request = { key: fresh('k'), reference: fresh('payment') };
      const first = await created(site, request);
      expect(await created(site, request)).toEqual(first);
      expect(await site.count('payment')).toBe(1);
      const confirm = { key: fresh('k'), paymentId: first.id };
      const answers = [
        await site.psp.confirmPayment(confirm),
        await site.psp.confirmPayment(confirm),
      ];
      const values = answers.map(answeredValue);
      expect(values[1]).toEqual(values[0]);
      const refund = { key: fresh('k'), reference: fresh('refund'), paymentId: first.id };
      const given = { ...refund, amount: usd(5n) };
      const refunds = [await site.psp.createRefund(given), await site.psp.createRefund(given)];
      expect(answeredValue(refunds[1]!)).toEqual(answeredValue(refunds[0]!));
      expect(await site.count('refund')).toBe(1);
    });

    test('another request with the same key is refused, and has no effect', async () => {
      const site = await open();
      const key = fresh('k');
      const reference = fresh('payment');
      await created(site, { key, reference });
      const other = { key, reference, method: 'pm_card_visa', capture: 'automatic' } as const;
      expect(await site.psp.createPayment({ ...other, amount: usd(1n) })).toMatchObject({
        ...{ kind: 'refused', reason: 'key_reused' },
      });
      expect(await site.count('payment')).toBe(1);
    });

    test('a call that is given up before it is sent has no effect', async () => {
      const site = await open();
      const request = { key: fresh('k'), reference: fresh('r'), amount: usd(1n) };
      const answer = await site.psp.createPayment({
        ...{ ...request, method: 'pm_card_visa', capture: 'manual', signal: AbortSignal.abort() },
      });
      expect(answer).toMatchObject({ kind: 'refused', reason: 'unavailable' });
      expect(await site.count('payment')).toBe(0);
    });
  });
}
