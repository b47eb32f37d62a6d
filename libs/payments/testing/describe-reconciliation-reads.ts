import type { SubjectCipher } from '@annals/core';
import { type EventLog, memoryEventLog } from '@annals/event-log';
import type { Projection } from '@annals/projection';
import { SeededRandom } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { PaymentsWalk } from '../contract/history.ts';
import { paymentsEvents, type RecordedPaymentsEvent } from '../events.ts';
import { ledgerProjection } from '../projections/ledger.ts';
import { walletsProjection } from '../projections/wallets.ts';
import type { BooksComparison } from '../reconciliation/books-comparison.ts';
import { bankBook, clearingMovements } from '../reconciliation/clearing-movements.ts';
import {
  approveResolution,
  assign,
  comment,
  recordBreaks,
  requestResolution,
} from '../reconciliation/decide.ts';
import { settlementStream } from '../reconciliation/events.ts';
import { broken } from '../reconciliation/match-key.ts';
import type { Movement } from '../reconciliation/movement.ts';
import type { MovementPlace, MovementsReadModel } from '../reconciliation/movements.ts';
import { type QueuesReadModel, reconciliationProjection } from '../reconciliation/queues.ts';
import { change, readDay } from '../reconciliation/service.ts';
import { logOf } from './fed-store.ts';

/** What a night reads on one store. `live` is a projection's store, fed with the whole log. */
export interface NightReads<Live> {
  readonly seeds: readonly number[];
  readonly stepCount: number;
  live(projection: Projection, log: EventLog, cipher: SubjectCipher): Promise<Live>;
  movements(live: Live): MovementsReadModel;
  books(ledger: Live, wallets: Live): BooksComparison;
}

/** The read models of reconciliation on one store. */
export interface ReconciliationReads<Live> extends NightReads<Live> {
  queues(live: Live): QueuesReadModel;
}

async function walked(seed: number, stepCount: number): Promise<PaymentsWalk> {
  const walk = new PaymentsWalk(new SeededRandom(seed), Date.parse('2026-11-24T12:00:00Z'));
  await walk.begin();
  for (let step = 0; step < stepCount; step += 1) await walk.step();
  return walk;
}

/** Each break of two days, at what people have made of it. */
async function daysOfBreaks() {
  let now = Date.parse('2026-11-25T02:00:00Z');
  const clock = { now: () => now };
  const log = memoryEventLog({ clock });
  const means = { log, clock, cipher: subjectCipher(memorySubjectKeyStore()) };
  const line = (key: string): Movement => {
    const amounts = { currency: 'USD', amount: 1_000n, fee: 30n };
    return { key, status: 'captured', ...amounts, at: now, id: `txn-${key}`, waited: 0 };
  };
  const ids = new Map<string, string>();
  for (const date of ['2026-11-24', '2026-11-25']) {
    now += 1_000;
    const of = { psp: 'stripe', date, at: now, sha256: 'abc', mended: new Set<string>() };
    const breaks = [
      broken('missing_in_ledger', 'a', line('a'), undefined),
      broken('missing_in_ledger', 'b', line('b'), undefined),
      broken('rounding', 'r', line('r'), { ...line('r'), amount: 999n, id: 'entry-r' }),
      broken('timing', 't', line('t'), undefined),
      broken('unidentified_row', 'line 7', undefined, undefined),
    ];
    const stream = settlementStream('stripe', date);
    await change(means, stream, (day) => recordBreaks(day, { ...of, breaks }));
    for (const [id, { found }] of (await readDay(means, 'stripe', date)).breaks) {
      ids.set(`${date} ${found.key}`, id);
    }
  }
  const stream = settlementStream('stripe', '2026-11-24');
  const about = (key: string, by: string) => {
    const breakId = ids.get(`2026-11-24 ${key}`) as string;
    return { psp: 'stripe', date: '2026-11-24', at: now, breakId, by };
  };
  await change(means, stream, (day) => assign(day, { ...about('a', 'ann'), to: 'ben' }));
  await change(means, stream, (day) => comment(day, { ...about('a', 'ann'), comment: 'x' }));
  for (const key of ['a', 'b']) {
    const ask = { ...about(key, 'ann'), reason: 'known to the provider' };
    await change(means, stream, (day) => requestResolution(day, ask));
  }
  await change(means, stream, (day) => approveResolution(day, about('b', 'ben')));
  return means;
}

