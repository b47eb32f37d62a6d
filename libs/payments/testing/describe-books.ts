import type { SubjectCipher } from '@annals/core';
import { type Checkpoint, coversAll, type EventLog } from '@annals/event-log';
import { SeededRandom } from '@annals/projection/testing';
import { describe, expect, test } from 'vitest';
import { PaymentsWalk, sampleCurrencies, sampleSellers } from '../contract/history.ts';
import { paymentsEvents, type RecordedPaymentsEvent } from '../events.ts';
import { walletAccounts } from '../projections/wallets.ts';
import type { LedgerEntry, LedgerReadModel } from '../read-model/ledger.ts';
import type { WalletsReadModel } from '../read-model/wallets.ts';
import { logOf } from './fed-store.ts';
import { NaiveBooks } from './naive-books.ts';

const hour = 3_600_000;

/** The read models of one store, fed with a whole log; those of the same log may be the same. */
export interface BooksStore {
  readonly seeds: readonly number[];
  readonly stepCount: number;
  ledger(log: EventLog, cipher: SubjectCipher): Promise<LedgerReadModel>;
  wallets(log: EventLog, cipher: SubjectCipher): Promise<WalletsReadModel>;
}

/** A random history, and its log. */
export async function historyOf(seed: number, stepCount: number) {
  const random = new SeededRandom(seed);
  const walk = new PaymentsWalk(random, Date.parse('2026-11-24T12:00:00Z'));
  await walk.begin();
  for (let step = 0; step < stepCount; step += 1) await walk.step();
  walk.erase();
  const log = await logOf(walk.steps, random.int(1, 4), random.int(0, hour));
  const page = await log.read('start', {}, { limit: 10_000 });
  const events = (await paymentsEvents.decode(page.events, walk.cipher)) as RecordedPaymentsEvent[];
  return { log, events, cipher: walk.cipher };
}

async function allEntries(ledger: LedgerReadModel, limit: number, account?: string) {
  const entries: LedgerEntry[] = [];
  for (let after: LedgerEntry | undefined, end = false; !end; ) {
    const filter = account === undefined ? {} : { account };
    const page = await ledger.entries({ ...filter, ...(after ? { after } : {}), limit });
    if (page.kind !== 'answer') throw new Error(page.kind);
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    entries.push(...page.entries);
    after = page.next as LedgerEntry | undefined;
    end = after === undefined;
  }
  return entries;
}

function shown(entry: LedgerEntry) {
  const { eventId, postings, currency, type, recordedAt, occurredAt, stream, corrects } = entry;
  return { eventId, postings, currency, type, recordedAt, occurredAt, stream, corrects };
}

function byName<T extends { readonly account: string; readonly currency: string }>(
  rows: readonly T[],
) {
  return rows.toSorted((a, b) =>
    `${a.account} ${a.currency}` < `${b.account} ${b.currency}` ? -1 : 1,
  );
}

