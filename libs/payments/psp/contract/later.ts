import { describe, expect, test } from 'vitest';
import {
  answeredValue,
  captured,
  fresh,
  type OpenSite,
  type PspSite,
  sitePace,
  usd,
} from './site.ts';

/** The hints among the webhooks that came, as `type id`. */
export function hintsOf(site: PspSite): string[] {
  return site.deliveries().flatMap((delivery) => {
    const parsed = site.psp.parseWebhook(delivery);
    if (parsed.kind === 'refused') throw new Error(parsed.detail);
    return parsed.kind === 'hint' ? [`${parsed.hint.type} ${parsed.hint.object.id}`] : [];
  });
}

async function payout(site: PspSite, destination: string) {
  await site.topUp(1_000n, 'USD');
  const request = { key: fresh('k'), reference: fresh('payout'), destination };
  return answeredValue(await site.psp.createPayout({ ...request, amount: usd(1_000n) }));
}

async function balanceCovers(site: PspSite, amount: bigint): Promise<boolean> {
  const request = { key: fresh('k'), reference: fresh('probe'), destination: 'ba_sandbox' };
  return (await site.psp.createPayout({ ...request, amount: usd(amount) })).kind === 'answered';
}

/** What happens at the provider after the call was answered. */
export function describeLater(open: OpenSite): void {
  describe('payouts on their way', () => {
    test('are in transit, then paid; an unknown account is not found', async () => {
      const site = await open();
      const { id } = await payout(site, 'ba_sandbox');
      const status = async () => answeredValue(await site.psp.retrieve('payout', id)).status;
      await site.pass(sitePace.payoutInTransitMs);
      expect(await status()).toBe('in_transit');
      await site.pass(sitePace.payoutPaidMs);
      expect(await status()).toBe('paid');
      await site.pass(sitePace.payoutFailsMs);
      expect(await status()).toBe('paid');
      const request = { key: fresh('k'), reference: fresh('r'), destination: 'ba_sandbox_nobody' };
      expect(await site.psp.createPayout({ ...request, amount: usd(1n) })).toMatchObject({
        ...{ kind: 'refused', reason: 'not_found' },
      });
    });

    test.each([
      ['ba_sandbox_no_account', 'no_account'],
      ['ba_sandbox_account_closed', 'account_closed'],
    ])('to %s fail, and the money is back', async (destination, failure) => {
      const site = await open();
      const { id } = await payout(site, destination);
      await site.pass(sitePace.payoutInTransitMs);
      await site.pass(sitePace.payoutPaidMs);
      const failed = answeredValue(await site.psp.retrieve('payout', id));
      expect(failed).toMatchObject({ status: 'failed', failure });
      expect(hintsOf(site)).toContain(`payout.failed ${id}`);
      expect(await balanceCovers(site, 1_000n)).toBe(true);
    });

    test.each(['token', 'fault'])('fail after they were paid (by %s)', async (how) => {
      const site = await open();
      if (how === 'fault') {
        await site.inject({ operation: 'payouts.create', do: 'fail_after_paid' });
      }
      const to = how === 'fault' ? 'ba_sandbox' : 'ba_sandbox_fails_after_paid';
      const { id } = await payout(site, to);
      await site.pass(sitePace.payoutInTransitMs);
      await site.pass(sitePace.payoutPaidMs);
      expect(answeredValue(await site.psp.retrieve('payout', id)).status).toBe('paid');
      await site.pass(sitePace.payoutFailsMs);
      const failed = answeredValue(await site.psp.retrieve('payout', id));
      expect(failed).toMatchObject({ status: 'failed', failure: 'could_not_process' });
      const hints = hintsOf(site);
      expect(hints).toContain(`payout.paid ${id}`);
      expect(hints.at(-1)).toBe(`payout.failed ${id}`);
      expect(await balanceCovers(site, 1_000n)).toBe(true);
    });
  });

  describe('refunds on their way', () => {
    async function refund(site: PspSite, method: string) {
      const { id } = await captured(site, method);
      const request = { key: fresh('k'), reference: fresh('r'), paymentId: id, amount: usd(500n) };
      return answeredValue(await site.psp.createRefund(request));
    }

    test('are pending, then succeed', async () => {
      const site = await open();
      const made = await refund(site, 'pm_card_pendingRefund');
      expect(made.status).toBe('pending');
      await site.pass(sitePace.refundMs);
      expect(answeredValue(await site.psp.retrieve('refund', made.id)).status).toBe('succeeded');
      expect(hintsOf(site)).toContain(`refund.updated ${made.id}`);
    });

    test('fail after they succeeded: the payment is not refunded any more', async () => {
      const site = await open();
      const made = await refund(site, 'pm_card_refundFail');
      expect(made.status).toBe('succeeded');
      await site.pass(sitePace.refundMs);
      const failed = answeredValue(await site.psp.retrieve('refund', made.id));
      expect(failed).toMatchObject({ status: 'failed', failure: 'expired_or_canceled_card' });
      const payment = answeredValue(await site.psp.retrieve('payment', made.paymentId));
      expect(payment.refunded).toEqual(usd(0n));
    });
  });

  describe('disputes', () => {
    test.each(['token', 'fault'])('come later (by %s), and stop refunds', async (how) => {
      const site = await open();
      if (how === 'fault') {
        await site.inject({ operation: 'payment_intents.confirm', do: 'dispute_later' });
      }
      const { id } = await captured(
        site,
        how === 'fault' ? 'pm_card_visa' : 'pm_card_createDispute',
      );
      expect(answeredValue(await site.psp.retrieve('payment', id)).disputed).toBe(false);
      await site.pass(sitePace.disputeMs);
      expect(answeredValue(await site.psp.retrieve('payment', id)).disputed).toBe(true);
      const hint = hintsOf(site).find((one) => one.startsWith('charge.dispute.created'));
      const dispute = answeredValue(await site.psp.retrieve('dispute', hint?.split(' ')[1] ?? ''));
      expect(dispute).toMatchObject({
        ...{ paymentId: id, amount: usd(1_999n), fee: usd(1_500n), status: 'needs_response' },
        reason: 'fraudulent',
      });
      expect(dispute.evidenceBy).toBeGreaterThan(site.now());
      const request = { key: fresh('k'), reference: fresh('r'), paymentId: id, amount: usd(1n) };
      expect(await site.psp.createRefund(request)).toMatchObject({
        ...{ kind: 'refused', reason: 'wrong_state' },
      });
    });

    test('are answered with evidence, once, which the bank then weighs', async () => {
      for (const [statement, end] of [
        ['winning_evidence', 'won'],
        ['it was sent', 'lost'],
      ] as const) {
        const site = await open();
        await captured(site, 'pm_card_createDispute');
        await site.pass(sitePace.disputeMs);
        const hint = hintsOf(site).find((one) => one.startsWith('charge.dispute.created'));
        const disputeId = hint?.split(' ')[1] ?? '';
        const evidence = { statement, shipping_tracking_number: 'T-1' };
        const request = { key: fresh('k'), disputeId, evidence };
        const answered = answeredValue(await site.psp.submitEvidence(request));
        expect(answered).toMatchObject({ id: disputeId, status: 'under_review' });
        // The same call is the same answer; another one comes too late.
        expect(answeredValue(await site.psp.submitEvidence(request))).toEqual(answered);
        expect(await site.psp.submitEvidence({ ...request, key: fresh('k') })).toMatchObject({
          kind: 'refused',
        });
        await site.pass(8 * 24 * 3_600_000);
        expect(answeredValue(await site.psp.retrieve('dispute', disputeId)).status).toBe(end);
      }
      const { psp } = await open();
      const unknown = { key: fresh('k'), disputeId: 'dp_none', evidence: { statement: 'x' } };
      expect(await psp.submitEvidence(unknown)).toMatchObject({
        ...{ kind: 'refused', reason: 'not_found' },
      });
    });

    test('are answered with files, each uploaded once, also where the answer was lost', async () => {
      const site = await open();
      await captured(site, 'pm_card_createDispute');
      await site.pass(sitePace.disputeMs);
      const hint = hintsOf(site).find((one) => one.startsWith('charge.dispute.created'));
      const disputeId = hint?.split(' ')[1] ?? '';
      const bytes = Buffer.concat([Buffer.from('%PDF-1.7\r\n'), Buffer.alloc(400_000, '\u00ff\r')]);
      const receipt = { field: 'receipt', type: 'application/pdf', bytes } as const;
      const request = { key: fresh('k'), disputeId, evidence: { statement: 'see' } };
      const wrong = { ...receipt, bytes: Buffer.from('no PDF') };
      expect(await site.psp.submitEvidence({ ...request, files: [wrong] })).toMatchObject({
        ...{ kind: 'refused', reason: 'invalid_request' },
      });
      await site.inject({ operation: 'files.create', do: 'cut', when: 'after' });
      const whole = { ...request, key: fresh('k'), files: [receipt] };
      expect((await site.psp.submitEvidence(whole)).kind).toBe('unknown');
      const answered = answeredValue(await site.psp.submitEvidence(whole));
      expect(answered.status).toBe('under_review');
      expect(answeredValue(await site.psp.submitEvidence(whole))).toEqual(answered);
    });

    test('without evidence are lost when their time is over', async () => {
      const site = await open();
      await captured(site, 'pm_card_createDisputeProductNotReceived');
      await site.pass(sitePace.disputeMs);
      const hint = hintsOf(site).find((one) => one.startsWith('charge.dispute.created'));
      const id = hint?.split(' ')[1] ?? '';
      await site.pass(8 * 24 * 3_600_000);
      expect(answeredValue(await site.psp.retrieve('dispute', id))).toMatchObject({
        ...{ status: 'lost', reason: 'product_not_received' },
      });
      expect(hintsOf(site)).toContain(`charge.dispute.closed ${id}`);
    });
  });

  describe('the settlement file', () => {
    test('of a day that is over has a line for each move; gross less fee is net', async () => {
      const site = await open();
      const date = new Date(site.now()).toISOString().slice(0, 10);
      const { id } = await captured(site);
      const refund = { key: fresh('k'), reference: fresh('r'), paymentId: id, amount: usd(500n) };
      const refunded = answeredValue(await site.psp.createRefund(refund));
      expect(await site.psp.settlementFile(date)).toMatchObject({
        ...{ kind: 'refused', reason: 'wrong_state' },
      });
      await site.pass(24 * 3_600_000);
      // The provider makes the file first.
      expect(await site.psp.settlementFile(date)).toMatchObject({
        ...{ kind: 'refused', reason: 'wrong_state' },
      });
      await site.pass(sitePace.reportMs);
      const file = answeredValue(await site.psp.settlementFile(date));
      expect(file).toMatchObject({ psp: site.psp.name, date });
      let text = '';
      for await (const chunk of file.chunks) text += Buffer.from(chunk).toString();
      const [header = '', ...lines] = text.trimEnd().split('\n');
      const names = header.split(',');
      const rows = lines.map((line) => {
        const cells = line.split(',');
        return Object.fromEntries(names.map((name, index) => [name, cells[index]]));
      });
      expect(rows).toMatchObject([
        { gross: '19.99', fee: '0.88', net: '19.11', reporting_category: 'charge' },
        { gross: '-5.00', fee: '0.00', net: '-5.00', reporting_category: 'refund' },
      ]);
      expect(rows.map((row) => row.payment_intent_id)).toEqual([id, id]);
      expect(rows[1]?.source_id).toBe(refunded.id);
    });

    test('of what is no day is refused', async () => {
      const { psp } = await open();
      for (const date of ['2026-02-30', 'yesterday', '']) {
        expect(await psp.settlementFile(date)).toMatchObject({
          ...{ kind: 'refused', reason: 'invalid_request' },
        });
      }
    });
  });
}