/** What reconciliation reads is the same on every store. */
export function describeReconciliationReads<Live>(store: ReconciliationReads<Live>): void {
  describeNightReads(store);

  test('the queues show what waits for somebody, the oldest first, page by page', async () => {
    const { log, cipher } = await daysOfBreaks();
    const queues = store.queues(await store.live(reconciliationProjection, log, cipher));
    const keys = async (queue: 'finance' | 'special', state: 'open' | 'proposed') => {
      const found: string[] = [];
      for (let after: { foundAt: number; breakId: string } | undefined; ; ) {
        const page = await queues.queue({ queue, state, limit: 1, ...(after ? { after } : {}) });
        if (page.kind !== 'answer') throw new Error(page.kind);
        after = page.breaks[0];
        if (!after) return found;
        found.push(...page.breaks.map(({ date, key }) => `${date} ${key}`));
      }
    };
    const open = await keys('finance', 'open');
    expect(open.toSorted()).toEqual(['2026-11-25 a', '2026-11-25 b']);
    expect(await keys('finance', 'proposed')).toEqual(['2026-11-24 a']);
    expect(await keys('special', 'open')).toEqual(['2026-11-24 line 7', '2026-11-25 line 7']);
    expect(await keys('special', 'proposed')).toEqual([]);
    const [proposed] = await queues
      .queue({ queue: 'finance', state: 'proposed', limit: 5 })
      .then((page) => (page.kind === 'answer' ? page.breaks : []));
    expect(proposed).toMatchObject({ assignedTo: 'ben', requestedBy: 'ann', comments: 1 });
    await expect(queues.queue({ queue: 'finance', state: 'open', limit: 0 })).rejects.toThrow(
      'limit',
    );
  });
}

/** What a night reads is the same on every store: our side of each file, and wallets beside the ledger. */
export function describeNightReads<Live>(store: NightReads<Live>): void {
  const { seeds, stepCount } = store;

  test('the movements of each day, page by page, of providers and of the bank', async () => {
    const walk = await walked(5, stepCount);
    const log = await logOf(walk.steps, 2, 1_000);
    const page = await log.read('start', {}, { limit: 10_000 });
    const events = (await paymentsEvents.decode(
      page.events,
      walk.cipher,
    )) as RecordedPaymentsEvent[];
    const streams = Map.groupBy(events, ({ stream }) => stream);
    const all = [...streams.values()].flatMap((own) => clearingMovements(own));
    const read = store.movements(await store.live(reconciliationProjection, log, walk.cipher));
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    const days = new Set(all.map(({ at }) => new Date(at).toISOString().slice(0, 10)));
    for (const book of ['stripe', bankBook]) {
      const found = [];
      for (const day of days) {
        for (let after: MovementPlace | undefined; ; ) {
          const query = { book, day, limit: 3, ...(after ? { after } : {}) };
          const answered = await read.movements(query);
          if (answered.kind !== 'answer') throw new Error(answered.kind);
          found.push(...answered.movements);
          after = answered.next;
          if (!after) break;
        }
      }
      const expected = all.filter((one) => one.book === book);
      expect(expected.length).toBeGreaterThan(0);
      expect(found.toSorted(byId)).toEqual(expected.toSorted(byId));
    }
  });

  test.each(seeds)(
    'random history %i: wallets are their accounts, also where the ledger has gone on since',
    async (seed) => {
      const { ledger, wallets } = await booksOf(store, seed);
      const compared = await store.books(ledger, wallets).compare();
      expect(compared).toMatchObject({ kind: 'compared', differencesFound: 0 });
      expect(compared.kind === 'compared' && compared.balances).toBeGreaterThan(8);
    },
  );

  test('wallets that are not of these books differ from them, each by name', async () => {
    const [walk, other] = [await walked(8, stepCount), await walked(9, stepCount)];
    const half = other.steps.slice(0, Math.floor(other.steps.length / 2));
    const log = await logOf(half, 3, 1_000);
    const wallets = await store.live(walletsProjection, log, other.cipher);
    const books = await logOf(walk.steps, 3, 1_000);
    const ledger = await store.live(ledgerProjection, books, walk.cipher);
    const compared = await store.books(ledger, wallets).compare();
    if (compared.kind !== 'compared') throw new Error(compared.kind);
    expect(compared.differencesFound).toBeGreaterThan(0);
    expect(compared.differences).toHaveLength(compared.differencesFound);
    for (const { wallet, ledger: booked } of compared.differences) expect(wallet).not.toBe(booked);
  });
}

/** The wallets have seen the first part of a history, the ledger all of it. */
export async function booksOf<Live>(
  store: Pick<NightReads<Live>, 'live' | 'stepCount'>,
  seed: number,
) {
  const walk = await walked(seed, store.stepCount);
  const half = Math.floor(walk.steps.length * 0.7);
  const log = await logOf(walk.steps.slice(0, half), 3, 1_000);
  const wallets = await store.live(walletsProjection, log, walk.cipher);
  for (const step of walk.steps.slice(half)) {
    if ('stream' in step) await log.append(step.stream, step.events, { expected: 'any' });
  }
  return { wallets, ledger: await store.live(ledgerProjection, log, walk.cipher) };
}
