import { evidenceFileLimits } from '@annals/payments/psp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderInput, paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

/** Files that are shown in a dispute: through the API, the log, the executor and the real client to the sandbox. */

let api: TestApi;
beforeAll(async () => {
  api = await openApi({ pays: true });
  await api.means.payments.putSeller('shop', shopInput);
});
afterAll(() => api.close());

const within = { timeout: 20_000, interval: 20 };
const order = async (id: string) =>
  (await api.call(`GET /v1/payments/${id}`)).body.payment_orders[0];
const pdf = Buffer.concat([
  Buffer.from('%PDF-1.7\r\n--x\r\n'),
  Buffer.alloc(300_000, '\u0000\u00ff'),
]);
const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 1, 2]);
const files = { receipt: pdf.toString('base64'), uncategorized_file: png.toString('base64') };

/** A paid order that is disputed, and the route that answers the dispute. */
async function disputed(id: string): Promise<{ readonly dispute: string; readonly route: string }> {
  const body = paymentInput(id, {
    credit_card_info: 'pm_card_createDispute',
    payment_orders: [orderInput('o-1')],
  });
  await api.call('POST /v1/payments', { body });
  await expect.poll(async () => (await order(id)).disputes?.length ?? 0, within).toBe(1);
  const [{ dispute_id: dispute }] = (await order(id)).disputes;
  return { dispute, route: `POST /v1/payment_orders/${id}/o-1/disputes/${dispute}/evidence` };
}

const stateOf = async (id: string) => (await order(id)).disputes[0].state;
const stored = (category: string) =>
  api.log.storage.log(0).filter(({ stream }) => stream.startsWith(`${category}-`)).length;
const held = (id: string) => api.provider.sandbox.storage.get('dispute', id)?.evidence ?? {};
const contentOf = (id = '') =>
  Buffer.from(api.provider.sandbox.storage.get('file', id)?.content ?? '', 'base64');

describe('files in a dispute', () => {
  test('come to the provider as they were given, with what is said', async () => {
    const { dispute, route } = await disputed('c-shown');
    const body = { evidence: { statement: 'It was delivered.' }, files };
    const headers = { 'idempotency-key': 'k-shown' };
    const answered = await api.call(route, { body, headers });
    expect(answered.status).toBe(202);
    await expect.poll(() => stateOf('c-shown'), within).toBe('evidence_given');
    const evidence = held(dispute);
    expect(evidence.uncategorized_text).toBe('It was delivered.');
    expect(Buffer.compare(contentOf(evidence.receipt), pdf)).toBe(0);
    expect(Buffer.compare(contentOf(evidence.uncategorized_file), png)).toBe(0);
    const before = stored('evidencefile');
    const again = await api.call(route, { body, headers });
    expect(again).toMatchObject({ status: 202, text: answered.text });
    expect(stored('evidencefile')).toBe(before);
    const other = { ...body, files: { receipt: files.uncategorized_file } };
    expect((await api.call(route, { body: other, headers })).status).toBe(422);
    // It was answered, so nothing more is taken, and nothing is stored.
    expect(await api.call(route, { body })).toMatchObject({
      status: 409,
      body: { code: 'not-open' },
    });
    expect(stored('evidencefile')).toBe(before);
  });

  test('are enough without a word, and uploaded once though answers are lost', async () => {
    const { dispute, route } = await disputed('c-lost');
    const { sandbox } = api.provider;
    const uploaded = () => sandbox.storage.page('file', { limit: 100 }).length;
    const before = uploaded();
    const lost = { do: 'gateway_error', when: 'after', times: 1 } as const;
    sandbox.transact(() => {
      for (const [index, operation] of ['files.create', 'disputes.update'].entries()) {
        const fault = { ...lost, operation, ms: 0, skip: 0, chance: 1 };
        sandbox.faults.add(`fault-${index}`, fault);
      }
    });
    expect((await api.call(route, { body: { files } })).status).toBe(202);
    api.clock.aheadMs += 3_600_000;
    await expect.poll(() => stateOf('c-lost'), within).toBe('evidence_given');
    expect(uploaded() - before).toBe(2);
    expect(Buffer.compare(contentOf(held(dispute).receipt), pdf)).toBe(0);
  });

  test.each([
    ['of another type', { receipt: Buffer.from('MZ a program').toString('base64') }, 'receipt'],
    ['that only say so', { receipt: Buffer.from('x%PDF-1.7').toString('base64') }, 'receipt'],
    ['that are no base64', { receipt: '%PDF-1.7 as text' }, 'receipt'],
    ['that are empty', { receipt: '' }, 'receipt'],
    ['by another name', { selfie: files.receipt }, 'files'],
    ['that are none', {}, 'files'],
    [
      'that are too large together',
      Object.fromEntries(
        ['receipt', 'refund_policy'].map((name) => [
          name,
          Buffer.concat([png, Buffer.alloc(evidenceFileLimits.bytesMax / 2)]).toString('base64'),
        ]),
      ),
      'files',
    ],
  ])('%s are refused, and nothing is stored', async (_what, given, field) => {
    const { route } = await disputed(`c-bad-${numbers()}`);
    const before = api.log.storage.log(0).length;
    const refused = await api.call(route, { body: { files: given } });
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).toContain(field);
    expect(api.log.storage.log(0).length).toBe(before);
  });

  test('of a buyer who was erased are not sent', async () => {
    const { dispute, route } = await disputed('c-erased');
    await api.keys.destroy(['buyer:c-erased']);
    const refused = await api.call(route, { body: { files } });
    expect(refused.status).toBe(409);
    expect(held(dispute)).toEqual({});
  });
});

let count = 0;
function numbers(): number {
  count += 1;
  return count;
}
