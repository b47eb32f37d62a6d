import { systemClock } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import type { Psp, PspDispute, PspPayment, PspRefund } from '../psp/port.ts';
import type { WalletsReadModel } from '../read-model/wallets.ts';
import { approveResolution, requestResolution } from '../reconciliation/decide.ts';
import { settlementStream } from '../reconciliation/events.ts';
import { change, readDay } from '../reconciliation/service.ts';
import { Payments } from '../service.ts';
import { assess, openCommand, paid, shopTerms } from '../testing/paid-order.ts';
import { dayOf } from '../utc-days.ts';
import { paymentsObserver } from './payments-observer.ts';

const dispute: PspDispute = {
  ...{ psp: 'one', id: 'dp_1', paymentId: 'pi_1', status: 'lost', reason: 'fraudulent' },
  amount: { amount: 100n, currency: 'USD' },
};

function observerWhere(retrieved: object) {
  const psp = { retrieve: async () => retrieved } as unknown as Psp;
  return paymentsObserver({
    ...{ log: memoryEventLog(), cipher: subjectCipher(memorySubjectKeyStore()) },
    ...{ clock: systemClock, psp: () => psp, onContradiction: () => undefined },
  });
}

test.each([
  ['does not answer', { kind: 'unknown', detail: 'timeout' }],
  ['is not asked at present', { kind: 'refused', reason: 'unavailable', detail: 'nothing sent' }],
])('a dispute whose provider %s is not said to be of somebody else', async (_, retrieved) => {
  const { observe } = observerWhere(retrieved);
  await expect(observe({ kind: 'dispute', value: dispute })).rejects.toThrow('pi_1');
});

test('a dispute of a payment that is not there is none of ours', async () => {
  const { observe } = observerWhere({ kind: 'refused', reason: 'not_found', detail: 'no such' });
  expect(await observe({ kind: 'dispute', value: dispute })).toBe('not_ours');
});

const clock = { now: () => Date.parse('2026-11-24T12:00:00Z'), sleep: async () => undefined };
const whole = { amount: 10_000n, currency: 'USD' };

const payment = { kind: 'answered', value: { reference: 'p~c-1~o-1~1' } };

/** A checkout with an order of 100 dollars, and who brings in what the provider says of it. */
async function shop() {
  const means = { log: memoryEventLog({ clock }), cipher: subjectCipher(memorySubjectKeyStore()) };
  const payments = new Payments({ ...means, clock, wallets: {} as WalletsReadModel });
  const contradictions: string[] = [];
  const { observe } = paymentsObserver({
    ...{ ...means, clock, psp: () => ({ retrieve: async () => payment }) as unknown as Psp },
    onContradiction: (_, why) => contradictions.push(why),
  });
  await payments.putSeller('shop', shopTerms);
  await payments.open(openCommand);
  const order = async () => (await payments.checkout('c-1')).state?.checkout.orders.get('o-1');
  const opened = { ...dispute, amount: whole };
  const kept = async () => {
    const day = dayOf(clock.now());
    return [...(await readDay(means, 'one', day)).breaks.values()].map(({ found, state }) => {
      return { ...found, state };
    });
  };
  return { payments, order, contradictions, observe, opened, kept, means };
}

const refund: PspRefund = {
  ...{ psp: 'one', id: 're_1', paymentId: 'pi_1', reference: 'r~c-1~o-1~r-1', status: 'failed' },
  amount: whole,
};

test('a dispute waits for a refund that is under way, and is booked when that has come to nothing', async () => {
  const { payments, observe, opened, order, contradictions } = await shop();
  await paid(payments);
  await payments.refund('c-1', 'o-1', { refundId: 'r-1', amount: 10_000n });
  expect(await observe({ kind: 'dispute', value: opened })).toBe('later');
  expect((await order())?.disputes.size).toBe(0);
  expect(await observe({ kind: 'refund', value: refund })).toBe('changed');
  expect(await observe({ kind: 'dispute', value: opened })).toBe('changed');
  expect((await order())?.disputes.get('dp_1')?.state).toBe('lost');
  expect(contradictions).toEqual([]);
});

test('a dispute of an order whose capture is not booked yet waits for that', async () => {
  const { payments, observe, opened, order } = await shop();
  await assess(payments);
  expect(await observe({ kind: 'dispute', value: opened })).toBe('later');
  await paid(payments);
  expect(await observe({ kind: 'dispute', value: opened })).toBe('changed');
  expect((await order())?.disputes.size).toBe(1);
});

test('a dispute about what was paid back is for a person: it is not booked, and not asked for again', async () => {
  const { payments, observe, opened, order, contradictions, kept, means } = await shop();
  await paid(payments);
  await payments.refund('c-1', 'o-1', { refundId: 'r-1', amount: 10_000n });
  await observe({ kind: 'refund', value: { ...refund, status: 'succeeded' } });
  expect(await observe({ kind: 'dispute', value: opened })).toBe('unchanged');
  expect((await order())?.disputes.size).toBe(0);
  expect(contradictions).toEqual([expect.stringContaining('above-captured')]);

  const [one, ...more] = await kept();
  expect(more).toEqual([]);
  expect(one).toMatchObject({ class: 'unidentified_row', treatment: 'special', key: 'dp_1' });
  expect(one?.detail).toMatch(
    /^dispute dp_1: one says lost, 10000 USD; checkout-c-1: above-captured: .+/,
  );
  // Heard again, also by another process, and as something else: the same contradiction.
  const { observe: another } = paymentsObserver({
    ...{ ...means, clock, psp: () => ({ retrieve: async () => payment }) as unknown as Psp },
    onContradiction: () => undefined,
  });
  await another({ kind: 'dispute', value: { ...opened, status: 'needs_response' } });
  expect(await kept()).toEqual([one]);
  const about = { psp: 'one', date: dayOf(clock.now()), at: clock.now() };
  const of = { ...about, breakId: one?.break_id ?? '' };
  const stream = settlementStream('one', about.date);
  const reason = 'claimed back from the provider';
  await change({ ...means, clock }, stream, (day) =>
    requestResolution(day, { ...of, by: 'ann', reason }),
  );
  await change({ ...means, clock }, stream, (day) => approveResolution(day, { ...of, by: 'ben' }));
  await observe({ kind: 'dispute', value: opened });
  expect(await kept()).toMatchObject([{ state: 'resolved' }]);
});

test('what a provider says of a payment that we do not know is kept, in the day on which it is heard', async () => {
  const { observe, kept } = await shop();
  const money = { amount: 500n, currency: 'USD' };
  const none = { amount: 0n, currency: 'USD' };
  const stranger: PspPayment = {
    ...{ psp: 'one', id: 'pi_9', reference: 'p~c-9~o-1~1', status: 'captured', disputed: false },
    ...{ amount: money, captured: money, refunded: none },
  };
  expect(await observe({ kind: 'payment', value: stranger })).toBe('unchanged');
  const detail = expect.stringContaining(
    'one says captured, 500 USD; checkout-c-9: unknown-checkout',
  );
  expect(await kept()).toMatchObject([{ key: 'pi_9', detail }]);
});
