import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { accountKinds, assertBalanced, journalOf, signed } from '../journal.ts';
import { decided } from '../outcome.ts';
import {
  approveResolution,
  assign,
  comment,
  type ProposedEntry,
  rejectResolution,
  requestResolution,
} from './decide.ts';
import { settlementEvents, settlementStream } from './events.ts';
import { type Movement, movementOfSettlement } from './movement.ts';
import { reportCsv, reportHtml, reportOf } from './report.ts';
import { change, type ReconciliationMeans, readDay, reconcileDay } from './service.ts';
import { settlementRows } from './settlement-csv.ts';
import { breakMoves, breakStates, evolveDay, newDay } from './state.ts';
import { fileOf } from './testing/files.ts';

const [psp, date] = ['stripe', '2026-11-24'];
const at = Date.parse('2026-11-25T02:00:00Z');
const header =
  'balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id';
const charge = (name: string, gross: string, fee: string, net: string, time = '12:00:00') =>
  `txn_${name},2026-11-24 ${time},usd,${gross},${fee},${net},charge,ch_${name},pi_${name}`;

function entry(name: string, amount = 1_000n, fee = 30n): Movement {
  const key = `pi_${name}`;
  const noon = Date.parse('2026-11-24T12:00:00Z');
  const plain = { status: 'captured', currency: 'USD', waited: 0 } as const;
  return { ...plain, key, amount, fee, at: noon, id: `entry-${name}` };
}

const content = [
  header,
  charge('sound', '10.00', '0.30', '9.70'),
  charge('rounds', '10.01', '0.30', '9.71'),
  charge('fee', '10.00', '0.35', '9.65'),
  charge('amount', '12.00', '0.31', '11.69'),
  charge('late', '10.00', '0.30', '9.70', '23:59:59'),
  'what is this',
].join('\n');
const entries = [entry('sound'), entry('rounds'), entry('fee', 1_000n, 0n), entry('amount')];

function means(): ReconciliationMeans & { readonly log: ReturnType<typeof memoryEventLog> } {
  const clock = { now: () => at };
  const cipher = subjectCipher(memorySubjectKeyStore());
  return { log: memoryEventLog({ clock }), clock, cipher };
}

async function* inOne(movements: readonly Movement[]): AsyncGenerator<readonly Movement[]> {
  yield movements;
}

function run(own: ReconciliationMeans, { text = content, ledger = entries, day = date } = {}) {
  return reconcileDay(own, {
    ...{ psp, date: day, format: 'stripe-balance-change-itemized-3', file: fileOf(text) },
    ...{ rowsOf: settlementRows, movementOf: movementOfSettlement, ledger: inOne(ledger) },
  });
}

async function eventsOf(own: ReconciliationMeans) {
  const page = await own.log.readStream(settlementStream(psp, date), { from: 0, limit: 500 });
  return settlementEvents.decode(page.events, own.cipher);
}

async function breakOf(own: ReconciliationMeans, of: string): Promise<string> {
  const day = await readDay(own, psp, date);
  const one = [...day.breaks.values()].find(({ found }) => found.class === of);
  if (!one) throw new Error(`no ${of}`);
  return one.found.break_id;
}

test('what is safe is corrected, and a second run finds none of it; the same file changes nothing', async () => {
  const own = means();
  const first = await run(own);
  expect(first.breaks).toMatchObject({
    ...{ rounding: 1, fee_mismatch: 2, amount_mismatch: 1, timing: 1, unidentified_row: 1 },
  });
  const events = await eventsOf(own);
  const second = await run(own);
  expect(second.breaks).toMatchObject({
    ...{ rounding: 0, fee_mismatch: 0, amount_mismatch: 1, timing: 1, unidentified_row: 1 },
  });
  await run(own);
  expect(await eventsOf(own)).toEqual(events);
});

test('corrections are journal entries in balance, between accounts that there are', async () => {
  const own = means();
  await run(own);
  const booked = (await eventsOf(own)).flatMap((event) => journalOf(event) ?? []);
  expect(booked).toHaveLength(3);
  for (const one of booked) {
    assertBalanced('break-corrected', one);
    for (const { account } of one.postings) expect(accountKinds).toContain(account);
  }
  const fees = booked.flatMap(({ postings }) => postings).filter((p) => p.account === 'psp_fees');
  expect(fees.map(({ side, amount }) => [side, amount])).toEqual([
    ['debit', 1n],
    ['debit', 35n],
  ]);
});

test('what waited is compared with the next file', async () => {
  const own = means();
  await run(own);
  const next = await run(own, { text: header, ledger: [entry('late')], day: '2026-11-25' });
  expect(next.matched).toBe(1);
  expect(Object.values(next.breaks).every((count) => count === 0)).toBe(true);
});

test('a file that cannot be used records nothing', async () => {
  const own = means();
  await expect(run(own, { text: 'a,b\n1,2\n' })).rejects.toMatchObject({ code: 'wrong-header' });
  expect(await eventsOf(own)).toEqual([]);
});

