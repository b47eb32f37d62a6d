import { memoryEventLog } from '@annals/event-log';
import { SeededRandom } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { describe, expect, it } from 'vitest';
import { PaymentsWalk } from './contract/history.ts';
import { checkoutEvents, sellerEvents } from './events.ts';
import { historyOf, sentenceOf, sentences } from './history-in-words.ts';
import { checkoutStream } from './streams.ts';
import { logOf } from './testing/fed-store.ts';

const order = { checkout_id: 'c-1', payment_order_id: 'o-1' };
const booked = { seller_account: 'shop', currency: 'KWD', amount: '12345' };

describe('a sentence', () => {
  it('is there for every event of checkouts and sellers', () => {
    const names = [...checkoutEvents.names, ...sellerEvents.names];
    expect(Object.keys(sentences).toSorted()).toEqual(names.toSorted());
  });

  it('says money with the decimals of its currency', () => {
    const refund = { ...order, ...booked, refund_id: 'r-1', psp_refund_id: 're_1' };
    expect(sentenceOf({ type: 'refund-succeeded', data: refund })).toBe(
      'Refund r-1 gave 12.345 KWD for order o-1 back to the buyer.',
    );
    const yen = { ...refund, currency: 'JPY' };
    expect(sentenceOf({ type: 'refund-succeeded', data: yen })).toContain('12345 JPY');
  });

  it.each([
    [
      'attempt-voided',
      { ...order, attempt: 1, ...booked, authorized: '5', reason: 'canceled' },
      'Attempt 1 was let go and 0.005 KWD set free: order o-1 was canceled.',
    ],
    [
      'attempt-voided',
      { ...order, attempt: 1, ...booked, authorized: '0', reason: 'expired' },
      'Attempt 1 was let go: order o-1 was expired.',
    ],
    [
      'order-ended',
      { ...order, as: 'canceled', reason: 'asked-for' },
      'Order o-1 has been canceled: asked for.',
    ],
    [
      'capture-refused',
      {
        ...order,
        attempt: 1,
        psp: 'stripe',
        psp_payment_id: 'pi_1',
        refusals: 1,
        reason: 'invalid_request',
        detail: 'no',
        amount: '1999',
        currency: 'KWD',
      },
      'The provider stripe did not take 1.999 KWD for order o-1: invalid request; it may be asked for again.',
    ],
    [
      'void-refused',
      {
        ...order,
        attempt: 1,
        psp: 'stripe',
        psp_payment_id: 'pi_1',
        refusals: 2,
        reason: 'not_permitted',
        detail: 'no',
        as: 'expired',
        tries: 1,
        again_at: Date.parse('2026-11-24T12:00:00Z'),
      },
      'The provider stripe did not let go of attempt 1 for order o-1: not permitted; it is tried again at 2026-11-24 12:00 UTC.',
    ],
    [
      'void-refused',
      {
        ...order,
        attempt: 1,
        psp: 'stripe',
        psp_payment_id: 'pi_1',
        refusals: 3,
        reason: 'not_permitted',
        detail: 'no',
        as: 'expired',
        tries: 5,
      },
      'The provider stripe did not let go of attempt 1 for order o-1: not permitted; a person has to look.',
    ],
    [
      'attempt-declined',
      { ...order, attempt: 2, reason: 'insufficient_funds', code: 'x', final: true },
      'Attempt 2 for order o-1 was declined: insufficient funds; the order has failed.',
    ],
    [
      'payout-failed',
      { ...booked, payout_id: 'p-1', reason: 'account_closed', after_paid: true },
      'Payout p-1 of 12.345 KWD to seller shop failed after it was paid: account closed; the money is available again.',
    ],
    [
      'order-risk-assessed',
      { ...order, verdict: 'review', rules: ['velocity_card'] },
      'Risk asked for a person to look at order o-1 (velocity card).',
    ],
  ] as const)('of %s reads as a person would say it', (type, data, text) => {
    expect(sentenceOf({ type, data })).toBe(text);
  });
});

describe('the history of a checkout', () => {
  it('tells each of its events in order, and the payouts that followed a release', async () => {
    let payouts = 0;
    for (const seed of [1, 2, 3, 4]) {
      const walk = new PaymentsWalk(new SeededRandom(seed), Date.parse('2026-11-24T12:00:00Z'));
      await walk.begin();
      for (let step = 0; step < 300; step += 1) await walk.step();
      walk.erase();
      const log = await logOf(walk.steps, 2, 1_000);
      for (const id of walk.checkouts.keys()) {
        const lines = (await historyOf({ log, cipher: walk.cipher }, id)) ?? [];
        const { events } = await log.readStream(checkoutStream(id));
        const ids = events.map((event) => event.id);
        const told = lines.map(({ eventId }) => eventId);
        expect(told.filter((one) => ids.includes(one))).toEqual(ids);
        for (const { text } of lines) {
          expect(text).toMatch(/^[A-Z].*[^.]\.$/);
          expect(text).not.toMatch(/undefined|null|NaN|ann@example|tok_1|\[object/);
        }
        const times = lines.map(({ at }) => at);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        const paid = lines.findIndex(({ type }) => type === 'payout-requested');
        if (paid < 0) continue;
        payouts += 1;
        expect(lines.findIndex(({ type }) => type === 'order-released')).toBeLessThan(paid);
      }
    }
    expect(payouts).toBeGreaterThan(0);
  });

  it('names who decided, else the key that asked; and there is none of what is not there', async () => {
    const log = memoryEventLog();
    const cipher = subjectCipher(memorySubjectKeyStore());
    const evidence = { ...order, dispute_id: 'd-1', given_by: 'ann' };
    const ended = { ...order, as: 'canceled', reason: 'asked-for' } as const;
    const at = { occurredAt: 1, metadata: { actor: 'key-1' } };
    const encoded = await checkoutEvents.encode(
      [
        { ...at, type: 'dispute-evidence-given', id: id(1), data: evidence },
        { ...at, type: 'order-ended', id: id(2), data: ended },
        { type: 'order-ended', id: id(3), occurredAt: 1, data: ended },
      ],
      cipher,
    );
    if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
    await log.append(checkoutStream('c-1'), encoded.events, { expected: 'no-stream' });
    const lines = await historyOf({ log, cipher }, 'c-1');
    expect(lines?.map(({ by }) => by)).toEqual(['ann', 'key-1', undefined]);
    expect(await historyOf({ log, cipher }, 'c-2')).toBeUndefined();
  });
});

function id(number: number): string {
  return `00000000-0000-4000-8000-00000000000${number}`;
}
