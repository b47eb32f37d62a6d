import { idFromKey } from '@annals/core';
import {
  type LedgerReadModel,
  ledgerProjection,
  sqliteLedgerReadModel,
  walletsProjection,
} from '@annals/payments';
import { fedStore } from '@annals/payments/contract';
import type { Psp } from '@annals/payments/psp';
import { type PspSite, sitePace } from '@annals/payments/psp/contract';
import {
  approveResolution,
  type BreakClass,
  breakClasses,
  change,
  compareStatement,
  FileText,
  mendingMovements,
  type NightMeans,
  type NightReport,
  nightCsv,
  nightDocument,
  nightHtml,
  readDay,
  reconcileNight,
  reconciliationProjection,
  requestResolution,
  settlementStream,
  sqliteBooksComparison,
  sqliteMovementsReadModel,
} from '@annals/payments/reconciliation';
import { afterEach, expect, test } from 'vitest';
import { Market } from './testing/market.ts';
import { openInProcess } from './testing/sites.ts';

/** Breaks of every class, put between the sandbox's books and ours: found in their class, mended, and gone. */

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const quick = { keyLifeMs: 82_800_000, callMsMax: 300, inFlightMsMax: 400 };
const within = { timeout: 20_000, interval: 20 };
const dayMs = 86_400_000;
const dateOf = (time: number) => new Date(time).toISOString().slice(0, 10);

/** The provider's time moves on to a time of day; to that of the next day where it is past. */
async function passTo(site: PspSite, msOfDay: number): Promise<void> {
  const now = site.now() % dayMs;
  await site.pass(now < msOfDay ? msOfDay - now : dayMs - now + msOfDay);
}

async function openMarket() {
  const site = await openInProcess('stripe', { terms: quick, searchLagMs: 100 });
  closing.push(() => site.close());
  const market = new Market([site]);
  closing.push(() => market.stop());
  await passTo(site, 10 * 3_600_000);
  market.start();
  return { site, market };
}

async function captured(market: Market, id: string): Promise<void> {
  await market.open(id);
  await expect.poll(async () => (await market.order(id)).state, within).toBe('captured');
}

/** A charge that the provider has and nobody here asked for. */
async function strayCharge({ psp }: PspSite): Promise<string> {
  const amount = { amount: 1_000n, currency: 'USD' };
  const own = { key: 'stray', reference: 'stray', method: 'pm_card_visa' };
  const created = await psp.createPayment({ ...own, amount, capture: 'automatic' });
  if (created.kind !== 'answered') throw new Error(created.kind);
  await psp.confirmPayment({ key: 'stray-confirm', paymentId: created.value.id });
  return created.value.id;
}

/** The file that the provider has for a day. */
async function fileOf(site: PspSite, date: string): Promise<string> {
  await site.psp.settlementFile(date);
  await site.pass(sitePace.reportMs);
  const answered = await site.psp.settlementFile(date);
  if (answered.kind !== 'answered') throw new Error(answered.kind);
  let text = '';
  for await (const chunk of answered.value.chunks) text += Buffer.from(chunk).toString();
  return text;
}