test('finance: assigned, commented, resolved by an entry that a second person approves', async () => {
  const own = means();
  await run(own);
  const stream = settlementStream(psp, date);
  const of = { psp, date, at, breakId: await breakOf(own, 'amount_mismatch') };
  const [ann, ben] = [
    { ...of, by: 'ann' },
    { ...of, by: 'ben' },
  ];
  await change(own, stream, (day) => assign(day, { ...ann, to: 'ann' }));
  await change(own, stream, (day) => comment(day, { ...ann, comment: 'asked the provider' }));
  const fixed: ProposedEntry = {
    currency: 'USD',
    lines: [{ debit: 'psp_clearing', credit: 'suspense', amount: '200' }],
  };
  for (const wrongly of [
    { lines: [{ ...fixed.lines[0]!, amount: '199' }] },
    { lines: [{ ...fixed.lines[0]!, debit: 'x' }] },
    { currency: 'JPY' },
  ]) {
    const wrong = { ...ann, reason: 'mends nothing', entry: { ...fixed, ...wrongly } };
    expect(await change(own, stream, (day) => requestResolution(day, wrong))).toMatchObject({
      reason: 'wrong-entry',
    });
  }
  const ask = { ...ann, reason: 'captured by hand', entry: fixed };
  await change(own, stream, (day) => requestResolution(day, ask));
  expect(await change(own, stream, (day) => approveResolution(day, ann))).toMatchObject({
    reason: 'same-person',
  });
  expect(await change(own, stream, (day) => requestResolution(day, ask))).toMatchObject({
    reason: 'resolution-requested',
  });
  await change(own, stream, (day) => rejectResolution(day, { ...ben, reason: 'no voucher' }));
  await change(own, stream, (day) => requestResolution(day, ask));
  expect((await change(own, stream, (day) => approveResolution(day, ben))).kind).toBe('decided');
  expect(await change(own, stream, (day) => approveResolution(day, ben))).toMatchObject({
    reason: 'break-closed',
  });
  const again = await run(own);
  expect(again.breaks.amount_mismatch).toBe(0);
  const resolved = (await eventsOf(own)).find(({ type }) => type === 'break-resolved');
  expect(resolved && journalOf(resolved)).toMatchObject({ corrects: 'entry-amount' });
});

test('what left the balance is booked once for each file; a later file books what it says otherwise', async () => {
  const own = means();
  const line = (id: string, net: string, category: string, source: string) =>
    `${id},2026-11-24 12:00:00,usd,${net},0.00,${net},${category},${source},`;
  const first = [header, line('t1', '-9.00', 'payout', 'po_1')].join('\n');
  const more = [line('t2', '-0.40', 'fee', 'fee_1'), line('t3', '10.00', 'topup', 'tu_1')];
  const second = [first, ...more].join('\n');
  const ours: Movement = { ...entry('x', -900n, 0n), key: 'po_1', status: 'paid_out' };
  for (const text of [first, first, second, first]) await run(own, { text, ledger: [ours] });
  const booked = (await eventsOf(own)).filter(({ type }) => type === 'settlement-booked');
  expect(booked.map(({ data }) => data)).toMatchObject([
    { currency: 'USD', to_bank: '900', from_bank: '0', fees: '0', fees_returned: '0' },
    { currency: 'USD', to_bank: '0', from_bank: '1000', fees: '40', fees_returned: '0' },
  ]);
  const posted = booked.flatMap((one) => journalOf(one)?.postings ?? []);
  const bank = posted.filter(({ account }) => account === 'bank').map(signed);
  expect(bank).toEqual([900n, -1_000n]);
});

test('fees of no single payment are booked, and somebody looks where they are high', async () => {
  const fee = (id: string, net: string) =>
    `${id},2026-11-24 12:00:00,usd,${net},0.00,${net},fee,${id},`;
  const usual = [header, charge('sound', '10.00', '0.30', '9.70'), fee('fee_1', '-1.00')];
  const own = means();
  expect((await run(own, { text: usual.join('\n'), ledger: [entry('sound')] })).breaks).toEqual(
    expect.objectContaining({ fee_mismatch: 0 }),
  );
  const high = [...usual, fee('fee_2', '-0.01')].join('\n');
  for (const text of [high, high]) {
    const { breaks } = await run(own, { text, ledger: [entry('sound')] });
    expect(breaks.fee_mismatch).toBe(1);
  }
  const { breaks } = reportOf(psp, date, await readDay(own, psp, date));
  expect(breaks).toMatchObject([
    { class: 'fee_mismatch', treatment: 'finance', state: 'open', key: 'fees USD' },
  ]);
  const booked = (await eventsOf(own)).filter(({ type }) => type === 'settlement-booked');
  expect(booked.map(({ data }) => data)).toMatchObject([{ fees: '100' }, { fees: '1' }]);
});

