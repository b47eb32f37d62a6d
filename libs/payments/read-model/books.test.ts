import { DatabaseSync } from 'node:sqlite';
import { type Checkpoint, coversAll } from '@annals/event-log';
import { SeededRandom } from '@annals/projection/testing';
import { describe, expect, test } from 'vitest';
import { PaymentsWalk, sampleCurrencies, sampleSellers } from '../contract/history.ts';
import { paymentsEvents, type RecordedPaymentsEvent } from '../events.ts';
import { UnbalancedEntryError } from '../journal.ts';
import { ledgerProjection } from '../projections/ledger.ts';
import { walletAccounts, walletsProjection } from '../projections/wallets.ts';
import { fedStore, logOf } from '../testing/fed-store.ts';
import { NaiveBooks } from '../testing/naive-books.ts';
import { type LedgerEntry, type LedgerReadModel, UnbalancedBooksError } from './ledger.ts';
import { ledgerSql, sqliteLedgerReadModel } from './ledger-sqlite.ts';
import { sqliteWalletsReadModel, walletsSql } from './wallets.ts';

const hour = 3_600_000;

async function booksOf(seed: number, stepCount = 400) {
  const random = new SeededRandom(seed);
  const walk = new PaymentsWalk(random, Date.parse('2026-11-24T12:00:00Z'));
  await walk.begin();
  for (let step = 0; step < stepCount; step += 1) await walk.step();
  walk.erase();
  const log = await logOf(walk.steps, random.int(1, 4), random.int(0, hour));
  const page = await log.read('start', {}, { limit: 10_000 });
  const events = (await paymentsEvents.decode(page.events, walk.cipher)) as RecordedPaymentsEvent[];
  const file = await fedStore(ledgerProjection, log, walk.cipher);
  const wallets = sqliteWalletsReadModel(await fedStore(walletsProjection, log, walk.cipher));
  return { log, events, file, ledger: sqliteLedgerReadModel(file), wallets, random };
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

describe.each([1, 2, 3, 4, 5, 6, 7, 8])('the books of random history %i', (seed) => {
  test('are those of a naive list of entries', async () => {
    const { events, ledger, random } = await booksOf(seed);
    const naive = new NaiveBooks(events);
    expect(naive.entries.length).toBeGreaterThan(20);
    const limit = random.int(1, 9);
    expect((await allEntries(ledger, limit)).map(shown)).toEqual(naive.entries.map(shown));
    for (const name of ['psp_clearing', `seller_available:${random.pick(sampleSellers)}`]) {
      const own = naive.entries.filter(({ postings }) => postings.some((p) => p.account === name));
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

test('a checkpoint that the read model has not come to is ahead', async () => {
  const { ledger } = await booksOf(1, 30);
  const checkpoint = { 0: '~' };
  expect(await ledger.trialBalance({ at: 'checkpoint', checkpoint })).toEqual({ kind: 'ahead' });
});

test('entries and books that do not balance are not shown', async () => {
  const { ledger, file } = await booksOf(2);
  const database = new DatabaseSync(file.path);
  database.exec("UPDATE postings SET amount = amount + 1 WHERE side = 'debit'");
  database.exec("UPDATE days SET posted_debit = posted_debit + 1 WHERE kind = 'psp_clearing'");
  database.close();
  await expect(ledger.entries({ limit: 10 })).rejects.toThrow(UnbalancedEntryError);
  await expect(ledger.trialBalance({ at: 'now' })).rejects.toThrow(UnbalancedBooksError);
});

test('no question scans a table', async () => {
  const { file } = await booksOf(3, 30);
  const scanned: string[] = [];
  const database = new DatabaseSync(file.path, { readOnly: true });
  for (const [name, sql] of Object.entries(ledgerSql)) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    if (plan.some(({ detail }) => /^SCAN (?!k\b|\(subquery)/.test(detail))) scanned.push(name);
  }
  database.close();
  expect(scanned).toEqual([]);
  expect(Object.keys(walletsSql)).toHaveLength(2);
});
