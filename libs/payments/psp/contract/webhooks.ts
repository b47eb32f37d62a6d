import { describe, expect, test } from 'vitest';
import type { PspHint } from '../port.ts';
import { hintsOf } from './later.ts';
import {
  answeredValue,
  captured,
  created,
  fresh,
  type OpenSite,
  type PspSite,
  sitePace,
  usd,
} from './site.ts';

function eventIds(site: PspSite): string[] {
  return site.deliveries().map((delivery) => {
    const parsed = site.psp.parseWebhook(delivery);
    if (parsed.kind === 'refused') throw new Error(parsed.detail);
    return parsed.kind === 'hint' ? parsed.hint.eventId : parsed.eventId;
  });
}

/** Webhooks as they come: signed, late, twice, overtaken, or not at all. */
export function describeWebhooks(open: OpenSite): void {
  describe('webhooks', () => {
    test('tell of each change once, signed', async () => {
      const site = await open();
      const { id } = await captured(site);
      await site.pass(1);
      expect(hintsOf(site)).toEqual([
        `payment_intent.created ${id}`,
        `payment_intent.succeeded ${id}`,
      ]);
      const [first] = site.deliveries();
      const body = Buffer.from(first!.body);
      body[20] = body[20]! ^ 1;
      expect(site.psp.parseWebhook({ ...first!, body })).toMatchObject({
        ...{ kind: 'refused', reason: 'wrong_signature' },
      });
      const stale = { ...first!, receivedAt: first!.receivedAt + 301_000 };
      expect(site.psp.parseWebhook(stale)).toMatchObject({ kind: 'refused', reason: 'stale' });
    });

    test('that are not answered with success come again, with the same event', async () => {
      const site = await open();
      site.receive(false);
      await created(site);
      await site.pass(1);
      expect(site.deliveries()).toHaveLength(1);
      await site.pass(60_000);
      expect(site.deliveries()).toHaveLength(2);
      site.receive(true);
      await site.pass(600_000);
      await site.pass(3_600_000);
      const ids = eventIds(site);
      expect(ids).toHaveLength(3);
      expect(new Set(ids).size).toBe(1);
    });

    test('that are doubled are known by their event', async () => {
      const site = await open();
      await site.inject({ event: 'payment_intent.created', do: 'double' });
      await created(site);
      await site.pass(1);
      const ids = eventIds(site);
      expect(ids).toHaveLength(2);
      expect(new Set(ids).size).toBe(1);
    });

    test('that are lost never come', async () => {
      const site = await open();
      await site.inject({ event: 'payment_intent.created', do: 'lose' });
      const { id } = await captured(site);
      await site.pass(3_600_000);
      expect(hintsOf(site)).toEqual([`payment_intent.succeeded ${id}`]);
    });

    test.each(['delay', 'reorder'] as const)('with a %s are overtaken', async (how) => {
      const site = await open();
      await site.inject({ event: 'payment_intent.created', do: how, ms: 600_000 });
      const { id } = await captured(site);
      await site.pass(1);
      expect(hintsOf(site)).toEqual([`payment_intent.succeeded ${id}`]);
      await site.pass(600_000);
      expect(hintsOf(site)).toEqual([
        `payment_intent.succeeded ${id}`,
        `payment_intent.created ${id}`,
      ]);
    });
  });
}