test('refused: breaks that are not there, entries that are none, empty words', () => {
  const of = { psp, date, at, breakId: 'b', by: 'ann' };
  expect(assign(newDay, { ...of, to: 'ann' })).toMatchObject({ reason: 'break-not-found' });
  expect(comment(newDay, { ...of, comment: 'x' })).toMatchObject({ reason: 'break-not-found' });
  const found = {
    break_id: 'b',
    class: 'amount_mismatch',
    treatment: 'finance',
    key: 'k',
  } as const;
  const day = evolveDay(newDay, {
    type: 'breaks-found',
    data: { psp, date, sha256: 'x', breaks: [found] },
  });
  expect(comment(day, { ...of, comment: ' ' })).toMatchObject({ reason: 'comment-too-long' });
  expect(approveResolution(day, of)).toMatchObject({ reason: 'no-resolution' });
  expect(rejectResolution(day, { ...of, reason: 'x' })).toMatchObject({ reason: 'no-resolution' });
  expect(requestResolution(day, { ...of, reason: '' })).toMatchObject({ reason: 'reason-missing' });
  const line = { debit: 'bank', credit: 'suspense', amount: '1' };
  for (const wrong of [
    { currency: 'ZZZ', lines: [line] },
    { currency: 'USD', lines: [] },
    { currency: 'USD', lines: [{ ...line, amount: '-1' }] },
    { currency: 'USD', lines: [{ ...line, credit: 'bank' }] },
    { currency: 'USD', lines: [{ ...line, credit: 'profit' }] },
  ]) {
    expect(requestResolution(day, { ...of, reason: 'x', entry: wrong })).toMatchObject({
      reason: 'wrong-entry',
    });
  }
  expect(assign(day, { ...of, to: 'ann' }).kind).toBe(decided().kind);
});

test('a move that the table of states does not have is a fault of the log', () => {
  const found = { break_id: 'b', class: 'timing', treatment: 'wait', key: 'k' } as const;
  const day = evolveDay(newDay, {
    type: 'breaks-found',
    data: { psp, date, sha256: 'x', breaks: [found] },
  });
  const data = { psp, date, break_id: 'b', requested_by: 'a', approved_by: 'b', reason: 'x' };
  expect(() => evolveDay(day, { type: 'break-resolved', data })).toThrow(
    'from waiting to resolved',
  );
  expect(Object.keys(breakMoves)).toEqual([...breakStates]);
});

test('the report as values, CSV and a page', async () => {
  const own = means();
  await run(own, { text: `${content}\n=cmd<b>,1,2\n` });
  const report = reportOf(psp, date, await readDay(own, psp, date));
  expect(report).toMatchObject({ open: 3, counts: { fee_mismatch: 2, unidentified_row: 2 } });
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  const lines = reportCsv(report).trimEnd().split('\r\n');
  expect(lines).toHaveLength(1 + report.breaks.length);
  expect(lines.join('\n')).toContain('rounding,correct,corrected,,pi_rounds,,captured,USD,1001,30');
  const evil = { ...report, breaks: report.breaks.map((one) => ({ ...one, key: '=1+1<b>' })) };
  expect(reportCsv(evil)).toContain(",'=1+1<b>,");
  const page = reportHtml(['<b>'], evil);
  expect(page).toContain('captured 10.01 USD, fee 0.30 USD');
  expect(page).not.toContain('<b>');
});

/** What the last run counted is that run's own: it no longer finds what was corrected before it. */
function told(events: Awaited<ReturnType<typeof eventsOf>>) {
  return events.map(({ id, type, data }) =>
    type === 'reconciliation-finished' ? [id, data.sha256] : [id, data],
  );
}

test('a run that a lost answer or a crash cuts off is finished by the next one', async () => {
  const whole = means();
  await run(whole);
  const expected = await eventsOf(whole);
  for (let lost = 1; lost <= 3; lost += 1) {
    const own = means();
    let appends = 0;
    const dying: ReconciliationMeans = {
      ...own,
      log: {
        readStream: (...of) => own.log.readStream(...of),
        append: async (...of) => {
          appends += 1;
          if (appends === lost + 1) throw new Error('killed');
          await own.log.append(...of);
          return { kind: 'unknown', detail: 'no answer' };
        },
      },
    };
    await run(dying).catch(() => undefined);
    await run(own);
    expect(told(await eventsOf(own))).toEqual(told(expected));
  }
});

test('the page prints the table of states', () => {
  const page = readFileSync(
    join(import.meta.dirname, '../../../docs/payments-reconciliation.md'),
    'utf8',
  );
  for (const state of breakStates) {
    const next = breakMoves[state].join(', ');
    const to = state === 'waiting' ? 'compared again in the stream of the next file' : next;
    expect(page).toContain(`| ${state} | ${to}${to === '' ? '' : ' '}|`);
  }
});

test('two processes that compare the same file correct it once', async () => {
  const own = means();
  await Promise.all([run(own), run(own), run(own)]);
  const types = (await eventsOf(own)).map(({ type }) => type);
  expect(types.filter((type) => type === 'break-corrected')).toHaveLength(3);
  expect(types.filter((type) => type === 'breaks-found')).toHaveLength(1);
});
