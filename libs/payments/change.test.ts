import { idFromKey } from '@annals/core';
import { type MemoryLogFaults, memoryEventLog, type StoredEvent } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { type ChangeMeans, changeLimits, changeStream, KeptFolds, loadStream } from './change.ts';
import { registerSeller } from './decide/seller.ts';
import type { CheckoutEvent } from './events.ts';
import { checkoutStreams, type RegisteredSeller, sellerStreams } from './known-streams.ts';
import { decided, refused } from './outcome.ts';
import type { Seller } from './seller-state.ts';
import { checkoutStream, sellerStream } from './streams.ts';
import { shopTerms } from './testing/paid-order.ts';

const stream = sellerStream('shop');
const at = Date.parse('2026-11-24T12:00:00Z');

function site(faults?: MemoryLogFaults) {
  const log = memoryEventLog({ clock: { now: () => at }, ...(faults ? { faults } : {}) });
  const cipher = subjectCipher(memorySubjectKeyStore());
  const reads: number[] = [];
  const means: ChangeMeans = {
    cipher,
    log: {
      append: (...of) => log.append(...of),
      readStream: (name, options) => {
        reads.push(options?.from ?? 0);
        return log.readStream(name, options);
      },
    },
  };
  const events = (): readonly StoredEvent[] => log.storage.stream(stream);
  return { means, reads, events };
}

/** Terms that differ by how many days pass before a release. */
const register = (seller: Seller | undefined, days: number) =>
  registerSeller(seller, {
    account: 'shop',
    terms: { ...shopTerms, release_after_days: days },
    at,
  });

function put(means: ChangeMeans, days: number) {
  return changeStream(means, sellerStreams, stream, ({ state }) => register(state?.seller, days));
}

test('who was slower decides again on what the other stored', async () => {
  const { means, events } = site();
  const seen: (number | undefined)[] = [];
  const done = await changeStream(means, sellerStreams, stream, async ({ state }) => {
    seen.push(state?.seller.terms.release_after_days);
    if (seen.length === 1) await put(means, 1);
    return register(state?.seller, 2);
  });
  expect(done).toMatchObject({
    kind: 'carried',
    events: [expect.anything()],
    duplicate: false,
    revision: 1,
  });
  expect(seen).toEqual([undefined, 1]);
  expect(events().map(({ type }) => type)).toEqual(['seller-registered', 'seller-terms-changed']);
});

test('who is slower each time is told that the stream is busy', async () => {
  const { means } = site();
  let turn = 0;
  const done = await changeStream(means, sellerStreams, stream, async ({ state }) => {
    turn += 1;
    await put(means, turn);
    return register(state?.seller, 100 + turn);
  });
  expect(done).toMatchObject({ kind: 'overloaded' });
  expect(turn).toBe(changeLimits.decisionsMax);
});

test('what nobody knows is sent again, and is there once', async () => {
  const answers = ['unknown-not-stored', 'unknown-stored', 'unknown-not-stored'] as const;
  let sent = 0;
  const { means, events } = site({ append: () => answers[sent++] });
  expect(await put(means, 1)).toMatchObject({
    kind: 'carried',
    events: [expect.anything()],
    duplicate: true,
  });
  expect(events()).toHaveLength(1);
});

test('what stays unknown, or is not taken, is a value, as is another answer than a decision', async () => {
  const unknown = site({ append: () => 'unknown-not-stored' });
  expect(await put(unknown.means, 1)).toMatchObject({ kind: 'unknown' });
  const full = site({ append: () => 'overloaded' });
  expect(await put(full.means, 1)).toMatchObject({ kind: 'overloaded' });
  const away = site({ append: () => 'unreachable' });
  expect(await put(away.means, 1)).toMatchObject({ kind: 'unreachable' });
  const { means, events } = site();
  const no = refused('not-today', 'tomorrow');
  expect(await changeStream(means, sellerStreams, stream, () => no)).toBe(no);
  expect(events()).toHaveLength(0);
});

test('kept folds read only what is new, and are those of the whole stream', async () => {
  const { means, reads } = site();
  const folds = new KeptFolds<RegisteredSeller>();
  await put(means, 1);
  await folds.load(means, sellerStreams, stream);
  await put(means, 2);
  reads.length = 0;
  const kept = await folds.load(means, sellerStreams, stream);
  expect(reads).toEqual([1]);
  expect(kept).toEqual(await loadStream(means, sellerStreams, stream));
  for (let other = 0; other < changeLimits.foldsMax; other += 1) {
    await folds.load(means, sellerStreams, sellerStream(`shop-${other}`));
  }
  reads.length = 0;
  await folds.load(means, sellerStreams, stream);
  expect(reads).toEqual([0]);
});

test('a decision on what the caller knows needs no look; where it is not so any more it is made again', async () => {
  const { means, reads } = site();
  await put(means, 1);
  const known = await loadStream(means, sellerStreams, stream);
  reads.length = 0;
  const change = (days: number) =>
    changeStream(means, sellerStreams, stream, ({ state }) => register(state?.seller, days), {
      known,
    });
  expect(await change(2)).toMatchObject({ kind: 'carried', revision: 1 });
  expect(reads).toEqual([]);
  expect(await change(3)).toMatchObject({ kind: 'carried', revision: 2 });
  expect(reads).toEqual([0]);
});

/** A checkout whose order is about to be captured. */
async function authorizedSite() {
  const { means } = site();
  const checkout = checkoutStream('c-1');
  const { payment_order_id, amount } = { payment_order_id: 'o-1', amount: '100' };
  const booked = { seller_account: 'shop', currency: 'USD', attempt: 1 };
  const capture = (more: object) => ({
    type: 'order-captured' as const,
    id: idFromKey('order-captured', 'c-1', 'o-1'),
    occurredAt: at,
    data: {
      ...{ checkout_id: 'c-1', payment_order_id, ...booked, amount, authorized: '100' },
      ...{ platform_fee: '10', net: '90', psp_fee: '3', release_at: at, ...more },
    },
  });
  const write = (more: object) =>
    changeStream(means, checkoutStreams, checkout, () => decided(capture(more) as CheckoutEvent));
  const stored = async () => (await means.log.readStream(checkout)).events.length;
  return { write, stored };
}

test.each([
  ['parts that do not add up', { net: '1', platform_fee: '1', psp_fee: '-5' }],
  ['a fee below zero', { psp_fee: '-5' }],
  ['less than its parts', { amount: '99' }],
])('an event that books %s is not stored, and nothing halts', async (_, more) => {
  const { write, stored } = await authorizedSite();
  expect(await write(more)).toMatchObject({ kind: 'refused', reason: 'unbalanced-entry' });
  expect(await stored()).toBe(0);
  expect(await write({})).toMatchObject({ kind: 'carried', revision: 0 });
  expect(await stored()).toBe(1);
});
