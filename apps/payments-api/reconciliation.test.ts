import { idFromKey } from '@annals/core';
import { checkoutStream, paymentsEvents } from '@annals/payments';
import { subjectCipher } from '@annals/subject-keys';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApi, type TestApi } from './testing/open-api.ts';

const dayMs = 86_400_000;
const noon = Math.floor(Date.now() / dayMs) * dayMs - 9.5 * dayMs;
/** Each test has a day of its own, so that none depends on another. */
const dayOf = (number: number) => new Date(noon + number * dayMs).toISOString().slice(0, 10);
const header =
  'balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id';

let api: TestApi;
let ann = '';
let ben = '';
beforeAll(async () => {
  api = await openApi();
  ann = api.issueKey(['payments:finance']);
  ben = api.issueKey(['payments:finance']);
  for (let day = 0; day < 8; day += 1) await payOn(day);
}, 60_000);
afterAll(() => api.close());

/** One payment of ten dollars at the provider, on that day. */
async function payOn(day: number): Promise<void> {
  const attempt = { checkout_id: `c-${day}`, payment_order_id: 'o-1', attempt: 1 };
  const at = { occurredAt: noon + day * dayMs };
  const amounts = {
    amount: '1000',
    authorized: '0',
    platform_fee: '50',
    net: '950',
    psp_fee: '30',
  };
  const booked = { seller_account: 'shop', currency: 'USD', ...amounts, release_at: noon };
  const encoded = await paymentsEvents.encode(
    [
      {
        type: 'attempt-created',
        ...{ ...at, id: idFromKey('test', 'created', String(day)) },
        data: { ...attempt, psp: 'stripe', psp_payment_id: `pi_${day}` },
      },
      {
        type: 'order-captured',
        ...{ ...at, id: idFromKey('test', 'captured', String(day)) },
        data: { ...attempt, ...booked },
      },
    ],
    subjectCipher(api.keys),
  );
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await api.log.append(checkoutStream(`c-${day}`), encoded.events, { expected: 'any' });
}

function charge(day: number, { gross = '10.00', fee = '0.30', net = '9.70' } = {}): string {
  return `txn_${day},${dayOf(day)} 12:00:00,usd,${gross},${fee},${net},charge,ch_${day},pi_${day}`;
}

interface Upload {
  readonly psp?: string;
  readonly query?: string;
  readonly type?: string;
  readonly key?: string;
}

async function upload(day: string, file: string | Buffer, options: Upload = {}) {
  const { psp = 'stripe', query = '', type = 'text/csv', key = ann } = options;
  const answer = await api.server.inject({
    method: 'POST',
    url: `/v1/reconciliation/${psp}/${day}/files${query}`,
    headers: { authorization: `Bearer ${key}`, 'content-type': type },
    payload: file,
  });
  return { status: answer.statusCode, body: answer.json() };
}

function breaksIn(body: {
  report: { breaks: readonly { class: string; line?: number; detail?: string }[] };
}) {
  return body.report.breaks.map((one) => [one.class, one.line, one.detail?.split(':')[0]]);
}

async function settlementEvents(): Promise<number> {
  const page = await api.log.read('start', { categories: ['settlement'] }, { limit: 1_000 });
  return page.events.length;
}

