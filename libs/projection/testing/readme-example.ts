import assert from 'node:assert/strict';
import { idFromKey, systemClock } from '@annals/core';
import { EventTypes, eventType, memoryEventLog } from '@annals/event-log';
import { z } from 'zod';
import {
  defineProjection,
  generationDirectory,
  memoryProjectionStore,
  promote,
  rebuild,
  runProjector,
  verify,
} from '../index.ts';

const deposited = eventType({
  name: 'deposited',
  schemaVersion: 1,
  schema: z.strictObject({ amount: z.int() }),
});
const types = new EventTypes([deposited]);

/** The balance of each account: one row, which depends on the account's stream alone. */
const balances = defineProjection({
  name: 'balances',
  version: 1,
  categories: ['account'],
  tables: [{ name: 'balances', columns: { account: 'text', amount: 'integer' }, key: ['account'] }],
  split: 'stream',
  onFailure: 'halt',
  types,
  handlers: {
    deposited: {
      touches: (event) => [{ table: 'balances', key: [event.stream] }],
      apply: (event, rows) => {
        const before = (rows.get('balances', [event.stream])?.amount ?? 0) as number;
        const amount = before + event.data.amount;
        rows.put('balances', { account: event.stream, amount });
      },
    },
  },
});

const log = memoryEventLog();
const store = memoryProjectionStore({ clock: systemClock });
const cipher = { keyring: () => Promise.reject(new Error('no personal data here')) };
const stop = new AbortController();
const { signal } = stop;
const clock = systemClock;

// The running projector: makes g1, live at once, and keeps every generation up to date.
const directory = generationDirectory(log, { signal, clock });
const projector = runProjector({
  ...{ log, cipher, directory, clock, signal },
  projections: [balances],
  storeFor: () => store,
  holder: 'projector-1',
});

for (const [n, amount] of [30, 12].entries()) {
  const id = idFromKey('deposit', String(n));
  const event = { type: 'deposited', id, data: { amount }, occurredAt: clock.now() } as const;
  const encoded = await types.encode([event], cipher);
  assert.equal(encoded.kind, 'encoded');
  await log.append('account-ann', encoded.events, { expected: 'any' });
}

// An operator rebuilds beside it, proves the result, and makes it live.
const operation = {
  log,
  store,
  projection: balances,
  cipher,
  clock,
  directory,
  holder: 'operator',
};
assert.equal((await rebuild(operation)).kind, 'rebuilt');
assert.equal((await verify(operation)).kind, 'verified');
assert.equal((await promote(operation)).kind, 'promoted');

const live = await store.open(directory.live('balances')?.generation ?? 0);
assert.ok(live !== 'lost');
const [row] = await live.load([{ table: 'balances', key: ['account-ann'] }]);
assert.deepEqual(row, { account: 'account-ann', amount: 42 });

stop.abort();
await projector.done;
