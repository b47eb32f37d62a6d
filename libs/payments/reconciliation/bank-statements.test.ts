import { describe, expect, test } from 'vitest';
import { type BankRow, bankCsvRows } from './bank-csv.ts';
import { camt053Rows } from './camt053.ts';
import type { MappedLine } from './mapped-line.ts';
import { fileOf, linesOf } from './testing/files.ts';

const short = (lines: readonly MappedLine<BankRow>[]) =>
  lines.map((line) =>
    line.kind === 'row'
      ? `${line.line} ${line.row.id} ${line.row.reference} ${line.row.amount} ${line.row.currency} ${line.row.status}`
      : `${line.line} ${line.reason}`,
  );

describe('a bank statement as CSV', () => {
  const header = 'booking_date,id,reference,currency,amount,status,text';
  test('rows and bad lines', async () => {
    const content = [
      header,
      '2026-11-24,b1,po-1,EUR,-12.34,booked,payout',
      '2026-11-31,b2,po-2,EUR,-12.34,booked,payout',
      '2026-11-24,b3,po-3,JPY,-12.34,booked,payout',
      '2026-11-24,b4,po-4,EUR,-12.34,lost,payout',
      '2026-11-24,,po-5,EUR,-12.34,,payout',
      '2026-11-24,b6,po-6,XQQ,-12.34,,payout',
      '2026-11-24,b7,,eur,5.00,,',
    ].join('\r\n');
    expect(short(await linesOf(bankCsvRows(fileOf(content))))).toEqual([
      '2 b1 po-1 -1234 EUR booked',
      '3 wrong-time',
      '4 wrong-amount',
      '5 missing-field',
      '6 missing-field',
      '7 unknown-currency',
      '8 b7  500 EUR booked',
    ]);
  });

  test('with semicolons, without what may be missing', async () => {
    const content = 'id;amount;currency;reference;booking_date\nb1;1.00;EUR;po-1;2026-11-24\n';
    expect(short(await linesOf(bankCsvRows(fileOf(content), ';')))).toEqual([
      '2 b1 po-1 100 EUR booked',
    ]);
    const wrong = linesOf(bankCsvRows(fileOf(content), ','));
    await expect(wrong).rejects.toMatchObject({ code: 'wrong-header' });
  });
});

describe('a bank statement as camt.053', () => {
  const document = (entries: string) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>\n${entries}\n</Stmt></BkToCstmrStmt></Document>\n`;
  const entry = (inside: string, amount = '<Amt Ccy="EUR">12.34</Amt>') =>
    `<Ntry><NtryRef>n1</NtryRef>${amount}<CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-24</Dt></BookgDt>${inside}</Ntry>`;
  const transaction = (reference: string, amount = '') =>
    `<TxDtls><Refs><EndToEndId>${reference}</EndToEndId></Refs>${amount}<RmtInf><Ustrd>a &amp; b</Ustrd></RmtInf></TxDtls>`;
  const read = async (content: string | Uint8Array, pieceBytes?: number) =>
    short(await linesOf(camt053Rows(fileOf(content, pieceBytes))));

  test('an entry is a row', async () => {
    const content = document(entry(`<NtryDtls>${transaction('po-1')}</NtryDtls>`));
    expect(await read(content)).toEqual(['3 n1 po-1 -1234 EUR booked']);
    const [line] = await linesOf(camt053Rows(fileOf(content)));
    expect(line?.kind === 'row' && line.row.text).toBe('a & b');
  });

  test('a batch whose parts add up is a row for each part, and one row where they do not', async () => {
    const parts = (first: string) =>
      `<NtryDtls>${transaction('po-1', `<Amt Ccy="EUR">${first}</Amt>`)}${transaction(
        'po-2',
        '<AmtDtls><TxAmt><Amt Ccy="EUR">10</Amt></TxAmt></AmtDtls>',
      )}</NtryDtls>`;
    expect(await read(document(entry(parts('2.34'))))).toEqual([
      '3 n1/1 po-1 -234 EUR booked',
      '3 n1/2 po-2 -1000 EUR booked',
    ]);
    expect(await read(document(entry(parts('2.35'))))).toEqual(['3 n1  -1234 EUR booked']);
  });

  test('a bad entry is reported with its line, and the rest goes on', async () => {
    const content = document(
      [
        entry('', '<Amt Ccy="EUR">12.345</Amt>'),
        entry('', '<Amt Ccy="XQQ">12.34</Amt>'),
        entry('', '<Amt>12.34</Amt>'),
        entry('', '<Amt Ccy="EUR">-12.34</Amt>'),
        entry('').replace('DBIT', 'LEFT'),
        entry('').replace('2026-11-24', 'today'),
        entry('').replace('n1', ''),
        entry('<RvslInd>true</RvslInd>').replace('DBIT', 'CRDT'),
        entry('').replace('BOOK', 'PDNG'),
      ].join('\n'),
    );
    expect(await read(content)).toEqual([
      '3 wrong-amount',
      '4 wrong-amount',
      '5 wrong-amount',
      '6 wrong-amount',
      '7 wrong-entry',
      '8 wrong-time',
      '9 missing-field',
      '10 n1  1234 EUR returned',
      '11 n1  -1234 EUR pending',
    ]);
  });

  test('prefixes of namespaces, a BOM, CRLF', async () => {
    const prefixed = document(entry('')).replaceAll(/<(\/?)(?=[A-Z])/g, '<$1c:');
    const content = `\uFEFF${prefixed.replace('xmlns=', 'xmlns:c=').replaceAll('\n', '\r\n')}`;
    expect(await read(content)).toEqual(['3 n1  -1234 EUR booked']);
  });

  test.each([
    ['a document that is cut off', document(entry('')).slice(0, -20)],
    ['tags that do not fit', document('<Ntry></Stmt>')],
    [
      'a document type',
      document('').replace('<Document', '<!DOCTYPE a [<!ENTITY b "c">]><Document'),
    ],
    ['another document', '<html></html>'],
    ['nothing', ''],
    ['an element too deep', document('<a>'.repeat(70))],
    ['a text without an end', document('x'.repeat(3_000_000))],
    ['bytes that mean nothing', Buffer.concat([Buffer.from('<a>'), Buffer.from([0xff])])],
  ])('%s is refused', async (_what, content) => {
    await expect(read(content, 4_096)).rejects.toMatchObject({ code: 'broken-xml' });
  });
});
