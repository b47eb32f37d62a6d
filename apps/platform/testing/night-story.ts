import { expect } from 'vitest';
import { adminKey } from './open-platform.ts';
import type { PlatformProcess } from './platform-process.ts';
import { until } from './until.ts';

const dayMs = 86_400_000;
export const dayBefore = (days: number) =>
  new Date(Date.now() - days * dayMs).toISOString().slice(0, 10);

/** The report of a day, once the process has compared its file by itself. */
export async function comparedByItself({ call }: Pick<PlatformProcess, 'call'>) {
  return until(
    'the night of yesterday',
    async () => {
      const { status, body } = await call(`GET /v1/reconciliation/sandbox/${dayBefore(1)}`);
      return status === 200 && body.files.length > 0 ? body : undefined;
    },
    120_000,
  );
}

/** Finance uploads a bank statement with a line that nobody knows, and looks into its queue. */
export async function bankIsServed({ url, call }: Pick<PlatformProcess, 'url' | 'call'>) {
  const date = dayBefore(2);
  const statement = `booking_date,id,reference,currency,amount\n${date},b-1,,USD,-5.00\n`;
  const upload = async () => {
    const answer = await fetch(`${url}/v1/reconciliation/bank/${date}/files`, {
      ...{ method: 'POST', body: statement },
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'text/csv' },
    });
    return { status: answer.status, body: (await answer.json()) as { run?: object } };
  };
  const first = await until('an upload that is taken', async () => {
    const answer = await upload();
    return answer.status === 200 ? answer : undefined;
  });
  expect(first.body.run).toMatchObject({ lines: 1, matched: 0 });
  expect(await upload()).toEqual(first);
  const queued = await until('the queue', async () => {
    const { body } = await call('GET /v1/reconciliation/breaks?queue=special');
    return body.breaks?.length > 0 ? body.breaks : undefined;
  });
  expect(queued).toMatchObject([{ psp: 'bank', date, class: 'unidentified_row', state: 'open' }]);
}

/** The log of deliveries is there, and empty as long as nothing is told. */
export async function deliveriesAreServed({ call }: Pick<PlatformProcess, 'call'>) {
  const made = await call('PUT /v1/webhook_endpoints/shop-hook', {
    body: { url: 'https://shop.example/hooks', event_types: ['payout.paid'] },
  });
  expect(made.status).toBe(200);
  const log = await call('GET /v1/webhook_endpoints/shop-hook/deliveries');
  expect(log).toMatchObject({ status: 200, body: { data: [], next_cursor: null } });
}
