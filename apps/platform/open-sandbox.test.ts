import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '@annals/core';
import { paymentsSettingsOf, sandboxAddress } from '@annals/projector';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openSandbox } from './open-sandbox.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

// Threads start slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

async function folder() {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  const open = async (port?: number) => {
    const sandbox = await openSandbox({
      ...{ settings: paymentsSettingsOf({}), dataFolder: path, port, usualPort: false },
      ...{ clock: systemClock, onTrouble: (detail: string) => process.emitWarning(detail) },
    });
    if (!sandbox) throw new Error('no sandbox');
    onTestFinished(() => sandbox.stop());
    return sandbox;
  };
  return { path, open };
}

test('the sandbox listens where its address file says, and again there after a restart', async () => {
  const { path, open } = await folder();
  const first = await open();
  expect(sandboxAddress(path)).toBe(first.url);
  const page = await fetch(`${first.url}/sandbox/tokens`);
  expect(await page.text()).toMatch(/sandbox/i);
  await first.stop();
  const second = await open();
  expect(second.url).toBe(first.url);
});

test('a second process of the same folder uses that of the first', async () => {
  const { open } = await folder();
  const first = await open();
  const second = await open();
  expect(second).toMatchObject({ url: first.url, isElsewhere: true });
  await second.stop();
  expect((await fetch(`${first.url}/sandbox/tokens`)).status).toBe(200);
});

test('a second process takes over where the first has ended, with its books and at its address', async () => {
  const { open } = await folder();
  const hooks: string[] = [];
  const merchant = createServer((request, response) => {
    hooks.push(request.url ?? '');
    response.end();
  });
  await new Promise<void>((resolve) => merchant.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void merchant.close().closeAllConnections());
  const { port } = merchant.address() as AddressInfo;
  const [first, second] = [await open(), await open()];
  second.useEndpoint(`http://127.0.0.1:${port}/of-the-second`);
  const headers = { authorization: 'Bearer sk_test_sandbox' };
  const body = 'amount=100&currency=usd&payment_method=pm_card_visa&confirm=true';
  const intents = `${first.url}/v1/payment_intents`;
  const made = await fetch(intents, { method: 'POST', headers, body });
  const { id } = (await made.json()) as { readonly id: string };

  await first.stop();
  await until('the takeover', () => (second.isElsewhere ? undefined : true));
  expect(await (await fetch(`${intents}/${id}`, { headers })).json()).toMatchObject({ id });
  await fetch(intents, { method: 'POST', headers, body });
  await until('a webhook to the second', () => hooks[0]);
  expect(hooks[0]).toBe('/of-the-second');
  // The first one comes back, and finds it elsewhere.
  expect(await open()).toMatchObject({ url: first.url, isElsewhere: true });
});

test('a port that is set and taken by somebody else is an error; one that was only used last is not', async () => {
  const { path, open } = await folder();
  const first = await open();
  const { port } = new URL(first.url);
  await first.stop();
  const other = createServer((_, response) => response.end('somebody else'));
  await new Promise<void>((resolve) => other.listen(Number(port), '127.0.0.1', resolve));
  onTestFinished(() => void other.close());
  expect((other.address() as AddressInfo).port).toBe(Number(port));
  await expect(open(Number(port))).rejects.toMatchObject({ code: 'EADDRINUSE' });
  const second = await open();
  expect(second.url).not.toBe(first.url);
  expect(sandboxAddress(path)).toBe(second.url);
});

test('nothing is started where another provider is set', async () => {
  const { path } = await folder();
  const env = { ANNALS_PSP_URL: 'http://127.0.0.1:9', ANNALS_PSP_KEY: 'sk_test_other' };
  const settings = paymentsSettingsOf({ ...env, ANNALS_PSP_WEBHOOK_SECRET: ['whsec_other'] });
  const means = { dataFolder: path, port: undefined, usualPort: false, clock: systemClock };
  expect(await openSandbox({ ...means, settings, onTrouble: () => undefined })).toBeUndefined();
});
