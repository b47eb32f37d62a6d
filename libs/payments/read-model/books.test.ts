import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { UnbalancedEntryError } from '../journal.ts';
import { ledgerProjection } from '../projections/ledger.ts';
import { walletsProjection } from '../projections/wallets.ts';
import { describeBooks, historyOf } from '../testing/describe-books.ts';
import { fedStore } from '../testing/fed-store.ts';
import { UnbalancedBooksError } from './ledger.ts';
import { ledgerSql, sqliteLedgerReadModel } from './ledger-sqlite.ts';
import { sqliteWalletsReadModel, walletsSql } from './wallets.ts';

describeBooks({
  seeds: [1, 2, 3, 4, 5, 6, 7, 8],
  stepCount: 400,
  ledger: async (log, cipher) =>
    sqliteLedgerReadModel(await fedStore(ledgerProjection, log, cipher)),
  wallets: async (log, cipher) =>
    sqliteWalletsReadModel(await fedStore(walletsProjection, log, cipher)),
});

test('entries and books that do not balance are not shown', async () => {
  const { log, cipher } = await historyOf(2, 400);
  const file = await fedStore(ledgerProjection, log, cipher);
  const ledger = sqliteLedgerReadModel(file);
  const database = new DatabaseSync(file.path);
  database.exec(`UPDATE entries SET postings = replace(postings, '"debit","', '"debit","1')`);
  database.exec("UPDATE days SET posted_debit = posted_debit + 1 WHERE kind = 'psp_clearing'");
  database.close();
  await expect(ledger.entries({ limit: 10 })).rejects.toThrow(UnbalancedEntryError);
  await expect(ledger.trialBalance({ at: 'now' })).rejects.toThrow(UnbalancedBooksError);
});

test('no question scans a table', async () => {
  const { log, cipher } = await historyOf(3, 30);
  const file = await fedStore(ledgerProjection, log, cipher);
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
