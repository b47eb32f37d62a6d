import { type EventLog, memoryEventLog } from '@annals/event-log';
import { expect, test } from 'vitest';
import {
  Provider,
  pay,
  reactorOf,
  reopened,
  start,
  startFresh,
  until,
} from '../testing/paid-orders.ts';
import { reactorStream } from './events.ts';
import type { Reactor } from './reactor.ts';

function repeating(provider: Provider): Reactor {
  return { ...reactorOf(provider), lookUp: 'repeats' };
}

async function written(log: EventLog): Promise<readonly string[]> {
  const { events } = await log.readStream(reactorStream('notify'));
  return events.map(({ type }) => type);
}

test('effects that may be done again are written down only as far as all is done', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  const run = await startFresh(log, repeating(provider));
  for (const order of ['a', 'b', 'c']) await pay(log, order);
  await until(() => provider.done.size === 3);
  await run.stop();
  expect(new Set(await written(log))).toEqual(new Set(['reactor-started', 'reactor-progressed']));

  const again = start(await reopened(log), repeating(provider));
  await pay(log, 'd');
  await until(() => provider.done.size === 4);
  await again.stop();
  expect(provider.calls.toSorted()).toEqual(['a', 'b', 'c', 'd']);
});

test('what was not said to be done is done again after a crash', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  await pay(log, 'before');
  const held = Promise.withResolvers<void>();
  provider.after = (order) => (order === 'a' ? held.promise : undefined);
  const crashed = await startFresh(log, repeating(provider), 'head');
  for (const order of ['a', 'b', 'c']) await pay(log, order);
  await until(() => provider.done.size === 3);
  // The process is gone from here on, and a has held back all that is said of b and c.
  const next = new Provider();
  const run = start(await reopened(log), repeating(next));
  await until(() => next.done.size === 3);
  await run.stop();
  expect(next.calls.toSorted()).toEqual(['a', 'b', 'c']);
  held.resolve();
  expect((await crashed.stop()).kind).toBe('superseded');
});

test('a repeated effect that fails says so once', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  provider.answer = () => ({ kind: 'failed', reason: 'no such order' });
  const held = Promise.withResolvers<void>();
  provider.before = (order) => (order === 'slow' ? held.promise : undefined);
  const crashed = await startFresh(log, repeating(provider));
  for (const order of ['slow', 'lost']) await pay(log, order);
  await until(async () => (await written(log)).includes('effect-failed'));

  const next = new Provider();
  next.answer = provider.answer;
  const run = start(await reopened(log), repeating(next));
  await until(
    async () => (await written(log)).filter((type) => type === 'effect-failed').length === 2,
  );
  await run.stop();
  expect(next.calls.toSorted()).toEqual(['lost', 'slow']);
  expect((await written(log)).filter((type) => type === 'effect-failed')).toHaveLength(2);
  held.resolve();
  await crashed.stop();
});

test('only events of its types are read for a reactor', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  const read: string[] = [];
  const reactor = repeating(provider);
  const run = await startFresh(log, {
    ...reactor,
    types: ['order-paid'],
    decode: (events, cipher) => {
      read.push(...events.map(({ type }) => type));
      return reactor.decode(events, cipher);
    },
  });
  await pay(log, 'seen', 'order-seen');
  await pay(log, 'paid');
  await until(() => provider.done.size === 1);
  await run.stop();
  expect(read).toEqual(['order-paid']);
});
