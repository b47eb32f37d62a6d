import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { type SandboxProcess, spawnSandbox, startProcess } from './testing/sandbox-process.ts';

const folders: string[] = [];
const running: SandboxProcess[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.kill();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'annals-sandbox-'));
  folders.push(folder);
  return folder;
}

async function start(folder: string): Promise<SandboxProcess> {
  const started = await startProcess({ SANDBOX_PSP_DATA: folder });
  running.push(started);
  return started;
}

const headers = { authorization: 'Bearer sk_test_sandbox' };

test('the program says where it is, and what it has answered outlives kill -9', async () => {
  const folder = newFolder();
  const first = await start(folder);
  const body = 'amount=100&currency=usd&payment_method=pm_card_visa&confirm=true';
  const made = await fetch(`${first.url}/v1/payment_intents`, { method: 'POST', headers, body });
  const { id } = (await made.json()) as { id: string };
  await first.kill();
  const second = await start(folder);
  const found = await fetch(`${second.url}/v1/payment_intents/${id}`, { headers });
  expect(await found.json()).toMatchObject({ id, status: 'succeeded' });
});

test('a folder that is in use is not opened by another', async () => {
  const folder = newFolder();
  await start(folder);
  const child = spawnSandbox({ SANDBOX_PSP_DATA: folder });
  expect(await once(child, 'exit')).toEqual([1, null]);
});

test('it stops when it is asked to', async () => {
  const { child } = await start(newFolder());
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

test('a wrong setting is named', async () => {
  const child = spawnSandbox({ SANDBOX_PSP_DATA: newFolder(), SANDBOX_PSP_PORT: 'many' });
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  expect(await once(child, 'close')).toEqual([2, null]);
  expect(said).toContain('SANDBOX_PSP_PORT');
});

test('the example of the README takes a payment', async () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const folder = newFolder();
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  symlinkSync(modules, join(folder, 'node_modules'), 'dir');
  const file = join(folder, 'example.mts');
  writeFileSync(file, example);
  const { psp } = (await import(file)) as { psp: import('@annals/payments/psp').Psp };
  const made = await psp.createPayment({
    ...{ key: 'k', reference: 'r', method: 'pm_card_visa', capture: 'automatic' },
    amount: { amount: 100n, currency: 'USD' },
  });
  expect(made).toMatchObject({ kind: 'answered', value: { status: 'created' } });
});
