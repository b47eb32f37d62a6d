import { DatabaseSync } from 'node:sqlite';
import { memoryEventLog } from '@annals/event-log';
import { SeededRandom } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { sampleDeliveries, sampleEndpoints } from '../contract/webhooks-history.ts';
import { fedStore } from '../testing/fed-store.ts';
import { webhooksProjection } from './deliveries.ts';
import {
  type DeliveryLog,
  type DeliveryPlace,
  deliveriesSql,
  sqliteDeliveryLog,
} from './delivery-log.ts';
import { deliveryStates } from './lane.ts';
import { naiveDeliveryLog } from './testing/naive-delivery-log.ts';

async function sampled(seed: number) {
  const random = new SeededRandom(seed);
  const log = memoryEventLog({ partitions: random.int(1, 3) });
  const start = Date.parse('2026-11-24T12:00:00Z');
  const end = await sampleDeliveries(random, { start, moves: 150, log });
  const cipher = subjectCipher(memorySubjectKeyStore());
  const file = await fedStore(webhooksProjection, log, cipher);
  return { random, start, end, file, naive: naiveDeliveryLog(log, cipher) };
}

async function all(log: DeliveryLog, query: Parameters<DeliveryLog['deliveries']>[0]) {
  const found = [];
  for (let after: DeliveryPlace | undefined, end = false; !end; end = after === undefined) {
    const page = await log.deliveries({ ...query, ...(after ? { after } : {}) });
    if (page.kind !== 'answer') throw new Error(page.kind);
    found.push(...page.deliveries);
    after = page.next;
  }
  return found;
}

test.each([1, 2, 3])(
  'the delivery log of random history %i is what its lanes tell',
  async (seed) => {
    const { random, start, end, file, naive } = await sampled(seed);
    const deliveries = sqliteDeliveryLog(file);
    for (const endpointId of sampleEndpoints) {
      const queries = [
        { endpointId, limit: random.int(1, 7) },
        { endpointId, limit: 100, since: random.int(start, end) },
        ...deliveryStates.map((state) => ({ endpointId, state, limit: 5 })),
      ];
      for (const query of queries) {
        expect(await all(deliveries, query)).toEqual(await all(naive, query));
      }
      const [first] = await all(naive, { endpointId, limit: 100 });
      const { delivery } = (await deliveries.delivery(endpointId, first?.deliveryId ?? '')) as {
        delivery?: unknown;
      };
      expect(delivery).toEqual(first);
      const now = random.int(start, end);
      const due = await deliveries.dueLanes(endpointId, now, 3);
      expect({ ...due, asOf: {} }).toEqual(await naive.dueLanes(endpointId, now, 3));
    }
    expect({ ...(await deliveries.counts()), asOf: {} }).toEqual(await naive.counts());
  },
);

test('no list scans a table, and a page has a bound', async () => {
  const { file } = await sampled(4);
  const database = new DatabaseSync(file.path, { readOnly: true });
  const scanned = Object.entries(deliveriesSql).filter(([name, sql]) => {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    return name !== 'counts' && plan.some(({ detail }) => /^SCAN|TEMP/.test(detail));
  });
  database.close();
  expect(scanned).toEqual([]);
  for (const limit of [0, 101, 1.5]) {
    const asked = sqliteDeliveryLog(file).deliveries({ endpointId: 'shop-hook', limit });
    await expect(asked).rejects.toThrow('limit');
  }
});
