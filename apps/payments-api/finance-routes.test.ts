import { releaseRequestId } from '@annals/payments/finance';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
let corrects: { stream: string; revision: number };
let ann: string;
let ben: string;
/** The id of a key, as the API knows its caller. */
const idOf = (key: string) => key.slice('key-'.length);
beforeAll(async () => {
  api = await openApi({ pays: true });
  ann = api.issueKey(['payments:finance']);
  ben = api.issueKey(['payments:finance']);
  await api.means.payments.putSeller('shop', shopInput);
  await api.call('POST /v1/payments', { body: paymentInput() });
  const stream = 'checkout-c-1';
  corrects = await vi.waitFor(async () => {
    const { events } = await api.log.readStream(stream);
    const captured = events.find(({ type }) => type === 'order-captured');
    if (!captured) throw new Error('it is not captured yet');
    return { stream, revision: captured.revision };
  }, 10_000);
});
afterAll(() => api.close());

const entry = {
  currency: 'USD',
  lines: [{ debit: 'losses', credit: 'seller_available:shop', amount: '250' }],
};
const input = () => ({ entry, corrects, reason: 'charged twice' });
const ask = (id: string, body: object, key = ann) =>
  api.call(`PUT /v1/manual_entries/${id}`, { key, body });

describe('an entry by hand', () => {
  test('is asked for by one key, approved by another, and is in the wallet then', async () => {
    const asked = await ask('m-1', input());
    expect(asked).toMatchObject({
      status: 202,
      body: { state: 'requested', requested_by: idOf(ann), decided_by: null, entry },
    });
    expect((await ask('m-1', input())).status).toBe(202);
    const list = await api.call('GET /v1/finance_requests', { key: ben });
    expect(list.body.data).toMatchObject([{ request_id: 'm-1', reason: 'charged twice' }]);
    const approve = '/v1/finance_requests/m-1/approve';
    const same = await api.call(`POST ${approve}`, { key: ann });
    expect(same).toMatchObject({ status: 409, body: { code: 'same-person' } });
    const approved = await api.call(`POST ${approve}`, { key: ben });
    expect(approved).toMatchObject({
      status: 200,
      body: { state: 'approved', decided_by: idOf(ben) },
    });
    expect((await api.call(`POST ${approve}`, { key: ben })).status).toBe(200);
    const { wallets } = api.means;
    await vi.waitFor(async () => {
      const read = await wallets.wallets('shop');
      expect(read).toMatchObject({ wallets: [{ currency: 'USD', available: 250n }] });
    }, 10_000);
    const position = approved.body.position;
    const entries = await api.call('GET /v1/ledger/entries', {
      headers: { 'min-position': position },
    });
    const { data } = entries.body as {
      readonly data: readonly { type: string; event_id: string; corrects: string | null }[];
    };
    const captured = data.find(({ type }) => type === 'order-captured');
    expect(captured?.corrects).toBeNull();
    const booked = data.find(({ type }) => type === 'manual-entry-booked');
    expect(booked?.corrects).toBe(captured?.event_id);
  });

  test('is rejected with a reason, and closed then', async () => {
    await ask('m-2', input());
    const reject = 'POST /v1/finance_requests/m-2/reject';
    const rejected = await api.call(reject, { key: ben, body: { reason: 'not so' } });
    expect(rejected.body).toMatchObject({ state: 'rejected', because: 'not so' });
    const late = await api.call('POST /v1/finance_requests/m-2/approve', { key: ben });
    expect(late.body.code).toBe('request-closed');
    expect((await api.call('GET /v1/finance_requests/m-2', { key: ann })).body.state).toBe(
      'rejected',
    );
  });
});

test('requests are listed in pages, each once, the oldest first', async () => {
  const asked = ['m-page-1', 'm-page-2', 'm-page-3', 'm-page-4', 'm-page-5'];
  for (const id of asked) expect((await ask(id, input())).status).toBe(202);
  const seen: string[] = [];
  const sizes: number[] = [];
  let cursor = '';
  do {
    const { status, body } = await api.call(`GET /v1/finance_requests?limit=2${cursor}`, {
      key: ben,
    });
    expect(status).toBe(200);
    sizes.push(body.data.length);
    seen.push(...body.data.map(({ request_id }: { request_id: string }) => request_id));
    cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
  } while (cursor !== '');
  expect(seen).toEqual(asked);
  expect(sizes).toEqual([2, 2, 1]);
  const first = await api.call('GET /v1/finance_requests?limit=1', { key: ben });
  // A request that is decided meanwhile does not move the others.
  await api.call('POST /v1/finance_requests/m-page-1/reject', { key: ben, body: { reason: 'no' } });
  const rest = `cursor=${first.body.next_cursor}`;
  const after = await api.call(`GET /v1/finance_requests?${rest}`, { key: ben });
  expect(after.body.data).toHaveLength(4);
  const other = await api.call(`GET /v1/finance_requests?state=rejected&${rest}`, { key: ben });
  expect(other).toMatchObject({ status: 400, body: { code: 'invalid-cursor' } });
  for (const id of asked.slice(1)) {
    await api.call(`POST /v1/finance_requests/${id}/reject`, { key: ben, body: { reason: 'no' } });
  }
});

