import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { idFromKey, newId, type SubjectCipher, systemClock } from '@annals/core';
import {
  type Checkpoint,
  type EventLog,
  EventTypes,
  eventType,
  exportLog,
  importLog,
} from '@annals/event-log';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { reactorStream } from './events.ts';
import type { Reactor } from './reactor.ts';
import { type ReactorEnded, runReactor } from './run-reactor.ts';

/** Replaying sends nothing and charges nobody: on the real log, with everything else gone. */

const orderPaid = eventType({
  name: 'order-paid',
  schemaVersion: 1,
  schema: z.strictObject({ order: z.string() }),
});
const types = new EventTypes([orderPaid]);
const noPersonalData: SubjectCipher = {
  keyring: () => Promise.reject(new Error('no event here holds personal data')),
};
const ordersPaid = 12;

function reactorThat(perform: Reactor['perform'], lookUp: Reactor['lookUp']): Reactor {
  return {
    name: 'charge',
    categories: ['order'],
    concurrencyMax: 4,
    callWithinMs: 5_000,
    decode: (events, cipher) => types.decode(events, cipher),
    wants: () => true,
    perform,
    lookUp,
  };
}

const forbidden = reactorThat(
  () => Promise.reject(new Error('a replay performed an effect')),
  () => Promise.reject(new Error('a replay looked an effect up')),
);

function start(
  log: EventLog,
  reactor: Reactor,
  onTrouble: (reason: string) => void,
  from?: Checkpoint,
) {
  const abort = new AbortController();
  const ended = runReactor({
    log,
    reactor,
    cipher: noPersonalData,
    clock: systemClock,
    signal: abort.signal,
    runId: newId(),
    onTrouble: ({ reason }) => onTrouble(reason),
    ...(from === undefined ? {} : { from }),
  });
  return { ended, stop: () => abort.abort() };
}

async function pay(log: EventLog, order: string): Promise<void> {
  const event = {
    type: 'order-paid',
    id: idFromKey(order),
    occurredAt: 0,
    data: { order },
  } as const;
  const encoded = await types.encode([event], noPersonalData);
  if (encoded.kind !== 'encoded') throw new Error('not encoded');
  await log.append(`order-${order}`, encoded.events, { expected: 'any' });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('never came true');
    await delay(10);
  }
}

async function settled(log: EventLog): Promise<number> {
  const counts = await log.count({ categories: ['reactor'] });
  return counts.get('effect-done') ?? 0;
}

/** Runs the forbidden reactor until it has surely read all there is; what went wrong, if anything. */
async function replay(
  log: EventLog,
  from?: Checkpoint,
): Promise<{ ended: ReactorEnded; troubles: string[] }> {
  const troubles: string[] = [];
  const run = start(log, forbidden, (reason) => troubles.push(reason), from);
  await delay(300);
  run.stop();
  return { ended: await run.ended, troubles };
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-reactor-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function chargedLog(at: string): Promise<EventLog> {
  const log = await sqliteEventLog({ folder: at });
  const charged: string[] = [];
  const charging = reactorThat(
    async ({ effectId }) => {
      charged.push(effectId);
      return { kind: 'done', result: {} };
    },
    () => Promise.resolve({ kind: 'not-done' }),
  );
  const run = start(log, charging, () => undefined);
  const begun = async () => (await log.readStream(reactorStream('charge'))).head !== 'no-stream';
  await until(begun);
  for (let order = 0; order < ordersPaid; order += 1) await pay(log, `o${order}`);
  await until(async () => (await settled(log)) === ordersPaid);
  run.stop();
  await run.ended;
  expect(new Set(charged).size).toBe(ordersPaid);
  expect(charged.length).toBe(ordersPaid);
  return log;
}

test('with every file but the log deleted, nothing is done again', async () => {
  const log = await chargedLog(folder);
  await log.close();
  await writeFile(join(folder, 'reactors.sqlite'), 'what a cache may leave');
  for (const file of await readdir(folder)) {
    if (!file.startsWith('events.sqlite')) await rm(join(folder, file), { recursive: true });
  }
  const reopened = await sqliteEventLog({ folder });
  const { ended, troubles } = await replay(reopened);
  expect(troubles).toEqual([]);
  expect(ended.kind).toBe('stopped');
  expect(await settled(reopened)).toBe(ordersPaid);
  await reopened.close();
});

test('a log imported into a new folder does nothing until told, and then nothing again', async () => {
  const log = await chargedLog(join(folder, 'old'));
  const moved = await sqliteEventLog({ folder: join(folder, 'new') });
  const imported = await importLog(moved, exportLog(log));
  expect(imported.kind).toBe('imported');

  const untold = await replay(moved);
  expect(untold).toMatchObject({ ended: { kind: 'refused', reason: 'copied-log' }, troubles: [] });

  const fromTheBeginning = await replay(moved, {});
  expect(fromTheBeginning).toMatchObject({ ended: { kind: 'stopped' }, troubles: [] });
  expect(await settled(moved)).toBe(ordersPaid);

  // From here on it knows its place in this log: no telling is needed any more.
  expect(await replay(moved)).toMatchObject({ ended: { kind: 'stopped' }, troubles: [] });
  await log.close();
  await moved.close();
});

test('a log without the reactor’s progress refuses to start', async () => {
  const log = await sqliteEventLog({ folder });
  await pay(log, 'o1');
  const { ended, troubles } = await replay(log);
  expect(troubles).toEqual([]);
  expect(ended).toMatchObject({ kind: 'refused', reason: 'no-progress' });
  await log.close();
});
