import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { afterAll, describe, expect, test } from 'vitest';
import { observePayout, registerSeller, requestPayout, setBank } from '../decide/seller.ts';
import { money } from '../money.ts';
import { paymentsFolds } from '../reactors/stream-folds.ts';
import { sellerStream } from '../streams.ts';
import { fedStore } from '../testing/fed-store.ts';
import { shopTerms } from '../testing/paid-order.ts';
import { compareStatement } from './compare-files.ts';
import type { FilesMeans } from './day-files.ts';
import { approveResolution, requestResolution } from './decide.ts';
import { settlementStream } from './events.ts';
import { sqliteMovementsReadModel } from './movements.ts';
import { nightReport } from './night.ts';
import { reconciliationProjection } from './queues.ts';
import { change, loadDay } from './service.ts';
import { fileOf } from './testing/files.ts';

const dayStart = (day: number) => Date.UTC(2026, 10, day);
const dateOf = (day: number) => new Date(dayStart(day)).toISOString().slice(0, 10);
const scratchFolder = await mkdtemp(join(tmpdir(), 'annals-test-'));
afterAll(() => rm(scratchFolder, { recursive: true }));

/** A shop whose payouts were paid, and the desk that compares them. The read model is fed before each look. */
async function bank() {
  let now = dayStart(20);
  const clock = { now: () => now, sleep: async () => undefined };
  const log = memoryEventLog({ clock });
  const cipher = subjectCipher(memorySubjectKeyStore());
  const { sellers } = paymentsFolds(log, cipher);
  const stream = sellerStream('shop');
  await sellers.decide(stream, (one) =>
    registerSeller(one, { account: 'shop', terms: shopTerms, at: now }),
  );
  await sellers.decide(stream, (one) => setBank(one, { bankToken: 'btok_1', at: now }));
  const paidOut = async (payoutId: string, day: number) => {
    const at = dayStart(day) + 12 * 3_600_000;
    const { revision } = await sellers.load(stream);
    const wallet = { available: 500n, reserved: 0n, sellerRevision: revision };
    const asked = { payoutId, currency: 'USD', amount: 500n, wallet, revision, at };
    const call = { psp: 'one', bankToken: 'btok_1', because: 'on_demand', callBefore: at } as const;
    await sellers.decide(stream, (one) => requestPayout(one, { ...asked, ...call }));
    const told = { id: `po_${payoutId}`, status: 'paid', amount: money(500n, 'USD') } as const;
    await sellers.decide(stream, (one) => observePayout(one, payoutId, told, at));
  };
  const means = async (): Promise<FilesMeans & { clock: typeof clock }> => {
    const live = await fedStore(reconciliationProjection, log, cipher);
    return { log, cipher, clock, scratchFolder, movements: sqliteMovementsReadModel(live) };
  };
  const upload = async (day: number, text: string, format: 'csv' | 'camt053' = 'csv') => {
    now = Math.max(now, dayStart(day + 1) + 9 * 3_600_000);
    const statement = { date: dateOf(day), format, file: fileOf(text, 1_000) };
    const compared = await compareStatement(await means(), statement);
    if (compared.kind !== 'compared') throw new Error(compared.detail);
    return compared;
  };
  const night = async (day: number) => {
    now = Math.max(now, dayStart(day + 1) + 600_000);
    return nightReport(await means(), dateOf(day), []);
  };
  const stored = async () => (await log.read('start', {}, { limit: 10_000 })).events.length;
  return { log, means, paidOut, upload, night, stored };
}

const header = 'booking_date,id,reference,currency,amount,status,text';
function statement(day: number, ...lines: readonly string[]): string {
  return `${[header, ...lines.map((line) => `${dateOf(day)},${line},booked,to Ann`)].join('\n')}\n`;
}
const lineOf = (payout: string, id = `b-${payout}`) => `${id},o~shop~${payout},USD,-5.00`;
const rent = 'b-rent,,USD,-100.00';

type Night = Awaited<ReturnType<Awaited<ReturnType<typeof bank>>['night']>>;
function breaksOf({ bank: day, bankEarlier }: Night): string[] {
  const all = [...bankEarlier, ...(day ? [day] : [])];
  return all.flatMap(({ date, breaks }) =>
    breaks.map((one) => `${date} ${one.class} ${one.state} ${one.key}`),
  );
}