/** What is asked for, because a webhook may never come. */
export function describeHints(open: OpenSite): void {
  describe('the events of a provider', () => {
    const allOf = async ({ psp }: PspSite, from: number, to: number, limit?: number) => {
      const hints: PspHint[] = [];
      let pages = 0;
      for (let after: string | undefined, end = false; !end; end = after === undefined) {
        const query = { from, to, ...(limit ? { limit } : {}), ...(after ? { after } : {}) };
        const page = answeredValue(await psp.hints(query));
        hints.push(...page.hints);
        pages += 1;
        after = page.next;
      }
      return { hints, pages };
    };
    const named = ({ type, object }: PspHint) => `${type} ${object.id}`;

    test('are told when they are asked for, also those whose webhooks were lost', async () => {
      const site = await open();
      const from = site.now();
      await site.inject({ event: 'refund.*', do: 'lose', times: 10 });
      const { id: paymentId } = await captured(site, 'pm_card_pendingRefund');
      const request = { key: fresh('k'), reference: fresh('refund'), paymentId };
      const made = await site.psp.createRefund({ ...request, amount: usd(100n) });
      const { id } = answeredValue(made);
      await site.pass(sitePace.refundMs);
      expect(hintsOf(site).filter((hint) => hint.endsWith(id))).toEqual([]);
      const { hints } = await allOf(site, from, site.now() + 1_000);
      expect(hints.map(named)).toEqual([`refund.updated ${id}`]);
      expect(hints[0]).toMatchObject({ psp: site.psp.name, object: { kind: 'refund', id } });
    });

    test('have the ids of their webhooks, the newest first, page by page, of a time', async () => {
      const site = await open();
      const from = site.now();
      for (const destination of ['ba_sandbox_fails_after_paid', 'ba_sandbox', 'ba_sandbox']) {
        await site.topUp(1_000n, 'USD');
        const request = { key: fresh('k'), reference: fresh('payout'), destination };
        await site.psp.createPayout({ ...request, amount: usd(1_000n) });
      }
      await site.pass(sitePace.payoutInTransitMs);
      await site.pass(sitePace.payoutPaidMs);
      const paidAt = site.now();
      await site.pass(sitePace.payoutFailsMs + 1_000);
      const told = new Set(eventIds(site));
      const { hints, pages } = await allOf(site, from, site.now() + 1_000, 2);
      expect(pages).toBeGreaterThan(2);
      expect(hints.map(({ type }) => type).filter((type) => !/updated/.test(type))).toEqual([
        ...['payout.failed', 'payout.paid', 'payout.paid', 'payout.paid'],
      ]);
      for (const { eventId } of hints) expect(told).toContain(eventId);
      const times = hints.map(({ occurredAt }) => occurredAt);
      expect(times).toEqual(times.toSorted((a, b) => b - a));
      const later = await allOf(site, paidAt + 1_000, site.now() + 1_000);
      expect(later.hints.map(({ type }) => type)).toEqual(['payout.failed']);
      const earlier = await allOf(site, from, paidAt + 1_000);
      expect(earlier.hints).toEqual(hints.slice(1));
    });

    test('cannot be asked for while the provider is away', async () => {
      const site = await open();
      await site.inject({ operation: 'events.list', do: 'error', when: 'before' });
      const query = { from: 0, to: site.now() };
      expect(await site.psp.hints(query)).toMatchObject({ kind: 'unknown' });
    });
  });
}

/** What the provider has answered outlives it. */
export function describeKills(open: OpenSite): void {
  describe('kill -9 of the provider', () => {
    test('between any two calls: everything answered is there, and keys are still known', async () => {
      const site = await open();
      const key = fresh('create');
      const reference = fresh('payment');
      const made = await created(site, { key, reference, capture: 'manual' });
      const steps: (() => Promise<{ readonly kind: string; readonly value?: unknown }>)[] = [
        () => site.psp.confirmPayment({ key: `${key}-1`, paymentId: made.id }),
        () => site.psp.capturePayment({ key: `${key}-2`, paymentId: made.id, amount: usd(1_500n) }),
        () =>
          site.psp.createRefund({
            ...{ key: `${key}-3`, reference: `${reference}-refund`, paymentId: made.id },
            amount: usd(500n),
          }),
        () =>
          site.psp.createPayout({
            ...{ key: `${key}-4`, reference: `${reference}-payout`, destination: 'ba_sandbox' },
            amount: usd(700n),
          }),
      ];
      for (const step of steps) {
        const first = await step();
        expect(first.kind).toBe('answered');
        await site.kill?.();
        const again = await step();
        expect(again.value).toEqual(first.value);
      }
      const payment = await site.psp.retrieve('payment', made.id);
      expect(payment).toMatchObject({
        ...{ value: { captured: usd(1_500n), refunded: usd(500n), status: 'captured' } },
      });
      expect([
        await site.count('payment'),
        await site.count('refund'),
        await site.count('payout'),
      ]).toEqual([1, 1, 1]);
    });

    test('webhooks that were not answered yet come after it', async () => {
      const site = await open();
      site.receive(false);
      const { id } = await created(site);
      await site.pass(1);
      await site.kill?.();
      site.receive(true);
      await site.pass(60_000);
      expect(
        hintsOf(site).filter((hint) => hint === `payment_intent.created ${id}`).length,
      ).toBeGreaterThan(1);
    });

    test('at any moment under load: what was answered is there, and every key has one effect', async () => {
      const site = await open();
      const references = Array.from({ length: 40 }, () => fresh('payment'));
      const answered = new Map<string, string>();
      const send = async (reference: string) => {
        const request = { key: `k-${reference}`, reference, amount: usd(100n) };
        const answer = await site.psp.createPayment({
          ...{ ...request, method: 'pm_card_visa', capture: 'automatic' },
        });
        if (answer.kind === 'answered') answered.set(reference, answer.value.id);
        return answer.kind;
      };
      const sending = Promise.all(references.map(send));
      const killing = new Promise((resolve) => setTimeout(resolve, 30)).then(() => site.kill?.());
      await Promise.all([sending, killing]);
      const before = new Map(answered);
      for (const reference of references) expect(await send(reference)).toBe('answered');
      for (const [reference, id] of before) expect(answered.get(reference)).toBe(id);
      expect(await site.count('payment')).toBe(references.length);
    });
  });
}
