import { idFromKey } from '@annals/core';
import { deadLetterEvents, paymentsExecutorName } from '@annals/payments/reactors';
import { openEmbedded } from '@annals/projector';
import { expect, test, vi } from 'vitest';
import { annals, annalsJson, temporaryFolder } from './testing/cli.ts';

vi.setConfig({ testTimeout: 60_000 });

const key = idFromKey('test', 'intent');

/** A folder with one call that nobody could bring to an end. */
async function buriedFolder(): Promise<string> {
  const dataFolder = await temporaryFolder();
  const site = await openEmbedded({ dataFolder });
  const data = {
    ...{ key, stream: 'checkout-c-1', revision: 3, call: 'confirm', psp: 'sandbox' },
    ...{ reason: 'too_long', detail: 'no outcome after a day' },
    tries: [{ at: 0, what: 'call' as const, came: 'unknown: timeout' }],
  };
  const event = { type: 'call-dead-lettered', id: idFromKey('test', 'letter'), data } as const;
  const encoded = await deadLetterEvents.encode([{ ...event, occurredAt: 0 }], site.cipher);
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await site.log.append(`deadcall-${key}`, encoded.events, { expected: 'no-stream' });
  await site.close();
  return dataFolder;
}

test('calls that wait for a person are listed, shown with all that was tried, and tried again', async () => {
  const folder = await buriedFolder();
  const at = ['--data', folder];
  const letters = ['dead-letters', 'list', paymentsExecutorName, ...at];
  expect(await annalsJson(letters)).toMatchObject({
    letters: [{ key, call: 'confirm', psp: 'sandbox', reason: 'too_long', retried: false }],
  });
  expect((await annals(letters)).out).toContain('checkout-c-1@3');
  const show = await annals(['dead-letters', 'show', paymentsExecutorName, key, ...at]);
  expect(show.out).toMatch(/no outcome after a day[\s\S]*unknown: timeout/);
  const retry = ['dead-letters', 'retry', paymentsExecutorName, ...at];
  expect(await annalsJson(retry)).toEqual({ requested: [key] });
  expect(await annalsJson(letters)).toMatchObject({ letters: [{ retried: true }] });
  // Asked for already: once more is refused by name, and nothing is left of all.
  expect(await annalsJson(retry)).toEqual({ requested: [] });
  const again = await annals(['dead-letters', 'retry', paymentsExecutorName, key, ...at]);
  expect(again).toMatchObject({ code: 3, err: expect.stringContaining('already') });
});

test('a call that is not there, and giving one up, are refused', async () => {
  const folder = await buriedFolder();
  const run = (...words: string[]) => annals(['dead-letters', ...words, '--data', folder, '--yes']);
  const other = idFromKey('test', 'other');
  expect((await run('show', paymentsExecutorName, other)).code).toBe(2);
  expect((await run('retry', paymentsExecutorName, other)).code).toBe(2);
  expect((await run('discard', paymentsExecutorName, key)).code).toBe(3);
});

test('a reactor without progress is told where it begins, once', async () => {
  const folder = await buriedFolder();
  const begin = (name: string, from: string) =>
    annals(['reactors', 'begin', name, '--from', from, '--data', folder]);
  expect((await begin('frob', 'head')).code).toBe(2);
  expect((await begin(paymentsExecutorName, 'yesterday')).code).toBe(2);
  expect(await begin(paymentsExecutorName, 'head')).toMatchObject({ code: 0, err: '' });
  const again = await begin(paymentsExecutorName, 'head');
  expect(again).toMatchObject({ code: 3, err: expect.stringContaining('has its progress') });
});

test('a log with events of payments is read whole by log verify', async () => {
  const folder = await buriedFolder();
  expect(await annalsJson(['log', 'verify', '--data', folder])).toMatchObject({ sound: true });
});