describe('a settlement file', () => {
  test('that agrees has no break; with a byte order mark and CRLF it is another file of the same', async () => {
    const text = [header, charge(0), ''].join('\n');
    const first = await upload(dayOf(0), text);
    expect(first).toMatchObject({
      status: 200,
      body: { run: { lines: 1, entries: 1, matched: 1 } },
    });
    expect(first.body.report).toMatchObject({ open: 0, breaks: [] });
    const events = await settlementEvents();
    expect((await upload(dayOf(0), text)).status).toBe(200);
    expect(await settlementEvents()).toBe(events);
    const marked = await upload(dayOf(0), `\u{feff}${text.replaceAll('\n', '\r\n')}`);
    expect(marked.body).toMatchObject({ run: { matched: 1 }, report: { breaks: [] } });
    expect(marked.body.report.files).toHaveLength(2);
  });

  test('with broken quotes, wrong amounts and a wrong net: each bad line has its number, the rest goes on', async () => {
    const text = [
      header,
      '"txn_x,never closed',
      charge(1),
      `txn_y,${dayOf(1)} 12:00:00,usd,10.00,0.30,9.71,charge,ch_y,pi_y`,
      `txn_z,${dayOf(1)} 12:00:00,usd,1e3,0.30,9.71,charge,ch_z,pi_z`,
    ].join('\n');
    const { status, body } = await upload(dayOf(1), text);
    expect(status).toBe(200);
    expect(body.run).toMatchObject({ lines: 4, matched: 1 });
    expect(breaksIn(body)).toEqual([
      ['unidentified_row', 2, 'broken-quotes'],
      ['unidentified_row', 4, 'net-differs'],
      ['unidentified_row', 5, 'wrong-amount'],
    ]);
  });

  test('with doubled lines and negative nets', async () => {
    const refund = `txn_r,${dayOf(2)} 12:00:00,usd,-4.00,0.00,-4.00,refund,re_1,pi_2`;
    const { body } = await upload(dayOf(2), [header, charge(2), charge(2), refund].join('\n'));
    expect(breaksIn(body).map(([name]) => name)).toEqual(['duplicate_in_psp', 'missing_in_ledger']);
    const negative = body.report.breaks.find((one: { key: string }) => one.key === 're_1');
    expect(negative.outside.amount).toBe('-400');
  });

  test.each([
    ['another header', 'a,b\n1,2\n'],
    ['nothing', ''],
    ['a header without a column that is needed', `${header.replace(',net', '')}\n`],
  ])('of %s is refused, and nothing is written', async (_, text) => {
    const events = await settlementEvents();
    const { status, body } = await upload(dayOf(3), text);
    expect(status).toBe(422);
    expect(body).toMatchObject({ code: 'file-unusable' });
    expect(await settlementEvents()).toBe(events);
  });

  test('of no provider, of no day, of a day that is not over, of another type, or with a key that may not', async () => {
    const file = `${header}\n`;
    expect((await upload(dayOf(3), file, { psp: 'nobody' })).status).toBe(404);
    expect((await upload(dayOf(3), file, { psp: 'wallets' })).status).toBe(404);
    expect((await upload('2026-02-30', file)).status).toBe(400);
    expect((await upload('2999-01-01', file)).body).toMatchObject({ code: 'day-not-over' });
    for (const type of ['application/json', 'image/png']) {
      expect((await upload(dayOf(3), '{}', { type })).status).toBe(415);
    }
    const key = api.issueKey(['payments:merchant']);
    expect((await upload(dayOf(3), file, { key })).status).toBe(403);
  });
});

test('a bank statement as CSV and camt.053; XML that is broken or has a document type is refused', async () => {
  const bank = { psp: 'bank', type: 'application/xml', query: '?format=camt053' };
  const csv = `booking_date,id,reference,currency,amount\n${dayOf(4)},b1,o~shop~p-1,USD,-5.00\n`;
  const compared = await upload(dayOf(4), csv, { psp: 'bank' });
  // What our side does not know yet waits for the next statement.
  expect(breaksIn(compared.body).map(([name]) => name)).toEqual(['timing']);
  for (const xml of ['<Document><a></Document>', '<!DOCTYPE a><Document/>', '<Document/>']) {
    expect((await upload(dayOf(4), xml, bank)).body).toMatchObject({ code: 'file-unusable' });
  }
  expect((await upload(dayOf(4), csv, { psp: 'bank', query: '?format=mt940' })).status).toBe(400);
});

test('finance: a break is found in its queue, assigned, commented, and resolved by two persons', async () => {
  const day = dayOf(5);
  await upload(day, [header, charge(5, { gross: '12.00', net: '11.70' })].join('\n'));
  const queue = async (state: string) => {
    const { body } = await api.call(
      `GET /v1/reconciliation/breaks?queue=finance&state=${state}&limit=200`,
    );
    return body.breaks.filter((one: { date: string }) => one.date === day);
  };
  await expect.poll(() => queue('open'), { timeout: 10_000 }).toHaveLength(1);
  const [found] = await queue('open');
  expect(found).toMatchObject({ class: 'amount_mismatch', psp: 'stripe', key: 'pi_5' });
  const on = (what: string, key: string, body?: object, headers = {}) =>
    api.call(`POST /v1/reconciliation/stripe/${day}/breaks/${found.break_id}/${what}`, {
      ...{ key, headers },
      ...(body ? { body } : {}),
    });
  expect((await on('assign', ann, { to: 'ben' })).body.breaks[0].assigned_to).toBe('ben');
  expect((await on('comments', ann, { comment: 'asked them' })).status).toBe(200);
  expect((await on('comments', ann, { comment: '4242 4242 4242 4242' })).status).toBe(400);
  const events = await settlementEvents();
  const once = { 'idempotency-key': 'say-it-once' };
  const said = await on('comments', ann, { comment: 'they answered' }, once);
  const again = await on('comments', ann, { comment: 'they answered' }, once);
  expect(again).toMatchObject({ status: 200, headers: { 'idempotent-replayed': 'true' } });
  expect(again.text).toBe(said.text);
  const other = await on('comments', ann, { comment: 'they did not' }, once);
  expect(other.body).toMatchObject({ code: 'idempotency-key-reused' });
  expect(await settlementEvents()).toBe(events + 1);
  const line = { debit: 'psp_clearing', credit: 'suspense', amount: '200' };
  const asking = (change: object) => ({
    ...{ reason: 'captured by hand', entry: { currency: 'USD', lines: [{ ...line, ...change }] } },
  });
  for (const wrong of [{ amount: '199' }, { credit: 'petty_cash' }, { credit: 'psp_clearing' }]) {
    expect((await on('resolve', ann, asking(wrong))).body).toMatchObject({ code: 'entry-refused' });
  }
  for (const wrong of [{ amount: 200 }, { amount: '-200' }, { amount: '1'.repeat(19) }]) {
    expect((await on('resolve', ann, asking(wrong))).status).toBe(400);
  }
  const ghost = await on('resolve', ann, asking({ credit: 'seller_available:ghost' }));
  expect(ghost.body).toMatchObject({ code: 'unknown-seller' });
  expect((await on('approve', ben)).body).toMatchObject({ code: 'no-resolution' });
  expect((await on('resolve', ann, asking({}))).body.breaks[0].state).toBe('proposed');
  expect((await on('resolve', ben, asking({}))).body).toMatchObject({ code: 'resolution-waits' });
  await expect.poll(() => queue('proposed'), { timeout: 10_000 }).toHaveLength(1);
  expect(await on('approve', ann)).toMatchObject({
    ...{ status: 403, body: { code: 'second-person-needed' } },
  });
  expect((await on('reject', ben, { reason: 'no voucher' })).body.breaks[0].state).toBe('open');
  await on('resolve', ann, asking({}));
  expect((await on('approve', ben)).body.breaks[0].state).toBe('resolved');
  expect((await on('approve', ben)).body).toMatchObject({ code: 'break-closed' });
  await expect
    .poll(async () => (await api.call('GET /v1/reconciliation/breaks?queue=finance')).body.breaks)
    .not.toContainEqual(expect.objectContaining({ date: day }));
  const suspense = await api.means.ledger.account('suspense');
  expect(suspense).toMatchObject({ accounts: [{ currency: 'USD', postedCredit: 200n }] });
  const gone = `POST /v1/reconciliation/stripe/${day}/breaks/${idFromKey('no', 'break')}/approve`;
  expect((await api.call(gone, { key: ben })).body).toMatchObject({ code: 'unknown-break' });
});

