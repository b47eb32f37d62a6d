import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi } from './testing/open-api.ts';
import { paymentsServer } from './testing/readme-example.ts';

const text = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

it('the example of the README is the one that is run here', async () => {
  const example = text('testing/readme-example.ts').replace('../index.ts', '@annals/payments-api');
  expect(text('README.md')).toContain(`\`\`\`ts\n${example}\`\`\``);

  const api = await openApi();
  await api.means.payments.putSeller('shop', shopInput);
  const caller = { kind: 'authenticated', keyId: 'k1', name: 'shop' } as const;
  const server = await paymentsServer(api.means, {
    authenticate: () => ({ ...caller, scopes: ['payments:buyer', 'payments:read'] }),
  });
  const headers = { authorization: 'Bearer key' };
  const taken = await server.inject({
    ...{ method: 'POST', url: '/v1/payments', headers, payload: paymentInput() },
  });
  const url = `/v1/payments/c-1?min-position=${taken.json().position}`;
  const read = await server.inject({ url, headers });
  expect(read.json()).toMatchObject({ checkout_id: 'c-1', status: 'open' });
  await server.stop();
  await api.close();
});
