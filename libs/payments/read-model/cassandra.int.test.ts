import { randomBytes } from 'node:crypto';
import { type SubjectCipher, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import type { EventLog } from '@annals/event-log';
import type { Projection, ProjectionStore } from '@annals/projection';
import {
  type CassandraConnection,
  cassandraLiveReader,
  cassandraProjectionStore,
  connectCassandra,
} from '@annals/store-cassandra';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ledgerProjection } from '../projections/ledger.ts';
import { paymentsProjection } from '../projections/payments.ts';
import { walletsProjection } from '../projections/wallets.ts';
import { cassandraBooksComparison } from '../reconciliation/books-comparison-cassandra.ts';
import {
  cassandraMovementsReadModel,
  cassandraQueuesReadModel,
} from '../reconciliation/reconciliation-cassandra.ts';
import { describeBooks, historyOf } from '../testing/describe-books.ts';
import { describeDeliveryLog } from '../testing/describe-delivery-log.ts';
import { describePaymentLists } from '../testing/describe-payment-lists.ts';
import { describeReconciliationReads } from '../testing/describe-reconciliation-reads.ts';
import { fedGeneration, feed } from '../testing/fed-store.ts';
import { NaiveBooks } from '../testing/naive-books.ts';
import { webhooksProjection } from '../webhooks-out/deliveries.ts';
import { cassandraDeliveryLog } from '../webhooks-out/delivery-log-cassandra.ts';
import { cassandraLedgerReadModel } from './ledger-cassandra.ts';
import type { LiveCassandraGeneration } from './live-cassandra.ts';
import { cassandraPaymentsReadModel } from './payments-cassandra.ts';
import { cassandraWalletsReadModel } from './wallets-cassandra.ts';

interface Site {
  readonly store: ProjectionStore;
  readonly live: LiveCassandraGeneration;
}

await describeOn('cassandra', 'Payments on Cassandra', (engine) => {
  const clock = systemClock;
  const [address, settings] = engine.url.split('?') as [string, string];
  const url = `${address}/annals_test_${randomBytes(6).toString('hex')}?${settings}&replicas=1`;
  let cassandra: CassandraConnection;
  const sites = new Map<string, Promise<Site>>();
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    cassandra = await connectCassandra(url);
  });
  afterAll(async () => {
    for (const close of closing) await close();
    await cassandra.schema(`DROP KEYSPACE IF EXISTS ${cassandra.keyspace}`);
    await cassandra.close();
  }, 120_000);

  const logs: EventLog[] = [];

  /** A store of a name of its own for each log, fed to its end: to make the tables takes the most of the time. */
  function site(projection: Projection, log: EventLog, cipher: SubjectCipher): Promise<Site> {
    if (!logs.includes(log)) logs.push(log);
    const name = `${projection.name}-${logs.indexOf(log)}`;
    const made = sites.get(name) ?? fedSite(name, projection, log, cipher);
    sites.set(name, made);
    return made;
  }

  async function fedSite(
    name: string,
    projection: Projection,
    log: EventLog,
    cipher: SubjectCipher,
  ): Promise<Site> {
    const options = { cassandra, projection: name, clock, buckets: 8, orderShards: 2 };
    const store = cassandraProjectionStore(options);
    await feed(store, projection, log, cipher);
    const spec = fedGeneration(projection);
    const reader = cassandraLiveReader({ ...options, liveGeneration: () => spec });
    closing.push(async () => {
      await reader.close();
      await store.close();
    });
    const live: LiveCassandraGeneration = {
      current: async () => {
        const now = await reader.current();
        if (now.kind === 'building') throw new Error('no generation is live yet');
        return now;
      },
      waitFor: async (checkpoint, timeoutMs) => {
        const outcome = await reader.waitFor(checkpoint, { timeoutMs });
        return outcome === 'timeout' ? 'late' : outcome;
      },
    };
    return { store, live };
  }

  describe('books', () => {
    describeBooks({
      seeds: [1, 2],
      stepCount: 400,
      ledger: async (log, cipher) =>
        cassandraLedgerReadModel((await site(ledgerProjection, log, cipher)).live),
      wallets: async (log, cipher) =>
        cassandraWalletsReadModel((await site(walletsProjection, log, cipher)).live),
    });
  });

  describe('lists', () => {
    describePaymentLists({
      seeds: [1, 2],
      stepCount: 150,
      payments: async (log, cipher) =>
        cassandraPaymentsReadModel((await site(paymentsProjection, log, cipher)).live),
    });
  });

  describe('reconciliation', () => {
    describeReconciliationReads({
      seeds: [1],
      stepCount: 300,
      live: async (projection, log, cipher) => (await site(projection, log, cipher)).live,
      movements: cassandraMovementsReadModel,
      queues: cassandraQueuesReadModel,
      books: cassandraBooksComparison,
    });
  });

  describe('webhooks', () => {
    describeDeliveryLog({
      seeds: [1],
      deliveries: async (log, cipher) =>
        cassandraDeliveryLog((await site(webhooksProjection, log, cipher)).live),
    });
  });

  test('batches that come while the books are read are told apart', async () => {
    const { log, events, cipher } = await historyOf(2, 400);
    const { live } = await site(ledgerProjection, log, cipher);
    const naive = new NaiveBooks(events);
    for (const limit of [0, 150, 300]) {
      const { checkpoint } =
        limit === 0 ? { checkpoint: {} } : await log.read('start', {}, { limit });
      // The rows are those of the end of the log; the look at the checkpoint came before all but some of it.
      const early: LiveCassandraGeneration = {
        ...live,
        current: async () => {
          const now = await live.current();
          if (now.kind === 'lost') return now;
          const { reader } = now;
          return {
            kind: 'ready',
            reader: { read: (...of) => reader.read(...of), checkpoint: async () => checkpoint },
          };
        },
      };
      const ledger = cassandraLedgerReadModel(early);
      const isCovered = naive.isCovered(checkpoint);
      const books = await ledger.trialBalance({ at: 'now' });
      if (books.kind !== 'answer') throw new Error(books.kind);
      const sums = naive
        .sums('kind', isCovered)
        .map(({ account: kind, ...sum }) => ({ kind, ...sum }));
      expect(new Set(books.rows)).toEqual(new Set(sums));
      const page = await ledger.entries({ limit: 1_000 });
      if (page.kind !== 'answer') throw new Error(page.kind);
      const covered = naive.entries.filter(isCovered);
      expect(page.entries.map(({ eventId }) => eventId)).toEqual(
        covered.map(({ eventId }) => eventId),
      );
      const before = naive.entries[Math.floor(naive.entries.length / 2)]?.recordedAt ?? 0;
      const then = await ledger.trialBalance({ at: 'time', before });
      if (then.kind !== 'answer') throw new Error(then.kind);
      const earlier = naive
        .sums('kind', (entry) => isCovered(entry) && entry.recordedAt < before)
        .map(({ account: kind, ...sum }) => ({ kind, ...sum }));
      expect(new Set(then.rows)).toEqual(new Set(earlier));
    }
  });

  test('a store that is gone is lost, not empty', async () => {
    const { log, cipher } = await historyOf(1, 5);
    const { store, live } = await site(ledgerProjection, log, cipher);
    await store.drop(1);
    expect(await cassandraLedgerReadModel(live).trialBalance({ at: 'now' })).toEqual({
      kind: 'lost',
    });
  });
});
