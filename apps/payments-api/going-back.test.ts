import { coversAll, decodeCheckpoint } from '@annals/event-log';
import type { HttpServer } from '@annals/http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentsApiMeans } from './means.ts';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { call, openApi, type TestApi } from './testing/open-api.ts';

/** Every read of a read model that takes a position. */
const reads = [
  '/v1/payment_orders?seller_account=shop',
  '/v1/payment_orders?state=captured',
  '/v1/reviews?',
  '/v1/wallets/shop?',
  '/v1/payouts?seller_account=shop',
  '/v1/ledger/accounts?',
  '/v1/ledger/accounts?account=buyer',
  '/v1/ledger/entries?',
  '/v1/ledger/entries.csv?',
  '/v1/ledger/trial_balance?',
  '/v1/reports/summary?from=2026-01-01&to=2026-01-31',
];
/** What the streams answer for where a read model does not. */
const fromStreams = ['/v1/payments/c-1?', '/v1/payment_orders/c-1/o-1?'];

let api: TestApi;
let position: string;
beforeAll(async () => {
  api = await openApi();
  await api.means.payments.putSeller('shop', shopInput);
  position = (await api.call('POST /v1/payments', { body: paymentInput('c-1') })).body.position;
});
afterAll(() => api.close());

/** A process whose read models have come to where they are waited for, and answer from before for so many times. */
async function goingBack(times: number, visibleMsMax = 10_000) {
  let asked = 0;
  const back = <Model extends object>(model: Model): Model =>
    new Proxy(model, {
      get: (target, name) => {
        const own = Reflect.get(target, name) as (...given: unknown[]) => Promise<object>;
        if (name === 'waitFor') return own;
        return async (...given: unknown[]) => {
          asked += 1;
          const isBefore = asked <= times;
          const answer = await own(...given);
          return isBefore ? { ...answer, asOf: {} } : answer;
        };
      },
    });
  const { paymentsRead, ledger, wallets } = api.means;
  const more: Partial<PaymentsApiMeans> = {
    ...{ paymentsRead: back(paymentsRead), ledger: back(ledger), wallets: back(wallets) },
    visibleMsMax,
  };
  const server: HttpServer = await api.otherProcess(more);
  const get = (path: string) =>
    call(server, `GET ${path}&min-position=${encodeURIComponent(position)}`, {});
  return { get, asked: () => asked, stop: () => server.stop() };
}

describe.each(reads)('GET %s', (path) => {
  test('of a read model that went back after it was waited for is asked for again', async () => {
    const { get, asked, stop } = await goingBack(2);
    const answer = await get(path);
    expect(answer.status).toBe(200);
    expect(asked()).toBe(3);
    if (path.includes('.csv')) return stop();
    const shown = decodeCheckpoint(answer.body.as_of) ?? {};
    expect(coversAll(shown, decodeCheckpoint(position) ?? { 0: '~' })).toBe(true);
    return stop();
  });

  test('of one that stays behind is not there yet', async () => {
    const { get, stop } = await goingBack(Number.POSITIVE_INFINITY, 100);
    expect(await get(path)).toMatchObject({ status: 503, body: { code: 'not-there-yet' } });
    return stop();
  });
});

test.each(fromStreams)(
  'GET %s is answered by the stream where the read model stays behind',
  async (path) => {
    const { get, stop } = await goingBack(Number.POSITIVE_INFINITY, 100);
    const { status, body } = await get(path);
    expect({ status, of: body.checkout_id }).toEqual({ status: 200, of: 'c-1' });
    return stop();
  },
);