/** What a ledger and wallets answer on any store is what a naive list of entries says. */
export function describeBooks(store: BooksStore): void {
  const { seeds, stepCount } = store;

  const histories = new Map<number, ReturnType<typeof historyOf>>();

  async function booksOf(seed: number) {
    const known = histories.get(seed) ?? historyOf(seed, stepCount);
    histories.set(seed, known);
    const history = await known;
    const { log, cipher } = history;
    return {
      ...history,
      random: new SeededRandom(seed),
      ledger: await store.ledger(log, cipher),
      wallets: await store.wallets(log, cipher),
    };
  }

  describe.each(seeds)('the books of random history %i', (seed) => {
    test('are those of a naive list of entries', async () => {
      const { events, ledger, random } = await booksOf(seed);
      const naive = new NaiveBooks(events);
      expect(naive.entries.length).toBeGreaterThan(20);
      const limit = random.int(1, 9);
      expect((await allEntries(ledger, limit)).map(shown)).toEqual(naive.entries.map(shown));
      for (const name of ['psp_clearing', `seller_available:${random.pick(sampleSellers)}`]) {
        const own = naive.entries.filter(({ postings }) =>
          postings.some((p) => p.account === name),
        );
        expect((await allEntries(ledger, limit, name)).map(shown)).toEqual(own.map(shown));
        const account = await ledger.account(name);
        const sums = naive.sums('account').filter((sum) => sum.account === name);
        expect(account).toMatchObject({ kind: 'answer', accounts: byName(sums) });
      }
      const accounts = [];
      for (let after: { account: string; currency: string } | undefined, end = false; !end; ) {
        const page = await ledger.accounts({ ...(after ? { after } : {}), limit: 4 });
        if (page.kind !== 'answer') throw new Error(page.kind);
        accounts.push(...page.accounts);
        after = page.accounts.at(-1);
        end = page.accounts.length < 4;
      }
      expect(byName(accounts)).toEqual(byName(naive.sums('account')));
    });

    test('have a trial balance of any time and any checkpoint', async () => {
      const { events, ledger, random, log } = await booksOf(seed);
      const naive = new NaiveBooks(events);
      const some = random.pick(events);
      const checkpoints: Checkpoint[] = [{}, await log.head()];
      for (let limit = 10; limit < events.length; limit += 60) {
        checkpoints.push((await log.read('start', {}, { limit })).checkpoint);
      }
      const rowsOf = async (query: Parameters<LedgerReadModel['trialBalance']>[0]) => {
        const answer = await ledger.trialBalance(query);
        if (answer.kind !== 'answer') throw new Error(answer.kind);
        return answer.rows.map(({ kind: account, ...row }) => ({ account, ...row }));
      };
      for (const before of [0, some.recordedAt, some.recordedAt + 1, Date.parse('2030-01-01')]) {
        const sums = naive.sums('kind', ({ recordedAt }) => recordedAt < before);
        expect(byName(await rowsOf({ at: 'time', before }))).toEqual(byName(sums));
      }
      for (const checkpoint of checkpoints) {
        const sums = naive.sums('kind', naive.isCovered(checkpoint));
        expect(byName(await rowsOf({ at: 'checkpoint', checkpoint }))).toEqual(byName(sums));
      }
      expect(byName(await rowsOf({ at: 'now' }))).toEqual(byName(naive.sums('kind')));
    });

    test('give wallets that are the sums of their accounts at one checkpoint', async () => {
      const { ledger, wallets, events } = await booksOf(seed);
      for (const seller of sampleSellers) {
        const found = await wallets.wallets(seller);
        if (found.kind !== 'answer') throw new Error(found.kind);
        for (const currency of sampleCurrencies) {
          const wallet = found.wallets.find((one) => one.currency === currency);
          for (const [kind, part] of Object.entries(walletAccounts)) {
            const account = await ledger.account(`${kind}:${seller}`);
            if (account.kind !== 'answer') throw new Error(account.kind);
            expect(coversAll(account.asOf, found.asOf) && coversAll(found.asOf, account.asOf)).toBe(
              true,
            );
            const sums = account.accounts.find((one) => one.currency === currency);
            const sum = (sums?.postedCredit ?? 0n) - (sums?.postedDebit ?? 0n);
            expect(wallet?.[part] ?? 0n, `${seller} ${currency} ${part}`).toBe(sum);
          }
        }
        const own = events.filter(({ stream }) => stream === `seller-${seller}`);
        expect(found.sellerRevision).toBe(own.length - 1);
      }
    });

    test('are summed up by day, seller and currency', async () => {
      const { ledger, events, random } = await booksOf(seed);
      const naive = new NaiveBooks(events);
      const [first, last] = ['2026-11-24', '2026-11-30'] as const;
      for (const by of [[], ['day'], ['seller'], ['day', 'seller']] as const) {
        for (const filter of [
          {},
          { seller: random.pick(sampleSellers) },
          { currency: random.pick(sampleCurrencies) },
        ]) {
          const query = { from: first, to: last, by, ...filter };
          const answer = await ledger.summary(query);
          if (answer.kind !== 'answer') throw new Error(answer.kind);
          const sorted = (rows: readonly object[]) =>
            rows.toSorted((a, b) => (Object.values(a).join() < Object.values(b).join() ? -1 : 1));
          expect(sorted(answer.rows)).toEqual(sorted(naive.summary(query)));
        }
      }
    });
  });

  test('the report says of fees what their accounts do, whatever was booked by hand', async () => {
    let byHand = 0;
    for (const seed of seeds) {
      const { ledger, events } = await booksOf(seed);
      byHand += events.filter(
        (event) =>
          event.type === 'manual-entry-booked' &&
          event.data.entry.lines.some(({ debit }) => debit === 'platform_fees'),
      ).length;
      const report = await ledger.summary({ from: '2026-01-01', to: '2027-12-31', by: [] });
      if (report.kind !== 'answer') throw new Error(report.kind);
      const said: object[] = [];
      const booked: object[] = [];
      for (const { currency, platformFees, pspFees, netRevenue } of report.rows) {
        const debited = async (name: string) => {
          const found = await ledger.account(name);
          if (found.kind !== 'answer') throw new Error(found.kind);
          const own = found.accounts.find((one) => one.currency === currency);
          return (own?.postedDebit ?? 0n) - (own?.postedCredit ?? 0n);
        };
        const [platform, psp] = [await debited('platform_fees'), await debited('psp_fees')];
        said.push({ currency, platformFees, pspFees, netRevenue });
        booked.push({
          currency,
          platformFees: -platform,
          pspFees: psp,
          netRevenue: -platform - psp,
        });
      }
      expect(said).toEqual(booked);
    }
    expect(byHand).toBeGreaterThan(0);
  });

  test('a checkpoint that the read model has not come to is ahead', async () => {
    const { ledger } = await booksOf(seeds[0] ?? 1);
    const checkpoint = { 0: '~' };
    expect(await ledger.trialBalance({ at: 'checkpoint', checkpoint })).toEqual({ kind: 'ahead' });
  });
}
