import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { minorUnits } from './decimal.ts';
import { FileText } from './file-text.ts';
import { reconciliationLimits } from './limits.ts';
import { settlementRows, utcTime } from './settlement-csv.ts';
import { fileOf, inPieces, linesOf } from './testing/files.ts';

const header =
  'balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,charge_id,payment_intent_id,description';
const good = (id: string, gross = '12.34', fee = '0.34', net = '12.00') =>
  `${id},2026-11-24 10:00:00,2026-11-25 00:00:00,usd,${gross},${fee},${net},charge,ch_${id},ch_${id},pi_${id},a thing`;

async function shortOf(content: string | Uint8Array, pieceBytes?: number): Promise<string[]> {
  const lines = await linesOf(settlementRows(fileOf(content, pieceBytes)));
  return lines.map((line) =>
    line.kind === 'row'
      ? `${line.line} ${line.row.id} ${line.row.net}`
      : `${line.line} ${line.reason}`,
  );
}

test('a row is exact minor units, times and ids', async () => {
  const lines = await linesOf(settlementRows(fileOf(`${header}\n${good('txn_1')}\n`)));
  expect(lines).toEqual([
    {
      kind: 'row',
      line: 2,
      row: {
        id: 'txn_1',
        createdAt: Date.parse('2026-11-24T10:00:00Z'),
        currency: 'USD',
        gross: 1234n,
        fee: 34n,
        net: 1200n,
        category: 'charge',
        sourceId: 'ch_txn_1',
        chargeId: 'ch_txn_1',
        paymentIntentId: 'pi_txn_1',
        reference: '',
        payoutId: '',
      },
    },
  ]);
});

describe('one bad line is reported, and the rest goes on', () => {
  const cases: readonly [what: string, line: string, reason: string][] = [
    ['a wrong exponent', good('b', '12.340', '0.340', '12.000'), 'wrong-amount'],
    ['no decimals', good('b', '12', '0', '12'), 'wrong-amount'],
    ['a float', good('b', '1e3', '0.00', '1e3'), 'wrong-amount'],
    ['thousands separators', good('b', '"1,000.00"', '0.00', '"1,000.00"'), 'wrong-amount'],
    ['too many digits', good('b', `${'9'.repeat(20)}.00`), 'wrong-amount'],
    ['JPY with decimals', good('b').replace('usd', 'jpy'), 'wrong-amount'],
    ['a currency that is none', good('b').replace('usd', 'zzz'), 'unknown-currency'],
    ['a net that does not add up', good('b', '12.34', '0.34', '12.01'), 'net-differs'],
    ['a day that is none', good('b').replace('2026-11-24', '2026-02-30'), 'wrong-time'],
    ['a field too few', good('b').replace(',a thing', ''), 'wrong-columns'],
    ['a field too many', `${good('b')},more`, 'wrong-columns'],
    ['no id', good('').replace('ch_', 'ch_x'), 'missing-field'],
    ['text after a quote', good('b').replace('a thing', '"a" thing'), 'broken-quotes'],
    ['a quote inside a field', good('b').replace('a thing', 'a " thing'), 'broken-quotes'],
    ['a quote that is not closed', good('b').replace('a thing', '"a thing'), 'broken-quotes'],
    ['a line too long', good('b').replace('a thing', 'x'.repeat(20_000)), 'line-too-long'],
    ['an endless line', good('b').replace('a thing', 'x'.repeat(90_000)), 'line-too-long'],
  ];
  test.each(cases)('%s', async (_what, line, reason) => {
    const content = `${header}\n${good('a')}\n${line}\n${good('c')}\n`;
    expect(await shortOf(content, 4_096)).toEqual(['2 a 1200', `3 ${reason}`, '4 c 1200']);
  });

  test('two broken quotes lines apart do not swallow what is between', async () => {
    const open = good('b').replace('a thing', '"a thing');
    const content = [header, good('a'), open, good('c'), open, good('d'), ''].join('\n');
    expect(await shortOf(content)).toEqual([
      '2 a 1200',
      '3 broken-quotes',
      '4 c 1200',
      '5 broken-quotes',
      '6 d 1200',
    ]);
  });

  test('bytes that mean nothing', async () => {
    const bytes = Buffer.concat([
      Buffer.from(`${header}\n${good('a')}\n`),
      Buffer.from([0xff, 0xfe, 0x0a]),
      Buffer.from(`${good('c')}\n`),
    ]);
    expect(await shortOf(bytes)).toEqual(['2 a 1200', '3 wrong-encoding', '4 c 1200']);
  });
});

