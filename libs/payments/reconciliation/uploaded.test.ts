import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { journalOf, signed } from '../journal.ts';
import { approveResolution, rejectResolution, requestResolution } from './decide.ts';
import { settlementEvents, settlementStream } from './events.ts';
import { type Movement, movementOfSettlement } from './movement.ts';
import { reportOf } from './report.ts';
import { change, readDay, reconcileDay } from './service.ts';
import { settlementRows } from './settlement-csv.ts';
import { fileOf } from './testing/files.ts';

const [psp, date, next] = ['stripe', '2026-11-24', '2026-11-25'];
const at = Date.parse('2026-11-26T02:00:00Z');
const header =
  'balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id';
const line = (id: string, gross: string, fee: string, net: string, category: string, of: string) =>
  `${id},${date} 12:00:00,usd,${gross},${fee},${net},${category},${of}`;
const charge = line('t_fee', '10.00', '0.35', '9.65', 'charge', 'ch_fee,pi_fee');
const rounds = line('t_round', '10.01', '0.30', '9.71', 'charge', 'ch_round,pi_round');
const payout = line('t_po', '-5000.00', '0.00', '-5000.00', 'payout', 'po_1,');
const fees = line('t_own', '-70.00', '0.00', '-70.00', 'fee', 'fee_1,');
const text = [header, charge, rounds, payout, fees].join('\n');

function entry(name: string, more: Partial<Movement> = {}): Movement {
  const plain = {
    status: 'captured',
    currency: 'USD',
    amount: 1_000n,
    fee: 30n,
    waited: 0,
  } as const;
  const noon = Date.parse(`${date}T12:00:00Z`);
  return { ...plain, key: `pi_${name}`, at: noon, id: `entry-${name}`, ...more };
}

const ours = [
  entry('fee'),
  entry('round'),
  entry('po', { key: 'po_1', status: 'paid_out', amount: -500_000n, fee: 0n }),
];

async function* inOne(movements: readonly Movement[]): AsyncGenerator<readonly Movement[]> {
  yield movements;
}

/** A desk of finance: files that a key uploads, or the provider gives where nobody is named. */
function desk() {
  const clock = { now: () => at };
  const means = {
    ...{ log: memoryEventLog({ clock }), clock },
    cipher: subjectCipher(memorySubjectKeyStore()),
  };
  const stream = settlementStream(psp, date);
  const give = (file: string, uploadedBy?: string, day = date, ledger = ours) =>
    reconcileDay(means, {
      ...{ psp, date: day, format: 'stripe-balance-change-itemized-3', file: fileOf(file) },
      ...{ rowsOf: settlementRows, movementOf: movementOfSettlement, ledger: inOne(ledger) },
      ...(uploadedBy === undefined ? {} : { uploadedBy }),
    });
  const events = async () => {
    const page = await means.log.readStream(stream, { from: 0, limit: 500 });
    return settlementEvents.decode(page.events, means.cipher);
  };
  const report = async (day = date) => reportOf(psp, day, await readDay(means, psp, day));
  return {
    ...{ means, stream, give, events, report },
    /** What was booked so far, by account. */
    books: async () => {
      const sums: { [account: string]: bigint } = {};
      for (const event of await events()) {
        for (const posting of journalOf(event)?.postings ?? []) {
          sums[posting.account] = (sums[posting.account] ?? 0n) + signed(posting);
        }
      }
      return sums;
    },
    waiting: async (day = date) =>
      (await report(day)).breaks.filter(({ state }) => state === 'proposed'),
    approve: (breakId: string, by: string) =>
      change(means, stream, (day) => approveResolution(day, { psp, date, at, breakId, by })),
    reject: (breakId: string, by: string) => {
      const command = { psp, date, at, breakId, by, reason: 'made up' };
      return change(means, stream, (day) => rejectResolution(day, command));
    },
  };
}

const whole = { bank: 500_000n, psp_clearing: -507_004n, psp_fees: 7_005n, fx_difference: -1n };

test('the file of the provider books what it says at once', async () => {
  const { give, books } = desk();
  await give(text);
  expect(await books()).toEqual(whole);
});

