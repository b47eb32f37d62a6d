import { newId } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import { runReactor } from '@annals/projection';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { journalOf } from '../journal.ts';
import { walletChangesOf } from '../projections/wallets.ts';
import type { WalletsReadModel } from '../read-model/wallets.ts';
import type { SellerTerms } from '../seller-state.ts';
import { Payments } from '../service.ts';
import { checkoutStream, sellerStream } from '../streams.ts';
import { openCommand, paid, shopTerms } from '../testing/paid-order.ts';
import { financeStream } from './events.ts';
import { financeLimits } from './limits.ts';
import { parsePayoutLimits } from './payout-limits.ts';
import { payoutReleases } from './release-reactor.ts';
import { Finance, releaseRequestId, scheduleRequester } from './service.ts';

const noon = Date.parse('2026-11-24T12:00:00Z');
const currency = shopTerms.currencies[0]?.currency ?? '';

/** A market with a limit of 1,000 and a wallet that holds what the test says. */
class Site {
  now = noon;
  available = 5_000n;
  readonly clock = { now: () => this.now };
  readonly log = memoryEventLog({ clock: this.clock });
  readonly cipher = subjectCipher(memorySubjectKeyStore());
  readonly finance = new Finance(this);
  readonly wallets: WalletsReadModel = {
    waitFor: async () => 'reached',
    wallets: async () => ({
      ...{ kind: 'answer', asOf: {}, sellerRevision: Number.MAX_SAFE_INTEGER },
      wallets: [{ currency, pending: 0n, available: this.available, reserved: 0n, disputed: 0n }],
    }),
  };
  readonly payments = new Payments({
    ...this,
    releases: { above: new Map([[currency, 1_000n]]), finance: this.finance },
  });

  async seller(terms: SellerTerms = shopTerms): Promise<void> {
    await this.payments.putSeller('shop', terms);
    await this.payments.putBank('shop', 'btok_1');
  }

  payOut(payoutId: string, amount?: bigint, by = 'ann') {
    const command = {
      seller: 'shop',
      payoutId,
      currency,
      psp: 'one',
      because: 'on_demand',
    } as const;
    return this.payments.as(by).payOut({ ...command, ...(amount === undefined ? {} : { amount }) });
  }

  startReleases(): void {
    const stop = new AbortController();
    const { log, cipher, payments, finance } = this;
    const reactor = payoutReleases({ cipher, payments, finance });
    const clock = { now: () => this.now, sleep: async () => undefined };
    const { signal } = stop;
    const ended = runReactor({ log, cipher, clock, reactor, signal, runId: newId(), from: {} });
    onTestFinished(async () => {
      stop.abort();
      await ended;
    });
  }

  async payout(payoutId: string) {
    return (await this.payments.seller('shop')).state?.seller.payouts.get(payoutId);
  }

  /** A captured order: its stream, and the revision of the event that booked it. */
  async booked() {
    await this.payments.open(openCommand);
    await paid(this.payments);
    const stream = checkoutStream('c-1');
    const { events } = await this.log.readStream(stream);
    const captured = events.find(({ type }) => type === 'order-captured');
    if (!captured) throw new Error('nothing was captured');
    return { corrects: { stream, revision: captured.revision }, event: captured };
  }
}

async function siteWithSeller(): Promise<Site> {
  const site = new Site();
  await site.seller();
  return site;
}

