import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { booksOf as booksOfStore } from '../testing/describe-reconciliation-reads.ts';
import { fedStore } from '../testing/fed-store.ts';
import { comparisonSql, sqliteBooksComparison } from './books-comparison.ts';

const booksOf = (seed: number) => booksOfStore({ live: fedStore, stepCount: 300 }, seed);

test('a wallet that differs, one that is missing, and one that nothing is booked for are named', async () => {
  const { wallets, ledger } = await booksOf(8);
  const database = new DatabaseSync(wallets.path);
  const rows = database.prepare('SELECT * FROM wallets ORDER BY seller_account').all();
  const [first, last] = [rows[0], rows.at(-1)];
  expect(first?.seller_account).not.toBe(last?.seller_account);
  const row = 'seller_account = ? AND currency = ? AND partition = ?';
  const of = [first?.seller_account, first?.currency, first?.partition] as [string, string, number];
  database.prepare(`UPDATE wallets SET available = available + 1 WHERE ${row}`).run(...of);
  database
    .prepare('DELETE FROM wallets WHERE seller_account = ?')
    .run(last?.seller_account as string);
  database.exec(
    "INSERT INTO wallets SELECT 'ghost', currency, partition, '5', '0', '0', '0' FROM wallets LIMIT 1",
  );
  database.close();
  const compared = await sqliteBooksComparison(ledger, wallets).compare();
  if (compared.kind !== 'compared') throw new Error(compared.kind);
  const named = new Set(compared.differences.map(({ seller }) => seller));
  expect(named).toEqual(new Set(['ghost', first?.seller_account, last?.seller_account]));
  const off = compared.differences.find(({ seller }) => seller === first?.seller_account);
  expect((off?.wallet ?? 0n) - (off?.ledger ?? 0n)).toBe(1n);
});

test('a store that is gone, and a ledger that does not come, are said', async () => {
  const { wallets, ledger } = await booksOf(5);
  const lost = { ...ledger, current: () => ({ kind: 'lost' as const }) };
  expect(await sqliteBooksComparison(lost, wallets).compare()).toEqual({ kind: 'lost' });
  expect(await sqliteBooksComparison(ledger, lost).compare()).toEqual({ kind: 'lost' });
  const late = { ...ledger, waitFor: async () => 'late' as const };
  expect(await sqliteBooksComparison(late, wallets).compare()).toEqual({ kind: 'late' });
});

test('no question scans a table', async () => {
  const { wallets, ledger } = await booksOf(6);
  for (const [name, sql] of Object.entries(comparisonSql)) {
    const { path } = name === 'accounts' ? ledger : wallets;
    const database = new DatabaseSync(path, { readOnly: true });
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    database.close();
    expect(plan.some(({ detail }) => detail.startsWith('SCAN'))).toBe(false);
  }
});
