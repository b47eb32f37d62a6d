import type { SubjectCipher } from '@annals/core';
import { type EventLog, memoryEventLog } from '@annals/event-log';
import { SeededRandom } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { sampleDeliveries, sampleEndpoints } from '../contract/webhooks-history.ts';
import type { DeliveryLog, DeliveryPlace, DeliveryQuery } from '../webhooks-out/delivery-log.ts';
import { deliveryStates } from '../webhooks-out/lane.ts';
import { naiveDeliveryLog } from '../webhooks-out/testing/naive-delivery-log.ts';

/** The delivery log of one store, fed with a whole log. */
export interface DeliveryLogStore {
  readonly seeds: readonly number[];
  deliveries(log: EventLog, cipher: SubjectCipher): Promise<DeliveryLog>;
}

/** Random deliveries, and the log they are in. */
export async function sampledDeliveries(seed: number) {
  const random = new SeededRandom(seed);
  const log = memoryEventLog({ partitions: random.int(1, 3) });
  const start = Date.parse('2026-11-24T12:00:00Z');
  const end = await sampleDeliveries(random, { start, moves: 150, log });
  return { random, log, start, end, cipher: subjectCipher(memorySubjectKeyStore()) };
}

async function all(log: DeliveryLog, query: DeliveryQuery) {
  const found = [];
  for (let after: DeliveryPlace | undefined, end = false; !end; end = after === undefined) {
    const page = await log.deliveries({ ...query, ...(after ? { after } : {}) });
    if (page.kind !== 'answer') throw new Error(page.kind);
    found.push(...page.deliveries);
    after = page.next;
  }
  return found;
}

/** The delivery log is the same on every store: what its lanes tell. */
export function describeDeliveryLog(store: DeliveryLogStore): void {
  test.each(store.seeds)(
    'the delivery log of random history %i is what its lanes tell',
    async (seed) => {
      const { random, log, start, end, cipher } = await sampledDeliveries(seed);
      const deliveries = await store.deliveries(log, cipher);
      const naive = naiveDeliveryLog(log, cipher);
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

  test('a page of the delivery log has a bound', async () => {
    const { log, cipher } = await sampledDeliveries(store.seeds[0] ?? 1);
    const deliveries = await store.deliveries(log, cipher);
    for (const limit of [0, 101, 1.5]) {
      const asked = deliveries.deliveries({ endpointId: 'shop-hook', limit });
      await expect(asked).rejects.toThrow('limit');
    }
  });
}