describe('a payout above the limit', () => {
  it('waits for another key, and is then decided against the wallet as it is', async () => {
    const site = await siteWithSeller();
    expect(await site.payOut('p-1')).toMatchObject({ kind: 'refused', reason: 'needs-release' });
    expect(await site.payOut('p-1')).toMatchObject({ reason: 'needs-release' });
    const id = releaseRequestId('shop', 'p-1');
    const [request, ...more] = await site.finance.requests('requested');
    expect(more).toEqual([]);
    expect(request).toMatchObject({ id, requestedBy: 'ann', asks: { amount: '5000' } });
    expect(await site.payout('p-1')).toBeUndefined();

    site.startReleases();
    expect(await site.finance.approve(id, 'ann')).toMatchObject({ reason: 'same-person' });
    expect(await site.finance.approve(id, 'ben')).toMatchObject({ kind: 'changed', events: 1 });
    expect(await site.finance.approve(id, 'ben')).toMatchObject({ kind: 'changed', events: 0 });
    await vi.waitFor(async () =>
      expect(await site.payout('p-1')).toMatchObject({ amount: 5_000n }),
    );
    const { events } = await site.log.readStream(sellerStream('shop'));
    expect(events.at(-1)).toMatchObject({ type: 'payout-requested', metadata: { actor: 'ben' } });
  });

  it('of just the limit, or in a currency without one, needs nobody', async () => {
    const site = await siteWithSeller();
    expect(await site.payOut('p-1', 1_000n)).toMatchObject({ kind: 'changed', events: 1 });
    expect(await site.payOut('p-2', 1_001n)).toMatchObject({ reason: 'needs-release' });
    const free = new Payments({ ...site, releases: { above: new Map(), finance: site.finance } });
    const command = { seller: 'shop', payoutId: 'p-3', currency, psp: 'one' } as const;
    expect(await free.payOut({ ...command, because: 'on_demand' })).toMatchObject({ events: 1 });
  });

  it('that a schedule asked for is released by any person', async () => {
    const site = new Site();
    await site.seller({ ...shopTerms, payout_schedule: 'daily' });
    await site.payments.payOutOn('shop', '2026-11-24', { psp: 'one' });
    const [request] = await site.finance.requests('requested');
    expect(request).toMatchObject({
      requestedBy: scheduleRequester,
      asks: { because: 'schedule' },
    });
    expect(await site.finance.approve(request?.id ?? '', 'ann')).toMatchObject({ events: 1 });
  });

  it('that the money is not there for any more is refused, and says so', async () => {
    const site = await siteWithSeller();
    await site.payOut('p-1');
    site.available = 4_999n;
    const id = releaseRequestId('shop', 'p-1');
    await site.finance.approve(id, 'ben');
    site.startReleases();
    await vi.waitFor(async () => {
      expect(await site.finance.request(id)).toMatchObject({ state: 'refused' });
    });
    expect((await site.finance.request(id))?.because).toContain('insufficient-funds');
    expect(await site.payout('p-1')).toBeUndefined();
  });

  it('that was rejected stays unpaid, however often it is asked for', async () => {
    const site = await siteWithSeller();
    site.startReleases();
    await site.payOut('p-1');
    const id = releaseRequestId('shop', 'p-1');
    const no = await site.finance.reject(id, 'ben', 'not this one');
    expect(no).toMatchObject({ kind: 'changed', state: { state: 'rejected', decidedBy: 'ben' } });
    expect(await site.payOut('p-1')).toMatchObject({
      reason: 'release-closed',
      detail: 'its release was rejected: not this one; a new payout needs another payout_id',
    });
    expect(await site.finance.approve(id, 'eve')).toMatchObject({ reason: 'request-closed' });
    expect(await site.finance.requests('requested')).toEqual([]);
    expect(await site.payout('p-1')).toBeUndefined();
  });

  it('cannot be had in parts: what was paid on demand within a day counts', async () => {
    const site = await siteWithSeller();
    expect(await site.payOut('p-1', 900n)).toMatchObject({ kind: 'changed', events: 1 });
    expect(await site.payOut('p-2', 900n)).toMatchObject({ reason: 'needs-release' });
    expect(await site.payOut('p-2', 900n, 'eve')).toMatchObject({ reason: 'needs-release' });
    expect(await site.payOut('p-3', 100n)).toMatchObject({ kind: 'changed', events: 1 });
    site.startReleases();
    await site.finance.approve(releaseRequestId('shop', 'p-2'), 'ben');
    await vi.waitFor(async () => expect(await site.payout('p-2')).toMatchObject({ amount: 900n }));
    site.now += 24 * 3_600_000;
    // What a second person has released counts for nothing.
    expect(await site.payOut('p-4', 1_000n)).toMatchObject({ kind: 'changed', events: 1 });
  });

  it('that was taken back says so', async () => {
    const site = await siteWithSeller();
    await site.payOut('p-1');
    await site.finance.reject(releaseRequestId('shop', 'p-1'), 'ann', 'a slip');
    const detail = expect.stringContaining('was taken back: a slip');
    expect(await site.payOut('p-1')).toMatchObject({ reason: 'release-closed', detail });
    // Also where another amount is there by now.
    site.available = 6_000n;
    expect(await site.payOut('p-1')).toMatchObject({ reason: 'release-closed', detail });
  });

  it('that nobody looked at for a week has expired', async () => {
    const site = await siteWithSeller();
    await site.payOut('p-1');
    const id = releaseRequestId('shop', 'p-1');
    expect(await site.finance.expire()).toBe(0);
    site.now += financeLimits.expiresAfterMs;
    expect(await site.finance.approve(id, 'ben')).toMatchObject({ reason: 'request-expired' });
    expect(await site.finance.expire()).toBe(1);
    expect(await site.finance.expire()).toBe(0);
    expect(await site.finance.request(id)).toMatchObject({ state: 'expired' });
    expect(await site.payOut('p-1')).toMatchObject({ reason: 'release-closed' });
  });
});