test('an uploaded file books nothing: each entry waits for another key, and is seen before', async () => {
  const { give, books, waiting, approve, events } = desk();
  const run = await give(text, 'ann');
  expect(run).toMatchObject({ lines: 4, breaks: { rounding: 1, fee_mismatch: 2 } });
  expect(await books()).toEqual({});
  const proposed = await waiting();
  expect(proposed.map(({ key, treatment }) => `${key} ${treatment}`).sort()).toEqual([
    'pi_fee finance',
    'pi_round finance',
    'settled finance',
  ]);
  for (const one of proposed) expect(one.proposal).toMatchObject({ by: 'ann' });
  const settled = proposed.find(({ key }) => key === 'settled');
  expect(settled).toMatchObject({
    detail: expect.stringMatching(/to the bank .*5000\.00.*, fees of no single payment .*70\.00/),
    proposal: { settles: { to_bank: '500000', fees: '7000' } },
  });
  // Uploaded once more, by whomever, it is the same.
  const before = await events();
  await give(text, 'ben');
  expect(await events()).toEqual(before);
  for (const { break_id } of proposed) {
    expect(await approve(break_id, 'ann')).toMatchObject({ reason: 'same-person' });
    expect(await approve(break_id, 'ben')).toMatchObject({ kind: 'decided' });
  }
  expect(await books()).toEqual(whole);
  // Nothing of it is found or booked again, by an upload or the provider's own file.
  const again = await give(text);
  expect(again.breaks).toMatchObject({ rounding: 0 });
  await give(text, 'ann');
  expect(await books()).toEqual(whole);
  expect(await waiting()).toEqual([]);
});

test('the file of the provider that says the same is booked, and nothing waits any more', async () => {
  const { give, books, waiting, report } = desk();
  await give(text, 'ann');
  const proposed = await waiting();
  await give(text);
  expect(await books()).toEqual(whole);
  expect(await waiting()).toEqual([]);
  const { breaks } = await report();
  const states = proposed.map(({ break_id, key }) => {
    return [key, breaks.find((one) => one.break_id === break_id)?.state];
  });
  expect(Object.fromEntries(states)).toEqual({
    ...{ pi_fee: 'corrected', pi_round: 'corrected', settled: 'cleared' },
  });
});

test('of two uploaded files the later is proposed; one that was rejected is, when it is given again', async () => {
  const { means, stream, give, books, waiting, approve, reject } = desk();
  const settled = async () => (await waiting()).filter(({ key }) => key === 'settled');
  await give([header, payout].join('\n'), 'ann');
  const [earlier] = await settled();
  await give([header, payout, fees].join('\n'), 'ann');
  const [later, ...more] = await settled();
  expect(more).toEqual([]);
  expect(later?.break_id).not.toBe(earlier?.break_id);
  const closed = { kind: 'refused', reason: 'break-closed' };
  expect(await approve(earlier?.break_id ?? '', 'ben')).toMatchObject(closed);
  await reject(later?.break_id ?? '', 'ben');
  const by = { psp, date, at, breakId: later?.break_id ?? '', by: 'ann', reason: 'it is right' };
  const lines = [{ debit: 'bank', credit: 'psp_clearing', amount: '1' }];
  const free = { ...by, entry: { currency: 'USD', lines } };
  expect(await change(means, stream, (day) => requestResolution(day, free))).toMatchObject({
    reason: 'wrong-entry',
  });
  await give([header, payout, fees].join('\n'), 'ann');
  expect(await settled()).toMatchObject([{ break_id: later?.break_id }]);
  expect(await books()).toEqual({});
  await approve(later?.break_id ?? '', 'ben');
  expect(await books()).toEqual({ bank: 500_000n, psp_clearing: -507_000n, psp_fees: 7_000n });
});

test('a line of an uploaded file that waits for the next one corrects nothing by itself there', async () => {
  const { give, waiting, means } = desk();
  const late = charge.replace('12:00:00', '23:59:59');
  await give([header, late].join('\n'), 'ann', date, []);
  await give(header, undefined, next, [entry('fee', { at: Date.parse(`${next}T00:00:01Z`) })]);
  expect(await waiting(next)).toMatchObject([
    { class: 'fee_mismatch', key: 'pi_fee', uploaded_by: 'ann', proposal: { by: 'ann' } },
  ]);
  const { events } = await means.log.readStream(settlementStream(psp, next));
  expect(events.map(({ type }) => type)).not.toContain('break-corrected');
});
