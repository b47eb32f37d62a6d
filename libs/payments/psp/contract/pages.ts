import { describe, expect, test } from 'vitest';
import { hintsOf } from './later.ts';
import { answeredValue, created, fresh, type OpenSite, pageRequest, usd } from './site.ts';

const visa = '4242424242424242';

/** Pages where buyers give cards, and what a token says of its card. */
export function describePages(open: OpenSite): void {
  describe('a page where the buyer gives a card', () => {
    async function opened() {
      const site = await open();
      const request = pageRequest(site);
      const page = answeredValue(await site.psp.openPage(request));
      const stands = async () => answeredValue(await site.psp.retrieve('page', page.id));
      return { site, request, page, stands, url: page.url ?? '' };
    }

    test('is open, with our reference, and found by it', async () => {
      const { site, request, page, stands } = await opened();
      expect(page).toMatchObject({ status: 'open', reference: request.reference });
      expect(page.url).toMatch(/^http/);
      expect(await stands()).toEqual(page);
      const query = { reference: request.reference, since: site.now() };
      expect(await site.psp.find('page', query)).toEqual({ kind: 'found', value: page });
      expect(await site.psp.find('page', { ...query, reference: fresh('none') })).toMatchObject({
        kind: 'not_found',
      });
      await site.pass(1);
      expect(hintsOf(site)).toEqual([]);
    });

    test('leads back, and what it came to pays for several payments', async () => {
      const { site, request, page, stands, url } = await opened();
      expect(await site.giveCard(url, visa)).toBe(request.returnUrl);
      const done = await stands();
      expect(done).toMatchObject({ status: 'completed', fingerprint: expect.any(String) });
      const { authentication = '', method = '' } = done;
      for (const capture of ['automatic', 'manual'] as const) {
        const key = fresh('k');
        const payment = { key, reference: fresh('payment'), amount: usd(700n), capture };
        const made = answeredValue(
          await site.psp.createPayment({ ...payment, method, authentication }),
        );
        const confirm = { key: fresh('k'), paymentId: made.id, authentication };
        const paid = answeredValue(await site.psp.confirmPayment(confirm));
        expect(paid.status).toBe(capture === 'automatic' ? 'captured' : 'authorized');
        expect(paid.fingerprint).toBe(done.fingerprint);
      }
      await site.pass(1);
      expect(hintsOf(site)).toContain(`checkout.session.completed ${page.id}`);
    });

    test('takes one card', async () => {
      const { site, request, stands, url } = await opened();
      await site.giveCard(url, visa);
      const first = await stands();
      expect(await site.giveCard(url, '5555555555554444')).toBe(request.returnUrl);
      expect(await stands()).toEqual(first);
    });

    test.each([
      ['a number that is no card', '4111111111111111'],
      ['a card that is declined', '4000000000000002'],
    ])('%s leaves it open', async (_, number) => {
      const { site, request, stands, url } = await opened();
      expect(await site.giveCard(url, number)).toBe('');
      expect((await stands()).status).toBe('open');
      expect(await site.giveCard(url, visa)).toBe(request.returnUrl);
      expect((await stands()).status).toBe('completed');
    });

    test('asks the bank, and goes on when the holder has said yes', async () => {
      const { site, stands, url } = await opened();
      const bank = await site.giveCard(url, '4000000000003220');
      expect((await stands()).status).toBe('open');
      const back = await site.answerAction(bank, 'failed');
      expect(new URL(back).pathname).toBe(new URL(url).pathname);
      expect((await stands()).status).toBe('open');
      await site.answerAction(await site.giveCard(url, '4000000000003220'), 'succeeded');
      expect((await stands()).status).toBe('completed');
    });

    test('expires, takes no card any more, and a card that was given before stays', async () => {
      const { site, page, stands, url } = await opened();
      const other = answeredValue(await site.psp.openPage(pageRequest(site)));
      await site.giveCard(other.url ?? '', visa);
      const bank = await site.giveCard(url, '4000000000003220');
      await site.pass(3_600_000);
      await site.answerAction(bank, 'succeeded');
      expect(await site.giveCard(url, visa)).toBe('');
      expect(await stands()).toMatchObject({ status: 'expired' });
      const kept = answeredValue(await site.psp.retrieve('page', other.id));
      expect(kept.status).toBe('completed');
      expect(hintsOf(site)).toContain(`checkout.session.expired ${page.id}`);
      expect(hintsOf(site)).not.toContain(`checkout.session.expired ${other.id}`);
    });

    test('that is closed takes no card, also not one that a bank was asked about', async () => {
      const { site, page, stands, url } = await opened();
      const bank = await site.giveCard(url, '4000000000003220');
      const call = { key: fresh('k'), pageId: page.id };
      const closed = answeredValue(await site.psp.closePage(call));
      expect(closed).toMatchObject({ id: page.id, status: 'expired', reference: page.reference });
      expect(answeredValue(await site.psp.closePage(call))).toEqual(closed);
      await site.answerAction(bank, 'succeeded');
      expect(await site.giveCard(url, visa)).toBe('');
      expect(await stands()).toEqual(closed);
      await site.pass(1);
      expect(hintsOf(site)).toContain(`checkout.session.expired ${page.id}`);
      expect(hintsOf(site)).not.toContain(`checkout.session.completed ${page.id}`);
    });

    test('that is not open can not be closed, and a card that was given stays', async () => {
      const { site, page, stands, url } = await opened();
      const close = (pageId: string) => site.psp.closePage({ key: fresh('k'), pageId });
      await site.giveCard(url, visa);
      const wrongState = { kind: 'refused', reason: 'wrong_state' };
      expect(await close(page.id)).toMatchObject(wrongState);
      expect((await stands()).status).toBe('completed');
      const other = answeredValue(await site.psp.openPage(pageRequest(site)));
      answeredValue(await close(other.id));
      expect(await close(other.id)).toMatchObject(wrongState);
      expect(await close('cs_test_none')).toMatchObject({ kind: 'refused', reason: 'not_found' });
    });

    test('that should live too long, or too short, is refused', async () => {
      const site = await open();
      for (const ms of [60_000, 25 * 3_600_000]) {
        const request = { ...pageRequest(site), expiresAt: site.now() + ms };
        expect(await site.psp.openPage(request)).toMatchObject({
          ...{ kind: 'refused', reason: 'invalid_request' },
        });
      }
      expect(await site.psp.retrieve('page', 'cs_test_none')).toMatchObject({
        ...{ kind: 'refused', reason: 'not_found' },
      });
    });
  });

  describe('what a token says of its card', () => {
    test('is the fingerprint that its payments will have, and nothing is made', async () => {
      const site = await open();
      const before = answeredValue(await site.psp.method('pm_card_visa'));
      expect(before.fingerprint).toEqual(expect.any(String));
      const { id } = await created(site);
      await site.psp.confirmPayment({ key: fresh('k'), paymentId: id });
      const paid = answeredValue(await site.psp.retrieve('payment', id));
      expect(paid.fingerprint).toBe(before.fingerprint);
      const other = answeredValue(await site.psp.method('pm_card_mastercard'));
      expect(other.fingerprint).not.toBe(before.fingerprint);
    });

    test('is refused for what is no token, and unknown where there is no answer', async () => {
      const site = await open();
      const missing = { kind: 'refused', reason: 'not_found' };
      expect(await site.psp.method('pm_none')).toMatchObject(missing);
      const operation = 'payment_methods.retrieve';
      await site.inject({ operation, do: 'cut', when: 'before' });
      expect(await site.psp.method('pm_card_visa')).toMatchObject({ kind: 'unknown' });
    });
  });
}