describe('a payout that never arrives at the bank', () => {
  test('is a break the next night, though it was heard of after the statements had come', async () => {
    const { paidOut, upload, night } = await bank();
    await paidOut('p-1', 20);
    await upload(20, statement(20, lineOf('p-1')));
    await paidOut('p-2', 20);
    expect(breaksOf(await night(20))).toEqual(['2026-11-20 timing waiting o~shop~p-2']);
    // No statement of a later day is there: it may be in that one.
    expect(await night(21)).toMatchObject({ open: 0 });
    await paidOut('p-3', 21);
    await upload(21, statement(21, lineOf('p-3')));
    await paidOut('p-4', 20);
    const found = await night(21);
    expect(found.open).toBe(2);
    expect(breaksOf(found).filter((one) => one.includes('open'))).toEqual([
      '2026-11-20 missing_in_psp open o~shop~p-2',
      '2026-11-20 missing_in_psp open o~shop~p-4',
    ]);
    // The same night, and the next one, find nothing new.
    expect((await night(21)).open).toBe(2);
    expect((await night(22)).open).toBe(2);
  });

  test('is none while its line comes with the statement of the next day', async () => {
    const { paidOut, upload, night } = await bank();
    await paidOut('p-1', 20);
    await upload(20, statement(20, rent));
    await upload(21, statement(21, lineOf('p-1')));
    expect(breaksOf(await night(21)).filter((one) => one.includes('open'))).toEqual([
      '2026-11-20 unidentified_row open line 2',
    ]);
  });

  test('is waited for over days on which the bank books nothing, and over days without a statement', async () => {
    const { paidOut, upload, night } = await bank();
    await paidOut('p-1', 20);
    await upload(20, statement(20));
    await upload(21, statement(21));
    expect((await night(22)).open).toBe(0);
    await upload(23, statement(23, lineOf('p-1')));
    expect((await night(23)).open).toBe(0);
  });

  test('is not asked of payouts before the first statement', async () => {
    const { paidOut, upload, night } = await bank();
    await paidOut('p-1', 18);
    await paidOut('p-2', 20);
    expect(await night(20)).toMatchObject({ open: 0, bank: undefined });
    await upload(20, statement(20, lineOf('p-2')));
    await paidOut('p-3', 21);
    await upload(21, statement(21, lineOf('p-3')));
    expect((await night(21)).open).toBe(0);
  });
});

describe('a break whose other side comes after all', () => {
  test('is cleared by the night that finds it no more, and a proposal with it', async () => {
    const { means, paidOut, upload, night, stored } = await bank();
    await paidOut('p-1', 20);
    await paidOut('p-2', 20);
    await paidOut('p-3', 20);
    await upload(20, statement(20, lineOf('p-1')));
    await upload(21, statement(21, rent));
    const found = breaksOf(await night(21)).filter((one) => one.includes('missing'));
    expect(found).toEqual([
      '2026-11-20 missing_in_psp open o~shop~p-2',
      '2026-11-20 missing_in_psp open o~shop~p-3',
    ]);
    const stream = settlementStream('bank', dateOf(20));
    const { day } = await loadDay(await means(), stream);
    const of = [...day.breaks.values()].find(({ found: { key } }) => key === 'o~shop~p-2');
    const command = { psp: 'bank', date: dateOf(20), at: 0, breakId: of?.found.break_id ?? '' };
    const entry = { currency: 'USD', lines: [{ debit: 'bank', credit: 'losses', amount: '500' }] };
    await change(await means(), stream, (one) =>
      requestResolution(one, { ...command, by: 'ann', reason: 'the bank lost it', entry }),
    );
    await upload(22, statement(22, lineOf('p-2')));
    const after = breaksOf(await night(22)).filter((one) => one.includes('missing'));
    expect(after).toEqual([
      '2026-11-20 missing_in_psp cleared o~shop~p-2',
      '2026-11-20 missing_in_psp open o~shop~p-3',
    ]);
    // What would have been booked twice is not.
    const approved = await change(await means(), stream, (one) =>
      approveResolution(one, { ...command, by: 'ben' }),
    );
    expect(approved).toMatchObject({ kind: 'refused', reason: 'break-closed' });
    const events = await stored();
    await night(22);
    expect(await stored()).toBe(events);
  });

  test('is cleared where a line came before its payout was heard of', async () => {
    const { paidOut, upload, night } = await bank();
    await upload(20, statement(20, lineOf('p-1')));
    await upload(21, statement(21, rent));
    expect(breaksOf(await night(21)).join()).toContain('missing_in_ledger open o~shop~p-1');
    await paidOut('p-1', 20);
    await night(22);
    expect(breaksOf(await night(20)).join()).toContain('missing_in_ledger cleared o~shop~p-1');
  });
});