/** Gives these files instead of the provider's own. */
function providerOf(files: ReadonlyMap<string, string>): Pick<Psp, 'name' | 'settlementFile'> {
  return {
    name: 'stripe',
    settlementFile: async (date) => {
      const text = files.get(date);
      if (text === undefined) return { kind: 'refused', reason: 'not_found', detail: 'no file' };
      const format = 'stripe-balance-change-itemized-3';
      return { kind: 'answered', value: { psp: 'stripe', date, format, chunks: chunks(text) } };
    },
  };
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

async function meansOf(market: Market, files: ReadonlyMap<string, string>) {
  const { log, cipher, clock } = market;
  const store = (projection: Parameters<typeof fedStore>[0]) => fedStore(projection, log, cipher);
  const [ledger, wallets] = [await store(ledgerProjection), await store(walletsProjection)];
  const means: NightMeans = {
    ...{ log, cipher, clock, psps: [providerOf(files)] },
    movements: sqliteMovementsReadModel(await store(reconciliationProjection)),
    books: sqliteBooksComparison(ledger, wallets),
  };
  return { means, ledger: sqliteLedgerReadModel(ledger) };
}

function night(result: Awaited<ReturnType<typeof reconcileNight>>): NightReport {
  if (result.kind === 'refused') throw new Error(result.detail);
  return result;
}

type Columns = { readonly [column: string]: string };

/** One line of the file with other cells. */
function withCells(text: string, intent: string, cells: Columns, more = false): string {
  const [header = '', ...lines] = text.trimEnd().split('\n');
  const names = header.split(',');
  const changed = lines.flatMap((line) => {
    const parts = line.split(',');
    if (parts[names.indexOf('payment_intent_id')] !== intent) return [line];
    const other = parts.map((cell, at) => cells[names[at] ?? ''] ?? cell).join(',');
    return more ? [line, other] : [other];
  });
  return `${[header, ...changed].join('\n')}\n`;
}

function without(text: string, intent: string): { rest: string; line: string } {
  const lines = text.trimEnd().split('\n');
  const line = lines.find((one) => one.includes(`,${intent},`)) ?? '';
  return { rest: `${lines.filter((one) => one !== line).join('\n')}\n`, line };
}

async function intentOf(market: Market, checkout: string): Promise<string> {
  return (await market.order(checkout)).attempts[0]?.paymentId ?? '';
}

/** The same capture booked once more: a fault that no decision would make. */
async function bookAgain(market: Market, checkout: string): Promise<void> {
  const page = await market.log.readStream(`checkout-${checkout}`, { from: 0, limit: 100 });
  const event = page.events.find(({ type }) => type === 'order-captured');
  if (!event) throw new Error(`${checkout} was not captured`);
  const { type, schemaVersion, data, contentHash, occurredAt, metadata } = event;
  const again = { id: idFromKey('again', event.id), type, schemaVersion, data, contentHash };
  const stored = await market.log.append(event.stream, [{ ...again, occurredAt, metadata }], {
    expected: 'any',
  });
  expect(stored.kind).toBe('stored');
}

/** Two persons resolve every break that waits, by an entry against suspense where one can mend it. */
async function resolveAll(means: NightMeans, date: string): Promise<void> {
  const stream = settlementStream('stripe', date);
  const at = means.clock.now();
  const day = await readDay(means, 'stripe', date);
  for (const [breakId, { found, state }] of day.breaks) {
    if (state !== 'open') continue;
    const of = { psp: 'stripe', date, at, breakId };
    const currency = (found.ledger ?? found.outside)?.currency ?? 'USD';
    const movements = mendingMovements(found, currency);
    const worth = movements.reduce(
      (sum, { amount, fee }) => sum + BigInt(amount) - BigInt(fee),
      0n,
    );
    const [debit, credit] =
      worth > 0n ? ['psp_clearing', 'suspense'] : ['suspense', 'psp_clearing'];
    const amount = String(worth < 0n ? -worth : worth);
    // What was booked as one thing and is another moves nothing at the provider.
    const renamed = { debit: 'buyer', credit: 'disputes', amount: '1000' };
    const line = worth === 0n ? renamed : { debit, credit, amount };
    const entry = movements.length === 0 ? {} : { entry: { currency, lines: [line] } };
    const ask = { ...of, by: 'ann', reason: 'looked into', ...entry };
    expect(await change(means, stream, (now) => requestResolution(now, ask))).toMatchObject({
      kind: 'decided',
    });
    const approve = { ...of, by: 'ben' };
    expect((await change(means, stream, (now) => approveResolution(now, approve))).kind).toBe(
      'decided',
    );
  }
}

function classesOf(report: NightReport): Map<BreakClass, number> {
  const [first] = report.providers;
  if (first?.kind !== 'compared') throw new Error(first?.kind);
  const counts = breakClasses.map((name) => [name, first.report.counts[name]] as const);
  return new Map(counts.filter(([, count]) => count > 0));
}

async function clearingOf(ledger: LedgerReadModel): Promise<Map<string, bigint>> {
  const answer = await ledger.account('psp_clearing');
  if (answer.kind !== 'answer') throw new Error(answer.kind);
  const sums = answer.accounts.map(
    (sum) => [sum.currency, sum.postedDebit - sum.postedCredit] as const,
  );
  return new Map(sums.filter(([, sum]) => sum !== 0n));
}

/** What files say is at the provider: every move once. */
function balanceOf(...files: readonly string[]): Map<string, bigint> {
  const moves = new Map<string, { currency: string; net: bigint }>();
  for (const text of files) {
    const [header = '', ...lines] = text.trimEnd().split('\n');
    const names = header.split(',');
    for (const line of lines) {
      const cells = line.split(',');
      if (cells.length !== names.length) continue;
      const cell = (name: string) => cells[names.indexOf(name)] ?? '';
      const net = BigInt(cell('net').replace('.', ''));
      moves.set(cell('balance_transaction_id'), { currency: cell('currency').toUpperCase(), net });
    }
  }
  const sums = new Map<string, bigint>();
  for (const { currency, net } of moves.values())
    sums.set(currency, (sums.get(currency) ?? 0n) + net);
  return sums;
}

test('a day without faults has no break, and its payout is in the bank statement', async () => {
  const { site, market } = await openMarket();
  const date = dateOf(site.now());
  for (const id of ['c-1', 'c-2']) await captured(market, id);
  await market.refund('c-1', 'r-1', 300n);
  const refund = async () => (await market.order('c-1')).refunds.get('r-1')?.state;
  await expect.poll(refund, within).toBe('succeeded');
  await market.payOut('p-1', 500n, 'ba_sandbox');
  await expect.poll(async () => (await market.payout('p-1'))?.state, within).toBe('sent');
  await site.pass(sitePace.payoutInTransitMs);
  await site.pass(sitePace.payoutPaidMs);
  await market.followWebhooks();
  await expect.poll(async () => (await market.payout('p-1'))?.state, within).toBe('paid');
  await market.stop();
  const early = await meansOf(market, new Map());
  expect(await reconcileNight(early.means, date)).toMatchObject({ reason: 'day-not-over' });
  const paidOn = dateOf(site.now());
  await passTo(site, 2 * 3_600_000);
  const file = await fileOf(site, date);
  const { means, ledger } = await meansOf(market, new Map([[date, file]]));
  const report = night(await reconcileNight(means, date));
  expect(classesOf(report)).toEqual(new Map());
  expect(report).toMatchObject({ kind: 'done', open: 0, wallets: { kind: 'compared' } });
  expect(report.wallets).toMatchObject({ differencesFound: 0 });
  const after = await meansOf(market, new Map([[date, file]]));
  expect(await clearingOf(after.ledger)).toEqual(balanceOf(file));
  expect(await clearingOf(ledger)).not.toEqual(balanceOf(file));

  const row = `${paidOn},b-1,o~shop~p-1,USD,-5.00,booked,payout`;
  const statement = `booking_date,id,reference,currency,amount,status,text\n${row}\n`;
  const compared = await compareStatement(means, {
    ...{ date: paidOn, format: 'csv' as const, file: new FileText(chunks(statement)) },
  });
  expect(compared).toMatchObject({ kind: 'compared', run: { matched: 1 }, report: { open: 0 } });
  expect(night(await reconcileNight({ ...means, psps: [] }, paidOn)).bank?.files).toHaveLength(1);
}, 60_000);

test('a refund that stays pending waits beside its line, and agrees with it when it has succeeded', async () => {
  const { site, market } = await openMarket();
  const date = dateOf(site.now());
  await market.open('c-1', { method: 'pm_card_pendingRefund' });
  await expect.poll(async () => (await market.order('c-1')).state, within).toBe('captured');
  await market.refund('c-1', 'r-1', 300n);
  const refund = async () => (await market.order('c-1')).refunds.get('r-1')?.state;
  await expect.poll(refund, within).toBe('pending');
  await market.stop();
  await passTo(site, 2 * 3_600_000);
  const files = new Map([[date, await fileOf(site, date)]]);
  const first = night(await reconcileNight((await meansOf(market, files)).means, date));
  expect(classesOf(first)).toEqual(new Map([['timing', 1]]));
  expect(first.open).toBe(0);
  const next = dateOf(site.now());
  await market.followWebhooks();
  expect(await refund()).toBe('succeeded');
  await site.pass(dayMs);
  files.set(next, await fileOf(site, next));
  const { means } = await meansOf(market, files);
  const second = night(await reconcileNight(means, next));
  expect(classesOf(second)).toEqual(new Map());
  expect(second.providers[0]).toMatchObject({ run: { matched: 1 } });
  // The first day again: what is known is known.
  expect(night(await reconcileNight(means, date)).open).toBe(0);
}, 60_000);

test('breaks of every class are found, each in its own; mended, there are none, and clearing is what is there', async () => {
  const { site, market } = await openMarket();
  const date = dateOf(site.now());
  const ids = ['sound', 'gone', 'amount', 'currency', 'status', 'twice', 'again', 'fee', 'rounds'];
  for (const id of ids) await captured(market, id);
  await strayCharge(site);
  await passTo(site, 23.5 * 3_600_000);
  await captured(market, 'late');
  await market.stop();
  await bookAgain(market, 'again');
  const intents = new Map<string, string>();
  for (const id of [...ids, 'late']) intents.set(id, await intentOf(market, id));
  const of = (id: string) => intents.get(id) ?? '';
  await passTo(site, 2 * 3_600_000);
  const next = dateOf(site.now());
  let file = await fileOf(site, date);
  file = without(file, of('gone')).rest;
  const late = without(file, of('late'));
  file = withCells(late.rest, of('amount'), { gross: '15.00', net: '14.41' });
  file = withCells(file, of('currency'), { currency: 'eur' });
  const undone = { reporting_category: 'dispute_reversal', source_id: of('status') };
  file = withCells(file, of('status'), undone);
  file = withCells(file, of('twice'), { balance_transaction_id: 'txn_twice' }, true);
  file = withCells(file, of('fee'), { fee: '0.64', net: '9.36' });
  file = withCells(file, of('rounds'), { gross: '10.01', net: '9.42' });
  file = `${file}what is this\n`;
  const second = `${file.split('\n')[0]}\n${late.line.replaceAll(date, next)}\n`;
  const files = new Map([
    [date, file],
    [next, second],
  ]);
  const { means } = await meansOf(market, files);
  const first = night(await reconcileNight(means, date));
  expect(classesOf(first)).toEqual(new Map(breakClasses.map((name) => [name, 1])));
  expect(first).toMatchObject({ open: 8, wallets: { differencesFound: 0 } });
  expect(JSON.parse(JSON.stringify(nightDocument(first)))).toMatchObject({ open: 8, date });
  expect(nightCsv(first).trimEnd().split('\r\n')).toHaveLength(12);
  expect(nightHtml(first)).toContain('unidentified_row: 1');

  // The same file again: what is known stays known, and what was corrected is not found.
  const again = night(await reconcileNight(means, date));
  expect(again).toEqual({ ...first, providers: again.providers });
  const [run] = again.providers;
  expect(run).toMatchObject({ run: { breaks: { fee_mismatch: 0, rounding: 0 } } });

  // What is in another currency is undone first, and then missing.
  for (let round = 0; round < 2; round += 1) {
    await resolveAll(means, date);
    await reconcileNight(means, date);
  }
  const mended = night(await reconcileNight(means, date));
  expect(mended.open).toBe(0);
  const found = mended.providers[0];
  if (found?.kind !== 'compared') throw new Error(found?.kind);
  const left = Object.entries(found.run.breaks).filter(([, count]) => count > 0);
  expect(left).toEqual([
    ['timing', 1],
    ['unidentified_row', 1],
  ]);
  await passTo(site, 3 * 3_600_000);
  await site.pass(dayMs);
  const following = await meansOf(market, files);
  const tomorrow = night(await reconcileNight(following.means, next));
  expect(classesOf(tomorrow)).toEqual(new Map());
  const { ledger } = await meansOf(market, files);
  expect(await clearingOf(ledger)).toEqual(balanceOf(file, second));
  const trial = await ledger.trialBalance({ at: 'now' });
  expect(trial.kind).toBe('answer');
}, 60_000);
