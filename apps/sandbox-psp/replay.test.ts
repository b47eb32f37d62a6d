import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { canonicalJson, newId, type SubjectCipher, systemClock } from '@annals/core';
import { type Checkpoint, type EventLog, exportLog, importLog } from '@annals/event-log';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { ledgerProjection, paymentsProjection, walletsProjection } from '@annals/payments';
import { type Psp, PspRouting } from '@annals/payments/psp';
import {
  paymentsAdvance,
  paymentsExecutor,
  paymentsObserver,
  paymentsRisk,
  sweep,
} from '@annals/payments/reactors';
import {
  sqliteDeliveryLog,
  WebhookSender,
  Webhooks,
  webhookQueue,
  webhooksProjection,
} from '@annals/payments/webhooks-out';
import {
  generationDirectory,
  type Projection,
  type Reactor,
  rebuild,
  runProjector,
  runReactor,
} from '@annals/projection';
import { openGenerationReader, sqliteProjectionStore } from '@annals/store-sqlite';
import { afterEach, expect, test } from 'vitest';
import { Market } from './testing/market.ts';
import { openInProcess } from './testing/sites.ts';

/** A rebuild of everything calls no provider, sends no webhook and pays nobody, also from the log alone in a new folder. */

const projections = [ledgerProjection, walletsProjection, paymentsProjection, webhooksProjection];
const clock = systemClock;
const within = { timeout: 20_000, interval: 20 };
const screen = { name: 'none', assess: async () => ({ verdict: 'accepted', rules: [] }) as const };
const url = 'https://shop.example/hooks';
const by = 'key-1';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'annals-replay-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The read models of a log in a folder of their own, kept up to date. */
function follow(log: EventLog, cipher: SubjectCipher, folder = newFolder()) {
  const stop = new AbortController();
  const { signal } = stop;
  const stores = new Map(
    projections.map(({ name }) => [
      name,
      sqliteProjectionStore({ folder, projection: name, clock }),
    ]),
  );
  const storeFor = ({ name }: Projection) => {
    const store = stores.get(name);
    if (!store) throw new Error(`there is no store for ${name}`);
    return store;
  };
  const directory = generationDirectory(log, { signal, clock });
  const { done } = runProjector({
    ...{ log, cipher, projections, storeFor, directory, clock, signal, holder: newId() },
  });
  closing.push(async () => {
    stop.abort();
    await done;
    for (const store of stores.values()) await store.close();
  });
  return { folder, directory, storeFor };
}

type Followed = ReturnType<typeof follow>;

/** All rows of a generation, but for where events stand: in a copied log they stand elsewhere. */
async function rowsOf({ storeFor }: Followed, projection: Projection, generation: number) {
  const opened = await storeFor(projection).open(generation);
  if (opened === 'lost') return 'lost';
  const snapshot = await opened.snapshot();
  const rows: string[] = [];
  for (const { name } of projection.tables) {
    for await (const page of snapshot.rows(name)) {
      for (const { position: _, last: __, ...row } of page) rows.push(canonicalJson([name, row]));
    }
  }
  await snapshot.close();
  await opened.close();
  return rows.toSorted().join('\n');
}

async function rebuilt(followed: Followed, log: EventLog, cipher: SubjectCipher) {
  const texts: string[] = [];
  let newest = 0;
  for (const projection of projections) {
    const { directory, storeFor } = followed;
    const store = storeFor(projection);
    const { signal } = new AbortController();
    const operation = { log, cipher, clock, projection, store, directory, signal };
    const done = await rebuild({ ...operation, workers: 1, holder: newId() });
    if (done.kind !== 'rebuilt') throw new Error(JSON.stringify(done));
    newest = done.generation;
    texts.push(await rowsOf(followed, projection, newest));
  }
  // The last of them is that of the webhooks.
  return { texts, newest };
}

/** Payments that went every way, and the webhooks that told of them. */
async function history() {
  const site = await openInProcess();
  closing.push(() => site.close());
  const market = new Market([site]);
  closing.push(() => market.stop());
  const { log, cipher } = market;
  market.start();
  const followed = follow(log, cipher);
  const reader = () => openGenerationReader(followed.folder, webhooksProjection.name, 1);
  const isThere = () => followed.directory.live(webhooksProjection.name) !== undefined;
  await expect.poll(isThere, within).toBe(true);
  const open = reader();
  closing.push(() => open.close());
  const deliveries = sqliteDeliveryLog({
    current: () => ({ kind: 'ready', reader: open }),
    waitFor: async () => 'reached',
  });
  const webhooks = new Webhooks({
    log,
    cipher,
    clock: market.clock,
    deliveries,
    allowPrivate: false,
  });
  expect(await webhooks.put('hook', { url, eventTypes: ['*'], by })).toMatchObject({
    kind: 'changed',
  });
  const queue = run(log, cipher, webhookQueue({ log, cipher, clock: market.clock }), {});
  const risk = run(log, cipher, paymentsRisk({ log, cipher, clock: market.clock, screen }), {});
  const told: string[] = [];
  const sender = new WebhookSender({
    ...{ log, cipher, clock: market.clock, deliveries, random: () => 0 },
    post: async ({ body }) => {
      told.push(body);
      return { kind: 'answered', status: 200, excerpt: '' };
    },
  });
  await market.open('c-1', { capture: 'manual' });
  await market.open('c-2', { orders: 2 });
  await market.register('c-3');
  await site.giveCard(await market.pageUrl('c-3'), '4242424242424242');
  await site.pass(1);
  await market.followWebhooks();
  // Nobody goes there.
  await market.register('c-4');
  await market.pageUrl('c-4');
  const state = async (checkout: string) => (await market.order(checkout)).state;
  await expect.poll(() => state('c-1'), within).toBe('authorized');
  await market.capture('c-1', 700n);
  await expect.poll(() => state('c-1'), within).toBe('captured');
  await expect.poll(() => state('c-2'), within).toBe('captured');
  await expect.poll(() => state('c-3'), within).toBe('captured');
  await market.refund('c-1', 'refund-1', 200n);
  await market.payOut('payout-1', 300n, 'ba_sandbox');
  await expect.poll(async () => (await market.payout('payout-1'))?.state, within).toBe('sent');
  await expect
    .poll(async () => {
      await sender.pass(new AbortController().signal);
      await sender.settled();
      return told.length;
    }, within)
    .toBeGreaterThan(4);
  await market.stop();
  await queue.stop();
  await risk.stop();
  return { market, site, followed };
}

