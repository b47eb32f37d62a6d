import { expect, test } from 'vitest';
import { ledgerCsvHeader, ledgerCsvLines, majorUnits } from './ledger-csv.ts';
import type { LedgerEntry } from './read-model/ledger.ts';

const entry: LedgerEntry = {
  recordedAt: Date.parse('2026-11-24T12:00:00.5Z'),
  occurredAt: Date.parse('2026-11-24T11:59:59Z'),
  eventId: 'd7f3a2aa-61b5-5f05-9a35-0f1e7a3c8b11',
  stream: 'checkout-c,1',
  revision: 4,
  type: 'order-released',
  currency: 'USD',
  corrects: 'e1',
  postings: [
    { account: 'seller_pending:a"b', balance: 'posted', side: 'debit', amount: 5n },
    { account: '=1+1', balance: 'posted', side: 'credit', amount: 5n },
  ],
};

test('a line for each posting, with what must be quoted quoted and no formula', () => {
  const lines = ledgerCsvLines(entry).split('\r\n');
  expect(lines).toEqual([
    '2026-11-24T12:00:00.500Z,2026-11-24T11:59:59.000Z,d7f3a2aa-61b5-5f05-9a35-0f1e7a3c8b11,"checkout-c,1",4,' +
      'order-released,0,"seller_pending:a""b",posted,debit,0.05,USD,e1',
    '2026-11-24T12:00:00.500Z,2026-11-24T11:59:59.000Z,d7f3a2aa-61b5-5f05-9a35-0f1e7a3c8b11,"checkout-c,1",4,' +
      "order-released,1,'=1+1,posted,credit,0.05,USD,e1",
    '',
  ]);
  expect(ledgerCsvHeader.trim().split(',')).toHaveLength(13);
});

test.each([
  [1_999n, 'USD', '19.99'],
  [-5n, 'USD', '-0.05'],
  [7n, 'JPY', '7'],
  [0n, 'KWD', '0.000'],
  [123_456_789_012_345_678n, 'KWD', '123456789012345.678'],
])('%s %s is %s in major units', (amount, currency, shown) => {
  expect(majorUnits(amount, currency)).toBe(shown);
});