test('a payout above the limit is listed for a second person', async () => {
  const { finance } = api.means;
  await finance?.requestRelease({
    ...{ seller: 'shop', payoutId: 'p-1', currency: 'USD', amount: 5_000n, psp: 'stripe' },
    ...{ because: 'on_demand', by: 'ann' },
  });
  const id = releaseRequestId('shop', 'p-1');
  const read = await api.call(`GET /v1/finance_requests/${id}`, { key: ben });
  expect(read.body).toMatchObject({
    kind: 'payout-release',
    payout: { seller_account: 'shop', payout_id: 'p-1', amount: '5000' },
    entry: null,
  });
  expect((await api.call(`POST /v1/finance_requests/${id}/approve`, { key: ben })).status).toBe(
    200,
  );
});

describe('bad input', () => {
  const line = entry.lines[0];
  const withLine = (change: object) => ({ entry: { ...entry, lines: [{ ...line, ...change }] } });
  test.each<[string, object, number, string?]>([
    ['an amount as a number', withLine({ amount: 250 }), 400],
    ['a negative amount', withLine({ amount: '-250' }), 400],
    ['an amount of nothing', withLine({ amount: '0' }), 400],
    ['19 digits', withLine({ amount: '1'.repeat(19) }), 400],
    ['a fraction', withLine({ amount: '2.50' }), 400],
    ['an account that there is not', withLine({ debit: 'cash' }), 400, 'wrong-entry'],
    ["a seller's account without one", withLine({ debit: 'seller_pending' }), 400, 'wrong-entry'],
    ['one account twice', withLine({ debit: 'seller_available:shop' }), 400, 'wrong-entry'],
    ['an unknown currency', { entry: { ...entry, currency: 'EURO' } }, 400],
    ['no lines', { entry: { ...entry, lines: [] } }, 400],
    ['51 lines', { entry: { ...entry, lines: Array.from({ length: 51 }, () => line) } }, 400],
    ['no reason', { reason: '' }, 400],
    ['a card number', { reason: 'see 4242 4242 4242 4242' }, 400],
    ['a long reason', { reason: 'x'.repeat(501) }, 400],
    ['an unknown field', { approved_by: 'ben' }, 400],
    ['no event', { corrects: { stream: 'checkout-no', revision: 0 } }, 404, 'unknown-entry'],
    [
      'what booked nothing',
      { corrects: { stream: 'checkout-c-1', revision: 0 } },
      404,
      'unknown-entry',
    ],
    ['a bad stream', { corrects: { stream: 'No Stream', revision: 0 } }, 400],
    ['a bad revision', { corrects: { stream: 'checkout-c-1', revision: -1 } }, 400],
  ])(
    '%s is answered, and nothing is written',
    async (_, change, status, code = 'invalid-input') => {
      const answer = await ask('m-bad', { ...input(), ...change });
      expect(answer).toMatchObject({ status, body: { code } });
      expect((await api.call('GET /v1/finance_requests/m-bad', { key: ann })).status).toBe(404);
    },
  );

  test.each([
    [
      'entry.currency',
      { entry: { ...entry, currency: 'JPY' } },
      { status: 400, code: 'invalid-input' },
    ],
    [
      'entry.lines.0.debit',
      withLine({ debit: 'seller_available:nosuch', amount: '9'.repeat(18) }),
      { status: 404, code: 'unknown-seller' },
    ],
  ])('a wrong %s is named, and nothing is written', async (field, change, { status, code }) => {
    const answer = await ask('m-bad', { ...input(), ...change });
    expect(answer).toMatchObject({ status, body: { code, errors: [{ in: 'body', field }] } });
    expect((await api.call('GET /v1/finance_requests/m-bad', { key: ann })).status).toBe(404);
  });

  test.each([
    ['GET /v1/finance_requests/none', 404],
    ['POST /v1/finance_requests/none/approve', 404],
    ['POST /v1/finance_requests/none/reject', 404, { reason: 'x' }],
    ['POST /v1/finance_requests/none/reject', 400, { reason: '' }],
    ['GET /v1/finance_requests?state=lost', 400],
    ['PUT /v1/manual_entries/12345', 400, { reason: 'x' }],
  ] as const)('%s is answered %i', async (route, status, body?: object) => {
    expect((await api.call(route, { key: ann, ...(body ? { body } : {}) })).status).toBe(status);
  });

  test('a key without the scope of finance asks and approves nothing', async () => {
    const key = api.issueKey(['payments:admin']);
    expect((await ask('m-3', input(), key)).status).toBe(403);
    const approve = await api.call('POST /v1/finance_requests/m-1/approve', { key });
    expect(approve.status).toBe(403);
  });
});