test('an uploaded file books nothing before another key has approved what it says', async () => {
  const day = dayOf(7);
  const plain = (id: string, net: string, category: string) =>
    `${id},${day} 12:00:00,usd,${net},0.00,${net},${category},${id},`;
  const made = [
    header,
    charge(7, { fee: '0.35', net: '9.65' }),
    plain('po_x', '-5000.00', 'payout'),
  ];
  const balance = async (account: string) => {
    const found = await api.means.ledger.account(account);
    if (found.kind !== 'answer') throw new Error(found.kind);
    return found.accounts.reduce((sum, one) => sum + one.postedDebit - one.postedCredit, 0n);
  };
  const fees = await balance('psp_fees');
  const { body } = await upload(day, [...made, plain('fee_x', '-70.00', 'fee')].join('\n'));
  const proposed = body.report.breaks.filter((one: { state: string }) => one.state === 'proposed');
  expect(proposed).toMatchObject([
    { class: 'fee_mismatch', proposal: { entry: { lines: [{ debit: 'psp_fees', amount: '5' }] } } },
    { key: 'settled', proposal: { settles: { to_bank: '500000', fees: '7000' } } },
  ]);
  const approve = (id: string, key: string) =>
    api.call(`POST /v1/reconciliation/stripe/${day}/breaks/${id}/approve`, { key });
  for (const { break_id } of proposed) expect((await approve(break_id, ann)).status).toBe(403);
  await expect
    .poll(async () => {
      const path = 'GET /v1/reconciliation/breaks?queue=finance&state=proposed';
      return (await api.call(path)).body.breaks.filter((one: { date: string }) => one.date === day);
    })
    .toHaveLength(2);
  expect([await balance('bank'), await balance('psp_fees')]).toEqual([0n, fees]);
  for (const { break_id } of proposed) expect((await approve(break_id, ben)).status).toBe(200);
  await expect.poll(() => balance('bank'), { timeout: 10_000 }).toBe(500_000n);
  await expect.poll(() => balance('psp_fees'), { timeout: 10_000 }).toBe(fees + 7_005n);
});

test('the report of a day as JSON, CSV and a page', async () => {
  const day = dayOf(6);
  await upload(day, [header, 'what is this'].join('\n'));
  const json = await api.call(`GET /v1/reconciliation/stripe/${day}`);
  expect(json.body).toMatchObject({ open: 2, counts: { unidentified_row: 1, missing_in_psp: 1 } });
  const csv = await api.call(`GET /v1/reconciliation/stripe/${day}?format=csv`);
  expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8');
  expect(csv.text.trimEnd().split('\r\n')).toHaveLength(3);
  const page = await api.call(`GET /v1/reconciliation/stripe/${day}?format=html`);
  expect(page.text).toContain('<td>line 2</td>');
  expect((await api.call(`GET /v1/reconciliation/nobody/${day}`)).status).toBe(404);
  expect((await api.call(`GET /v1/reconciliation/wallets/${day}`)).body.breaks).toEqual([]);
});