describe('statements', () => {
  test('the same file twice changes nothing, also after it was compared at night', async () => {
    const { paidOut, upload, night, stored } = await bank();
    await paidOut('p-1', 20);
    const text = statement(20, lineOf('p-1'), 'b-2,o~shop~nobody,USD,-7.00', rent);
    const first = await upload(20, text);
    expect(first.run).toMatchObject({ lines: 3, matched: 1 });
    const events = await stored();
    await upload(20, text);
    await night(20);
    await night(20);
    expect(await stored()).toBe(events);
  });

  test('may come in any order', async () => {
    const { paidOut, upload, night } = await bank();
    for (const day of [20, 21, 22]) await paidOut(`p-${day}`, day);
    await upload(22, statement(22, lineOf('p-21'), lineOf('p-22')));
    await upload(
      20,
      statement(20, rent.replace('b-rent,', 'b-rent,o~shop~p-20').replace('100', '5')),
    );
    await upload(21, statement(21));
    for (const day of [20, 21, 22]) expect(breaksOf(await night(day)).join()).not.toContain('open');
  });

  test('that overlap tell one booking once', async () => {
    const { paidOut, upload, night } = await bank();
    await paidOut('p-1', 20);
    await upload(20, statement(20, lineOf('p-1')));
    await upload(20, statement(20, lineOf('p-1'), lineOf('p-1')));
    const found = await night(20);
    expect(found.bank?.files).toHaveLength(2);
    expect(breaksOf(found)).toEqual([]);
    await upload(21, statement(21, lineOf('p-1', 'b-again')));
    expect(breaksOf(await night(21))).toEqual(['2026-11-21 duplicate_in_psp open o~shop~p-1']);
  });

  test('a line without a payout waits one statement, and is then missing with us', async () => {
    const { upload, night } = await bank();
    await upload(20, statement(20, lineOf('p-9')));
    expect(breaksOf(await night(20))).toEqual(['2026-11-20 timing waiting o~shop~p-9']);
    await upload(21, statement(21, lineOf('p-8')));
    const open = breaksOf(await night(21)).filter((one) => one.includes('open'));
    expect(open).toEqual(['2026-11-20 missing_in_ledger open o~shop~p-9']);
  });

  test('as camt.053 are kept and compared alike', async () => {
    const { paidOut, upload, night } = await bank();
    await paidOut('p-1', 20);
    const entry = `<Ntry><Amt Ccy="USD">5.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>
      <BookgDt><Dt>${dateOf(20)}</Dt></BookgDt><AcctSvcrRef>b-1</AcctSvcrRef>
      <NtryDtls><TxDtls><Refs><EndToEndId>o~shop~p-1</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>`;
    const xml = `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt><Id>1</Id>${entry}</Stmt></BkToCstmrStmt></Document>`;
    const compared = await upload(20, xml, 'camt053');
    expect(compared.run).toMatchObject({ lines: 1, matched: 1 });
    await paidOut('p-2', 20);
    await upload(21, statement(21, rent));
    const open = breaksOf(await night(21)).filter((one) => one.includes('missing'));
    expect(open).toEqual(['2026-11-20 missing_in_psp open o~shop~p-2']);
  });

  test('whose keeping was cut off count for nothing until it is gone on with', async () => {
    const { log, means, paidOut, upload, night } = await bank();
    await paidOut('p-1', 20);
    await upload(19, statement(19, rent));
    await night(20);
    const lines = Array.from({ length: 450 }, (_, n) => lineOf(n === 449 ? 'p-1' : `x-${n}`));
    const text = statement(20, ...lines);
    let appends = 0;
    const cut: FilesMeans['log'] = {
      readStream: (...given) => log.readStream(...given),
      head: () => log.head(),
      append: (...given) => {
        appends += 1;
        if (appends > 2) throw new Error('cut off');
        return log.append(...given);
      },
    };
    const file = { date: dateOf(20), format: 'csv', file: fileOf(text, 4_000) } as const;
    await expect(compareStatement({ ...(await means()), log: cut }, file)).rejects.toThrow(
      'cut off',
    );
    expect((await night(20)).bank?.files ?? []).toEqual([]);
    const compared = await upload(20, text);
    expect(compared.run).toMatchObject({ lines: 450, matched: 1 });
    expect(await readdir(scratchFolder)).toEqual([]);
  });

  test('that cannot be used are not kept', async () => {
    const { upload, stored } = await bank();
    const events = await stored();
    await expect(upload(20, 'no,statement\n1,2\n')).rejects.toThrow('header');
    expect(await stored()).toBe(events);
  });

  test('hold none of the texts that people wrote', async () => {
    const { log, paidOut, upload } = await bank();
    await paidOut('p-1', 20);
    await upload(20, statement(20, lineOf('p-1')));
    const { events } = await log.read('start', {}, { limit: 10_000 });
    expect(events.map(({ data }) => data).join()).not.toContain('to Ann');
  });
});

test('a month of nights: each payout that is lost is found once, and no other', async () => {
  const { paidOut, upload, night } = await bank();
  const found = new Set<string>();
  for (let day = 1; day <= 20; day += 1) {
    const arrived = [1, 2, 3].map((n) => `p-${20 + day}-${n}`).filter((one) => one !== 'p-29-2');
    for (const n of [1, 2, 3]) await paidOut(`p-${20 + day}-${n}`, 20 + day);
    await upload(20 + day, statement(20 + day, ...arrived.map((one) => lineOf(one))));
    const { bankEarlier, bank: own } = await night(20 + day);
    for (const report of [...bankEarlier, ...(own ? [own] : [])]) {
      for (const one of report.breaks) if (one.state === 'open') found.add(one.key);
    }
  }
  expect([...found]).toEqual(['o~shop~p-29-2']);
}, 30_000);