test('a quoted field may go over lines', async () => {
  const line = good('a').replace('a thing', '"a\nlong ""thing"""');
  expect(await shortOf(`${header}\n${line}\n${good('b')}\n`)).toEqual(['2 a 1200', '4 b 1200']);
});

test('BOM, CRLF, empty lines, no line break at the end', async () => {
  const content = `\uFEFF${header}\r\n${good('a')}\r\n\r\n${good('b')}`;
  expect(await shortOf(content)).toEqual(['2 a 1200', '4 b 1200']);
});

test('UTF-16 with its mark', async () => {
  const bytes = Buffer.from(`\uFEFF${header}\n${good('a')}\n`, 'utf16le');
  expect(await shortOf(bytes, 5)).toEqual(['2 a 1200']);
});

test('another encoding where it is told', async () => {
  const bytes = Buffer.from(`${header}\n${good('a').replace('a thing', 'caf\u00e9')}\n`, 'latin1');
  const lines = await linesOf(settlementRows(new FileText(inPieces(bytes, 9), 'windows-1252')));
  expect(lines).toHaveLength(1);
  expect(lines[0]?.kind).toBe('row');
});

test('duplicate lines and negative nets are rows: the matcher judges them', async () => {
  const refund = good('r', '-5.00', '0.00', '-5.00');
  expect(await shortOf([header, refund, refund].join('\n'))).toEqual(['2 r -500', '3 r -500']);
});

test.each([
  ['a missing column', header.replace(',fee', ''), 'wrong-header'],
  ['a column twice', `${header},fee`, 'wrong-header'],
  ['another file', '<xml>\n', 'wrong-header'],
  ['nothing', '', 'empty-file'],
])('%s in the header', async (_what, content, code) => {
  await expect(shortOf(content)).rejects.toMatchObject({ code });
});

test('columns may stand in another order', async () => {
  const turned = (line: string) => line.split(',').reverse().join(',');
  expect(await shortOf(`${turned(header)}\n${turned(good('a'))}\n`)).toEqual(['2 a 1200']);
});

test('a file of mostly bad lines is given up', async () => {
  const content = `${header}\n${'x\n'.repeat(reconciliationLimits.badLinesMax + 1_000)}`;
  await expect(shortOf(content, 65_536)).rejects.toMatchObject({ code: 'too-many-bad-lines' });
});

test('the hash is that of the bytes, however they come', async () => {
  const content = `${header}\n${good('a')}\n`;
  const hashes = [];
  for (const pieceBytes of [1, 13, 4_096]) {
    const file = fileOf(content, pieceBytes);
    expect(() => file.sha256).toThrow('not read to its end');
    await linesOf(settlementRows(file));
    hashes.push(file.sha256);
  }
  expect(new Set(hashes)).toEqual(new Set([createHash('sha256').update(content).digest('hex')]));
});

test('decimals of the currency, as Stripe writes them', async () => {
  const of = (currency: string, amount: string) =>
    good('a', amount, amount.replace(/\d/g, '0'), amount).replace('usd', currency);
  const content = [
    header,
    of('jpy', '500'),
    of('kwd', '1.230'),
    of('isk', '500.00'),
    of('isk', '500.50'),
    of('mga', '7'),
  ].join('\n');
  expect(await shortOf(content)).toEqual([
    '2 a 500',
    '3 a 1230',
    '4 a 500',
    '5 wrong-amount',
    '6 a 700',
  ]);
});

test('property: what is written exactly is read exactly', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }),
      fc.integer({ min: 0, max: 4 }),
      (amount, exponent) => {
        const digits = String(amount < 0n ? -amount : amount).padStart(exponent + 1, '0');
        const whole = digits.slice(0, digits.length - exponent);
        const text = exponent === 0 ? whole : `${whole}.${digits.slice(-exponent)}`;
        expect(minorUnits(`${amount < 0n ? '-' : ''}${text}`, exponent, 'exact')).toBe(amount);
      },
    ),
  );
});

test('property: however a file is cut into pieces, the same lines come', async () => {
  const content = [header, good('a'), '"', good('b').replace('a thing', '"two\nlines"'), 'x', ''];
  const whole = await shortOf(content.join('\r\n'), 100_000);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 200 }), async (pieceBytes) => {
      expect(await shortOf(content.join('\r\n'), pieceBytes)).toEqual(whole);
    }),
    { numRuns: 30 },
  );
});

test.each(['2026-11-24', '2026-11-24 25:00:00', '2026-11-24T10:00:00+01:00', 'yesterday', ''])(
  '%s is no time in UTC',
  (text) => {
    expect(utcTime(text)).toBeUndefined();
  },
);
