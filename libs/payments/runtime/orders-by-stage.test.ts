import { idFromKey } from '@annals/core';
import { SeededRandom } from '@annals/projection/testing';
import { expect, test } from 'vitest';
import { PaymentsWalk } from '../contract/history.ts';
import { lastAttempt } from '../order-state.ts';
import { paymentsProjection } from '../projections/payments.ts';
import { deadLetterEvents, deadLetterStream } from '../reactors/dead-letter-events.ts';
import { retryDeadCall } from '../reactors/dead-letters.ts';
import { sqlitePaymentsReadModel } from '../read-model/payments.ts';
import { fedStore, logOf } from '../testing/fed-store.ts';
import { orderEnds } from '../transitions.ts';
import { AcceptedOrders } from './accepted-orders.ts';
import { ordersByStage } from './orders-by-stage.ts';

test.each([1, 2, 3])(
  'of random history %i every accepted order is in one stage, and the stages add up',
  async (seed) => {
    const random = new SeededRandom(seed);
    const walk = new PaymentsWalk(random, Date.parse('2026-11-24T12:00:00Z'));
    await walk.begin();
    for (let step = 0; step < 300; step += 1) await walk.step();
    const log = await logOf(walk.steps, 1, 1_000);
    const { cipher } = walk;
    const read = sqlitePaymentsReadModel(await fedStore(paymentsProjection, log, cipher));
    const found = await ordersByStage({ log, cipher, read, accepted: new AcceptedOrders(log) });
    const orders = [...walk.checkouts.values()].flatMap((one) => [...one.orders.values()]);
    const sumOf = (stage: string) =>
      (found?.stages ?? [])
        .filter((one) => one.stage === stage)
        .reduce((total, one) => total + one.orders, 0);
    const all = (found?.stages ?? []).reduce((total, one) => total + one.orders, 0);
    expect(orders.length).toBeGreaterThan(10);
    expect(found).toMatchObject({ accepted: orders.length, unaccounted: 0 });
    expect(all).toBe(orders.length);
    expect(sumOf('done')).toBe(orders.filter(({ state }) => orderEnds.has(state)).length);
    expect(sumOf('waiting')).toBe(orders.filter(({ state }) => state === 'risk_review').length);
    const again = orders.filter(
      (one) =>
        one.state === 'unknown' ||
        (one.state === 'executing' && lastAttempt(one)?.state === 'declined'),
    );
    expect(sumOf('retrying')).toBe(again.length);
  },
);

test('a call that waits for a person is counted until it is tried again', async () => {
  const walk = new PaymentsWalk(new SeededRandom(1), Date.parse('2026-11-24T12:00:00Z'));
  await walk.begin();
  const log = await logOf(walk.steps, 1, 1_000);
  const { cipher } = walk;
  const key = idFromKey('test', 'intent');
  const data = {
    ...{ key, stream: 'seller-shop', revision: 0, call: 'payout', psp: 'one' },
    ...{ reason: 'too_long', detail: 'a day', tries: [] },
  };
  const event = { type: 'call-dead-lettered', id: idFromKey('test', 'letter'), data } as const;
  const encoded = await deadLetterEvents.encode([{ ...event, occurredAt: 0 }], cipher);
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await log.append(deadLetterStream(key), encoded.events, { expected: 'any' });
  const read = sqlitePaymentsReadModel(await fedStore(paymentsProjection, log, cipher));
  expect(
    (await ordersByStage({ log, cipher, read, accepted: new AcceptedOrders(log) }))?.deadCalls,
  ).toBe(1);
  await retryDeadCall({ log, cipher }, { key, requestedBy: 'ann', at: 0 });
  expect(
    (await ordersByStage({ log, cipher, read, accepted: new AcceptedOrders(log) }))?.deadCalls,
  ).toBe(0);
});

/** A read model, and what was accepted, of a random history. */
async function history(partitions = 2) {
  const walk = new PaymentsWalk(new SeededRandom(4), Date.parse('2026-11-24T12:00:00Z'));
  await walk.begin();
  for (let step = 0; step < 150; step += 1) await walk.step();
  const log = await logOf(walk.steps, partitions, 1_000);
  return { walk, log, cipher: walk.cipher };
}

test('an order that the read model has lost, or made up, is told of', async () => {
  const { log, cipher } = await history();
  const read = sqlitePaymentsReadModel(await fedStore(paymentsProjection, log, cipher));
  const means = { log, cipher, accepted: new AcceptedOrders(log) };
  const sound = await ordersByStage({ ...means, read });
  expect(sound?.unaccounted).toBe(0);
  // A fold that forgets an order counts one less; one that counts twice, one more.
  for (const off of [-1, 1]) {
    const counts: typeof read.counts = async () => {
      const found = await read.counts();
      if (found.kind === 'lost') return found;
      const failed = (found.orders.failed ?? 0) + off;
      return { ...found, orders: { ...found.orders, failed } };
    };
    const told = await ordersByStage({ ...means, read: { ...read, counts } });
    expect(told).toMatchObject({ accepted: sound?.accepted, unaccounted: -off });
  }
});

test('accepted orders are those of a checkpoint, read on from where the last look ended', async () => {
  const { walk, log } = await history(3);
  const accepted = new AcceptedOrders(log);
  const all = [...walk.checkouts.values()].reduce((sum, { orders }) => sum + orders.size, 0);
  let before = 0;
  for (const limit of [10, 40, 90, 10_000]) {
    const { checkpoint, events } = await log.read('start', {}, { limit });
    const opened = events.filter(({ type }) => type === 'checkout-opened');
    const orders = opened.reduce((sum, { data }) => sum + JSON.parse(data).orders.length, 0);
    expect(orders).toBeGreaterThanOrEqual(before);
    expect(await accepted.upTo(checkpoint)).toBe(orders);
    before = orders;
  }
  expect(before).toBe(all);
});