describe('a manual entry', () => {
  const nobody = 'seller_available:nosuch';
  const entry = {
    currency: 'USD',
    lines: [{ debit: 'losses', credit: 'seller_available:shop', amount: '250' }],
  };

  it('names what it corrects, and is one event with both persons in it', async () => {
    const site = await siteWithSeller();
    const { corrects, event } = await site.booked();
    const asked = { id: 'm-1', entry, corrects, reason: 'charged twice', by: 'ann' };
    expect(await site.finance.requestEntry(asked)).toMatchObject({ kind: 'changed', events: 1 });
    expect(await site.finance.requestEntry(asked)).toMatchObject({ kind: 'changed', events: 0 });
    const [line] = entry.lines;
    const other = { ...asked, entry: { ...entry, lines: [{ ...line!, amount: '251' }] } };
    expect(await site.finance.requestEntry(other)).toMatchObject({ reason: 'request-exists' });
    expect(await site.finance.approve('m-1', 'ann')).toMatchObject({ reason: 'same-person' });
    expect(await site.finance.approve('m-1', 'ben')).toMatchObject({ kind: 'changed', events: 1 });
    const { events } = await site.log.readStream(financeStream('m-1'));
    expect(events.map(({ type }) => type)).toEqual(['finance-requested', 'manual-entry-booked']);
    const booked = { type: 'manual-entry-booked', data: JSON.parse(events[1]?.data ?? '') };
    expect(journalOf(booked)).toEqual({
      ...{ currency: 'USD', corrects: event.id },
      postings: [
        { account: 'losses', balance: 'posted', amount: 250n, side: 'debit' },
        { account: 'seller_available:shop', balance: 'posted', amount: 250n, side: 'credit' },
      ],
    });
    expect(walletChangesOf(booked).changes).toEqual([
      { seller: 'shop', part: 'available', amount: 250n },
    ]);
    expect(booked.data).toMatchObject({
      ...{ requested_by: 'ann', approved_by: 'ben', reason: 'charged twice', corrects: event.id },
      entry,
    });
  });

  it.each([
    ['an account that there is not', { debit: 'cash' }, 'wrong-entry'],
    ["a seller's account without a seller", { debit: 'seller_available' }, 'wrong-entry'],
    ['a seller at an account of the platform', { debit: 'bank:shop' }, 'wrong-entry'],
    ['one account twice', { debit: 'seller_available:shop' }, 'wrong-entry'],
    ['nothing', { amount: '0' }, 'wrong-entry'],
    ['less than nothing', { amount: '-5' }, 'wrong-entry'],
    ['too many digits', { amount: '1'.repeat(19) }, 'wrong-entry'],
  ])('over %s is refused, and nothing is written', async (_, change, reason) => {
    const site = await siteWithSeller();
    const { corrects } = await site.booked();
    const lines = [{ ...(entry.lines[0] as (typeof entry.lines)[0]), ...change }];
    const asked = { id: 'm-1', entry: { ...entry, lines }, corrects, reason: 'so', by: 'ann' };
    expect(await site.finance.requestEntry(asked)).toMatchObject({ kind: 'refused', reason });
    expect(await site.finance.request('m-1')).toBeUndefined();
  });

  it.each([
    ['no reason', { reason: ' ' }, 'reason-missing'],
    ['a long reason', { reason: 'x'.repeat(501) }, 'reason-missing'],
    ['a card number as its reason', { reason: 'see 4242 4242 4242 4242' }, 'reason-missing'],
    ['no currency', { entry: { ...entry, currency: 'EURO' } }, 'wrong-entry'],
    ['no line', { entry: { ...entry, lines: [] } }, 'wrong-entry'],
    ['another currency', { entry: { ...entry, currency: 'JPY' } }, 'wrong-currency'],
    [
      'a seller that there is not',
      { entry: { ...entry, lines: [...entry.lines, { ...entry.lines[0]!, debit: nobody }] } },
      'unknown-seller',
    ],
    [
      'a stream that is not there',
      { corrects: { stream: 'checkout-no', revision: 0 } },
      'unknown-entry',
    ],
    [
      'an event that has booked nothing',
      { corrects: { stream: 'checkout-c-1', revision: 0 } },
      'unknown-entry',
    ],
    [
      'a revision that is not there yet',
      { corrects: { stream: 'checkout-c-1', revision: 99 } },
      'unknown-entry',
    ],
  ])('with %s is refused', async (_, change, reason) => {
    const site = await siteWithSeller();
    const { corrects } = await site.booked();
    const asked = { id: 'm-1', entry, corrects, reason: 'so', by: 'ann', ...change };
    expect(await site.finance.requestEntry(asked)).toMatchObject({ kind: 'refused', reason });
  });
});

describe('the limits of payouts as a setting', () => {
  it('names currencies and minor units', () => {
    const limits = parsePayoutLimits('EUR:1000000, JPY:1500000,');
    expect(limits).toEqual(
      new Map([
        ['EUR', 1_000_000n],
        ['JPY', 1_500_000n],
      ]),
    );
    expect(parsePayoutLimits('')).toEqual(new Map());
  });

  it.each(['EURO:1', 'EUR', 'EUR:0', 'EUR:1.5', 'EUR:-1', 'EUR:1:2', 'EUR:1,EUR:2'])(
    'is not %s',
    (text) => {
      expect(parsePayoutLimits(text)).toBeTypeOf('string');
    },
  );
});