/** A provider and an endpoint of webhooks that remember every call, and answer none. */
function forbidden(terms: Psp['terms']) {
  const calls: string[] = [];
  const refuse = (name: string) => async () => {
    calls.push(name);
    throw new Error(`a replay called ${name}`);
  };
  const members = { name: 'stripe', terms } as const;
  const psp = new Proxy(members as unknown as Psp, {
    get: (target, member) =>
      member in target ? target[member as keyof Psp] : refuse(String(member)),
  });
  return { calls, psp, post: refuse('webhook') };
}

function run(log: EventLog, cipher: SubjectCipher, reactor: Reactor, from?: Checkpoint) {
  const stop = new AbortController();
  const options = { log, cipher, clock, reactor, signal: stop.signal, runId: newId() };
  const ended = runReactor({ ...options, ...(from ? { from } : {}) });
  return {
    stop: async () => {
      stop.abort();
      return ended;
    },
  };
}

/** Everything that acts by itself is started on the log, and runs until it has surely read all of it. */
async function replay(
  log: EventLog,
  cipher: SubjectCipher,
  { psp: one, post }: ReturnType<typeof forbidden>,
  { folder, newest }: { readonly folder: string; readonly newest: number },
  from?: Checkpoint,
) {
  const psp = () => one;
  const breaker = { clock };
  const routing = new PspRouting({ psps: [one], rules: [{ psp: one.name }], breaker });
  const reactors = [
    paymentsExecutor({ log, cipher, clock, psp }),
    paymentsAdvance({ log, cipher, clock, routing }),
    paymentsRisk({ log, cipher, clock, screen }),
    webhookQueue({ log, cipher, clock }),
  ].map((reactor) => run(log, cipher, reactor, from));
  const reader = openGenerationReader(folder, webhooksProjection.name, newest);
  const deliveries = sqliteDeliveryLog({
    current: () => ({ kind: 'ready', reader }),
    waitFor: async () => 'reached',
  });
  const sender = new WebhookSender({ log, cipher, clock, deliveries, post, random: () => 0 });
  await delay(500);
  await sender.pass(new AbortController().signal);
  await sender.settled();
  reader.close();
  return Promise.all(reactors.map(async ({ stop }) => (await stop()).kind));
}

/** What is in the log but for the notes of reactors and projections about themselves. */
async function facts(log: EventLog): Promise<number> {
  const counts = await log.count();
  const all = [...counts].filter(
    ([type]) => !/^(?:reactor|effect|generation|projection)-/.test(type),
  );
  return all.reduce((sum, [, count]) => sum + count, 0);
}

test('everything is rebuilt and started again: nobody is called, nothing is told, nothing is written', {
  timeout: 60_000,
}, async () => {
  const { market, site, followed } = await history();
  const { log, cipher } = market;
  const before = await facts(log);
  const watched = forbidden(site.psp.terms);
  const first = await rebuilt(followed, log, cipher);
  for (const [index, projection] of projections.entries()) {
    const live = followed.directory.live(projection.name)?.generation ?? 0;
    await expect.poll(() => rowsOf(followed, projection, live), within).toBe(first.texts[index]);
  }
  expect(await replay(log, cipher, watched, { ...followed, ...first })).toEqual(
    Array(4).fill('stopped'),
  );

  // The log alone, in a new folder, on another engine.
  const copy = await sqliteEventLog({ folder: newFolder() });
  closing.push(() => copy.close());
  expect(await importLog(copy, exportLog(log))).toMatchObject({ kind: 'imported' });
  const alone = follow(copy, cipher);
  for (const { name } of projections) {
    await expect.poll(() => alone.directory.live(name) !== undefined, within).toBe(true);
  }
  const again = await rebuilt(alone, copy, cipher);
  expect(again.texts).toEqual(first.texts);
  const place = { ...alone, ...again };
  const untold = await replay(copy, cipher, watched, place);
  // A copy does nothing until a person says where to begin.
  expect(untold).toEqual(Array(4).fill('refused'));
  expect(await replay(copy, cipher, watched, place, {})).toEqual(Array(4).fill('stopped'));
  expect([await facts(log), await facts(copy)]).toEqual([before, before]);
  expect(watched.calls).toEqual([]);

  // The provider is one that would have been noticed.
  const { psp } = watched;
  const observer = paymentsObserver({
    log,
    cipher,
    clock,
    psp: () => psp,
    onContradiction: () => {},
  });
  const { attempts } = await market.order('c-1');
  const object = { kind: 'payment', id: attempts[0]?.paymentId ?? '' } as const;
  const looking = sweep(observer, [{ psp: 'stripe', object }], new AbortController().signal);
  await expect(looking).rejects.toThrow('a replay called retrieve');
  expect(watched.calls).toEqual(['retrieve']);
});
