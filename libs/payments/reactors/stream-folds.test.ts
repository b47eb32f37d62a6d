import { type MemoryEventLog, memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { setBank } from '../decide/seller.ts';
import { decided } from '../outcome.ts';
import { Payments } from '../service.ts';
import { sellerStream } from '../streams.ts';
import { shopTerms } from '../testing/paid-order.ts';
import { paymentsFolds } from './stream-folds.ts';

const stream = sellerStream('shop');

/** A seller, and two processes that know it: each reads and appends through a log that counts. */
async function market() {
  const log = memoryEventLog();
  const cipher = subjectCipher(memorySubjectKeyStore());
  const wallets = {
    waitFor: async () => 'lost' as const,
    wallets: async () => ({ kind: 'lost' as const }),
  };
  await new Payments({ log, cipher, clock: { now: () => 1 }, wallets }).putSeller(
    'shop',
    shopTerms,
  );
  const counted = () => {
    const counts = { reads: 0, appends: 0 };
    const watched = new Proxy(log, {
      get: (target, member) => {
        if (member === 'readStream') counts.reads += 1;
        if (member === 'append') counts.appends += 1;
        const value = Reflect.get(target, member) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    }) as MemoryEventLog;
    return { counts, sellers: paymentsFolds(watched, cipher).sellers };
  };
  return { log, one: counted(), other: counted() };
}

test('what was appended here is folded, and not read', async () => {
  const { one } = await market();
  await one.sellers.load(stream);
  const seen: (boolean | undefined)[] = [];
  for (const bankToken of ['btok_1', 'btok_2', 'btok_3']) {
    const applied = await one.sellers.decide(stream, (seller) => {
      seen.push(seller?.hasBank);
      return setBank(seller, { bankToken, at: 2 });
    });
    expect(applied).toEqual({ kind: 'appended' });
  }
  expect(one.counts).toEqual({ reads: 1, appends: 3 });
  expect(seen).toEqual([false, true, true]);
  const kept = one.sellers.kept(stream);
  const read = await one.sellers.load(stream);
  expect(kept).toEqual(read);
});

test('where another process was quicker, it is decided again on the stream as it is', async () => {
  const { one, other, log } = await market();
  await one.sellers.load(stream);
  await other.sellers.load(stream);
  const bank = (bankToken: string) => (seller: Parameters<typeof setBank>[0]) =>
    setBank(seller, { bankToken, at: 2 });
  await other.sellers.decide(stream, bank('btok_1'));
  const seen: (boolean | undefined)[] = [];
  const applied = await one.sellers.decide(stream, (seller) => {
    seen.push(seller?.hasBank);
    return bank('btok_2')(seller);
  });
  expect(applied).toEqual({ kind: 'appended' });
  expect(seen).toEqual([false, true]);
  expect((await log.readStream(stream)).head).toBe(2);
});

test('that nothing is to be done is believed only after a look', async () => {
  const { one, other } = await market();
  await one.sellers.load(stream);
  await other.sellers.decide(stream, (seller) => setBank(seller, { bankToken: 'btok_1', at: 2 }));
  const seen: (boolean | undefined)[] = [];
  const applied = await one.sellers.decide(stream, (seller) => {
    seen.push(seller?.hasBank);
    return decided();
  });
  expect(applied).toEqual({ kind: 'unchanged' });
  expect(seen).toEqual([false, true]);
});
